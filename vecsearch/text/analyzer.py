"""Text → terms: what the index of words holds and what a query looks up, both made here so that they cannot differ.

A word is a run of letters, marks and digits, without case and accents, reduced to its stem. Words that a sign joins (`1.0.21`,
`std::vector`, `foo_bar`, `state-of-the-art`) or capitals do (`getUserName`) are indexed one by one, in order, and looked up so
and as a phrase; `C++` and `C#` are forms of their own. Scripts that are written without spaces are indexed by pairs of
characters. Stemmers: Snowball (Porter, "Snowball: A language for stemming algorithms", 2001).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any, Final

import regex

from vecsearch.core.settings import COMPOUND_LENGTH_MAX, COMPOUND_PARTS_MAX

UNSTEMMED: Final = "none"
STEMMER_DEFAULT: Final = "en"
STEMMERS: Final = {  # ISO 639-1 → the name of its stemmer
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_LETTER: Final = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]"
_SIGN: Final = r"[._/@:&+#~\-\u2010]{1,2}"
_TOKEN: Final = regex.compile(
    rf"(?P<pairs>[{_UNSPACED}]+)|(?P<word>{_LETTER}+(?:{_SIGN}{_LETTER}+)*)(?P<tail>\+\+|\+|#)?(?!{_LETTER})", regex.V1
)
_PLAIN_TOKEN: Final = re.compile(  # the same where every character is ASCII, which is most of what there is: four times as quick
    r"[A-Za-z0-9]+(?:[._/@:&+#~\-]{1,2}[A-Za-z0-9]+)*(?:\+\+|\+|#)?(?![A-Za-z0-9])"
)
_SIGNS: Final = re.compile(r"[^\w]|_")
_PART: Final = regex.compile(rf"{_LETTER}+", regex.V1)
_PLAIN_PART: Final = re.compile(r"[A-Za-z0-9]+")  # the same where every character is ASCII
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+|[0-9]+")
_IS_CAMEL: Final = re.compile(r"[a-z]{2}[A-Z][a-z]")
_POSSESSIVE: Final = re.compile(r"['’]s\b", re.IGNORECASE)
_VERSION: Final = re.compile(r"[vV](?=\d+\.\d)")
_ACCENTS: Final = re.compile(r"[\u0300-\u036f]")


def is_known_stemmer(stemmer: str | None) -> bool:
    """Whether there is an analysis for a language, an ISO 639-1 code, or for none."""
    return stemmer == UNSTEMMED or stemmer in STEMMERS


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of text that a reader takes for one thing.

    `terms` are its words in order, stemmed; `forms` the same as written, without case and accents; `whole` the form of all of
    it where that is none of its words alone, else None.
    """

    terms: tuple[str, ...]
    forms: tuple[str, ...]
    compound_form: str | None
    start: int
    end: int
    unspaced: bool = False  # of a script without spaces: its terms are pairs of characters, the last one alone


@dataclass(frozen=True, slots=True)
class AnalyzedText:
    """A text's stems, one a position, and everything in it that can be asked for as it is written."""

    terms: list[str]
    forms: set[str]


class Analyzer:
    """Takes texts of one language apart. `language` is a key of LANGUAGES, or UNSTEMMED."""

    def __init__(self, stemmer: str) -> None:
        self.stemmer = stemmer
        stem = _load_stemmer(stemmer)
        self._stem = lru_cache(maxsize=100_000)(lambda form: fold(stem(form)))
        self._analyze_cached = lru_cache(maxsize=50_000)(self._analyze_token_text)

    def tokenize(self, text: str) -> Iterator[Token]:
        """The tokens of a text, in order; positions are those of the text in NFC."""
        text = _blank_possessives(text)
        for match in _TOKEN.finditer(text):
            if match["pairs"]:
                pairs = tuple(_make_pairs(unicodedata.normalize("NFKC", match["pairs"])))
                yield Token(pairs, pairs, None, match.start(), match.end(), unspaced=True)
            else:
                terms, forms, whole = self._split_word(match["word"], match["tail"] or "")
                yield Token(terms, forms, whole, match.start(), match.end())

    def analyze(self, text: str) -> AnalyzedText:
        """All that is indexed of a text: what its `tokens` say."""
        analyzed = [self.analyze_token(token_text) for token_text in self.split(text)]
        return AnalyzedText([term for terms, _ in analyzed for term in terms], {form for _, forms in analyzed for form in forms})

    def split(self, text: str) -> list[str]:
        """What each token of a text is made of, in order: `analyze` is what `analyze_token` says of them."""
        return _find_token_texts(_blank_possessives(unicodedata.normalize("NFC", text))) if text else []

    def analyze_token(self, token_text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Terms and forms of one of the stretches of `split`, which are the same wherever it stands."""
        return (
            self._analyze_cached(token_text) if len(token_text) <= COMPOUND_LENGTH_MAX else self._analyze_token_text(token_text)
        )

    def _analyze_token_text(self, token_text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Terms and forms of a stretch that is one token wherever it stands."""
        if not token_text.isascii():
            (token,) = self.tokenize(token_text)
            return token.terms, token.forms if token.compound_form is None else (*token.forms, token.compound_form)
        if token_text.isalpha() and not _IS_CAMEL.search(token_text):  # a plain word: it need not be taken apart
            form = token_text.lower()
            return (self._stem(form),), (form,)
        word = token_text.rstrip("+#")  # a token ends in no other signs
        terms, forms, whole = self._split_word(word, token_text[len(word) :])
        return terms, forms if whole is None else (*forms, whole)

    def _split_word(self, word: str, tail: str) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
        """Terms, forms and the form of the whole of a word and the signs at its end."""
        word = _VERSION.sub("", word)
        if word.isascii():
            plain = forms = [piece.lower() for part in _PLAIN_PART.findall(word) for piece in _split_camel_case(part)]
        else:
            parts = [piece for part in _PART.findall(word) for piece in _split_camel_case(part)]
            plain = [unicodedata.normalize("NFKC", part).casefold() for part in parts]
            forms = [fold(part) for part in plain]
        joined = fold(word) + tail
        compound = (len(plain) > 1 or tail) and len(plain) <= COMPOUND_PARTS_MAX and len(joined) <= COMPOUND_LENGTH_MAX
        terms = [self._stem(part) for part in plain]
        if compound and len(plain) > 1 and not _SIGNS.search(word):  # getUserName is asked for as getusername too
            terms.append(self._stem(joined))
        return tuple(terms), tuple(forms), joined if compound else None


def fold(text: str) -> str:
    """Without case and without the accents of Latin, Greek and Cyrillic letters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart))


@cache
def get_analyzer(stemmer: str) -> Analyzer:
    """One for each language, with what it has learned."""
    return Analyzer(stemmer)


def _blank_possessives(text: str) -> str:
    return _POSSESSIVE.sub(lambda match: " " * len(match[0]), text) if "'" in text or "’" in text else text


def _find_token_texts(text: str) -> list[str]:
    """What each token of a text is made of."""
    if text.isascii():
        return _PLAIN_TOKEN.findall(text)
    return ["".join(groups) for groups in _TOKEN.findall(text)]  # of its groups, which follow each other


def _split_camel_case(part: str) -> list[str]:
    return _CAMEL.findall(part) if part.isascii() and _IS_CAMEL.search(part) else [part]


def _make_pairs(run: str) -> Iterator[str]:
    """Each character with the next, and the last alone: so one character is the beginning of some term wherever it stands."""
    for at in range(len(run)):
        yield run[at : at + 2]


def _load_stemmer(stemmer: str) -> Any:
    if stemmer == UNSTEMMED:
        return lambda form: form
    import Stemmer

    snowball, lock = Stemmer.Stemmer(STEMMERS[stemmer], 0), Lock()

    def stem(form: str) -> str:
        with lock:  # a stemmer works for one thread at a time
            return str(snowball.stemWord(form))

    return stem
