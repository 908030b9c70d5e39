"""Text → terms: what the index of words holds and what a query looks up, both made here so that they cannot differ.

A word is a run of letters, marks and digits, without case and accents, reduced to its stem. Words that a sign joins (`1.0.21`,
`std::vector`, `foo_bar`, `state-of-the-art`) or capitals do (`getUserName`) are indexed one by one, in order, and looked up so
and as a phrase; `C++` and `C#` are forms of their own. Scripts that are written without spaces are indexed by pairs of
characters. Stemmers: Snowball (Porter, "Snowball: A language for stemming algorithms", 2001).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from threading import local
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import regex

from vecsearch.core.settings import COMPOUND_LENGTH_MAX, COMPOUND_PARTS_MAX
from vecsearch.text.normalization import align, fold, normalize

UNSTEMMED: Final = "none"
STEMMER_DEFAULT: Final = "en"
STEMMERS: Final = {  # ISO 639-1 → the name of its stemmer
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

# written without spaces; Korean has some, but its words end in particles that nobody asks for
_UNSPACED: Final = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Yi}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}\p{New_Tai_Lue}"
    r"\p{Tai_Tham}\p{Javanese}\p{Balinese}ー"
)
_RUN: Final = rf"(?:[[{_UNSPACED}]--\p{{P}}]\p{{M}}*)+"
_FIRST: Final = rf"[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]"
_LETTER: Final = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]"
_WORD: Final = rf"{_FIRST}{_LETTER}*"
_SIGN: Final = r"[._/@:&+#~\-]{1,2}"
_TOKEN: Final = regex.compile(rf"(?P<run>{_RUN})|(?P<word>{_WORD}(?:{_SIGN}{_WORD})*)(?P<tail>\+\+|\+|#)?(?!{_LETTER})", regex.V1)
_PLAIN_TOKEN: Final = re.compile(  # the same where every character is ASCII, which is most of what there is: five times as quick
    r"[A-Za-z0-9]++(?:[._/@:&+#~\-]{1,2}[A-Za-z0-9]++)*+(?:\+\+|\+|#)?+"
)
_SIMPLE_TOKEN: Final = re.compile(  # and where no character is a mark or of a script without spaces
    r"[^\W_]++(?:[._/@:&+#~\-]{1,2}[^\W_]++)*+(?:\+\+|\+|#)?+"
)
_NOT_SIMPLE: Final = (
    "[\u02ea\u02eb\u0300-\u036f\u0483-\u0489\u0530-\u1cff\u1dc0-\u1dff\u208f\u209d-\u209f\u20d0-\u20ff\u2c00-\U0010ffff]"
)
_SIGNS: Final = re.compile(r"[^\w]|_")
_PART: Final = regex.compile(_WORD, regex.V1)
_SIMPLE_PART: Final = re.compile(r"[^\W_]+")  # the same where no character is a mark
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+|[0-9]+")
_IS_CAMEL: Final = re.compile(r"[a-z]{2}[A-Z][a-z]")
_POSSESSIVE: Final = re.compile(r"'s\b", re.IGNORECASE)
_VERSION: Final = re.compile(r"(?<![^\W_])[vV](\d+)(?=\.\d)")
_HAS_CAPITALS_OR_VERSION: Final = re.compile(rf"{_IS_CAMEL.pattern}|{_VERSION.pattern}")
_HANGUL: Final = regex.compile(r"\p{Hangul}")
_UNSPACED_FIRST: Final = regex.compile(_RUN, regex.V1)
_MEMORY_SIZE: Final = 60_000  # texts
_PARTS_KEPT: Final = 10_000  # of questions, taken apart
_COMPUTED_TOGETHER: Final = 10_000
_STEM_MARK: Final = ">"  # between a form and its stem, where the form alone does not tell it
_Value = TypeVar("_Value")


def is_known_stemmer(stemmer: str | None) -> bool:
    """Whether there is an analysis for a language, an ISO 639-1 code, or for none."""
    return stemmer == UNSTEMMED or stemmer in STEMMERS


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of text that a reader takes for one thing.

    `terms` are its words in order, stemmed; `forms` the same as written, without case and accents; `compound_form` the form of
    all of it where that is none of its words alone, else None. `other_forms` are indexed beside these.
    """

    terms: tuple[str, ...]
    forms: tuple[str, ...]
    compound_form: str | None
    start: int
    end: int
    unspaced: bool = False  # of a script without spaces: its terms are pairs of characters, the last one alone; it has no forms
    other_forms: tuple[str, ...] = ()

    def list_forms(self) -> tuple[str, ...]:
        """Return all forms that are indexed for it."""
        return (*self.forms, *(() if self.compound_form is None else (self.compound_form,)), *self.other_forms)


class AnalyzedText(NamedTuple):
    """A text's stems, one a position, and everything in it that can be asked for as it is written."""

    terms: list[str]
    forms: set[str]


Texts: TypeAlias = tuple[str, ...]
TokenAnalysis: TypeAlias = tuple[Texts, Texts]  # the terms of a token and its indexed forms


class Analyzer:
    """Takes texts of one language apart. `language` is a key of LANGUAGES, or UNSTEMMED."""

    def __init__(self, stemmer: str) -> None:
        self.stemmer = stemmer
        self._fold_case = _fold_turkish_case if stemmer == "tr" else str.casefold
        self._stems = _Memory(_load_stemmer(stemmer))
        self._tokens = _Memory(self._analyze_token_texts)
        self._take_short_token_apart = lru_cache(maxsize=_PARTS_KEPT)(self._take_token_apart)

    def tokenize(self, text: str) -> Iterator[Token]:
        """The tokens of a text, in order; positions are those of the text given."""
        for match, start, end in _find_tokens(text):
            is_short = match.end() - match.start() <= COMPOUND_LENGTH_MAX  # of long ones thousands would fill the memory
            take_apart = self._take_short_token_apart if is_short else self._take_token_apart
            parts = take_apart(match["run"], match["word"], match["tail"] or "")
            yield Token(*parts[:3], start, end, match["run"] is not None, parts[3])

    def analyze(self, text: str) -> AnalyzedText:
        """All that is indexed of a text: what its `tokens` say."""
        analyses = list(map(self._tokens.__getitem__, self.split(text)))
        terms, forms = (chain.from_iterable(map(itemgetter(part), analyses)) for part in (0, 1))
        return AnalyzedText(list(terms), set(forms))

    def split(self, text: str) -> list[str]:
        """What each token of a text is made of, in order: `analyze` is what `analyze_tokens` says of them."""
        return _find_token_texts(text)

    def locate(self, text: str) -> Iterator[tuple[str, int, int]]:
        """What each token of a text is made of, as `split` says it, and where in the text it stands."""
        if text.isascii():
            return ((match[0], *match.span()) for match in _PLAIN_TOKEN.finditer(_blank_possessives(text)))
        return ((match[0], start, end) for match, start, end in _find_tokens(text))

    def analyze_tokens(self, token_texts: Iterable[str]) -> list[TokenAnalysis]:
        """Terms and forms of some of the stretches of `split`, which are the same wherever they stand."""
        return self._tokens.load(token_texts)

    def find_stem(self, form: str) -> str:
        """Return the stem that stands where a form of a text does."""
        return form.partition(_STEM_MARK)[2] or self._stems[form]

    def _analyze_token_texts(self, token_texts: Sequence[str]) -> list[TokenAnalysis]:
        if len(token_texts) > 1:  # the stems of most of them, together
            self._stems.load(set(_SIMPLE_PART.findall(self._fold_case("\n".join(token_texts)))))
        return list(map(self._analyze_token_text, token_texts))

    def _analyze_token_text(self, token_text: str) -> TokenAnalysis:
        """Terms and forms of a stretch that is one token wherever it stands."""
        if token_text.isascii() and self._fold_case is str.casefold and not _HAS_CAPITALS_OR_VERSION.search(token_text):
            return self._analyze_plain(token_text.lower())
        run, word, tail = _TOKEN.fullmatch(token_text).group("run", "word", "tail")
        terms, forms, compound_form, other_forms = self._take_token_apart(run, word, tail or "")
        return terms, (*forms, *other_forms) if compound_form is None else (*forms, compound_form, *other_forms)

    def _analyze_plain(self, form: str) -> TokenAnalysis:
        """Terms and forms of a word, or of words that signs join, which needs no further look."""
        if form.isalpha():
            stem, forms = self._stems[form], (form,)
            return (forms if stem == form else (stem,)), forms
        parts = _SIMPLE_PART.findall(form)
        terms = tuple(map(self._stems.__getitem__, parts))
        if parts[0] != form and len(parts) <= COMPOUND_PARTS_MAX and len(form) <= COMPOUND_LENGTH_MAX:
            parts.append(form)
        return terms, tuple(parts)

    def _take_token_apart(self, run: str | None, word: str, tail: str) -> tuple[Texts, Texts, str | None, Texts]:
        """Terms, forms, the compound form and other forms of what a token is made of: a run, or a word and signs at its end."""
        if run is None:
            return self._take_word_apart(word, tail)
        has_words = len(run) <= COMPOUND_LENGTH_MAX and _HANGUL.search(run)
        return tuple(_make_pairs(run)), (), fold(run) if has_words else None, ()

    def _take_word_apart(self, written: str, tail: str) -> tuple[Texts, Texts, str | None, Texts]:
        word = _VERSION.sub(r"\1", written) if "v" in written or "V" in written else written
        is_camel = _IS_CAMEL.search(word) is not None
        pieces = _split_word(word, is_camel)
        plain = list(map(self._fold_case, pieces))
        forms = list(map(fold, plain))
        terms = list(map(self._stems.__getitem__, plain))
        others = []
        if forms != plain:
            others = [f"{form}{_STEM_MARK}{term}" for form, term in zip(forms, terms, strict=True) if self._stems[form] != term]
        if len(plain) == 1 and not tail:
            return tuple(terms), tuple(forms), None, tuple(others)
        joined = fold(word) + tail
        if len(plain) > COMPOUND_PARTS_MAX or len(joined) > COMPOUND_LENGTH_MAX:
            return tuple(terms), tuple(forms), None, tuple(others)
        if is_camel and len(plain) > 1 and not _SIGNS.search(word):  # getUserName is asked for as getusername too
            terms.append(self._stems[joined])
        if word != written:  # v1* and v1.* find v1.0, as 1* does
            others += [f"v{number}{_STEM_MARK}{number}" for number in _VERSION.findall(written)] + [fold(written) + tail]
        return tuple(terms), tuple(forms), joined, tuple(others)


class _Memory(dict[str, _Value]):
    """What a function returns for texts, kept for those that are short; it forgets all when it is full.

    Safe to share between threads.
    """

    def __init__(self, compute: Callable[[Sequence[str]], Sequence[_Value]]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, text: str) -> _Value:
        (value,) = self._compute((text,))
        self._keep({text: value})
        return value

    def load(self, texts: Iterable[str]) -> list[_Value]:
        """Return what there is for each text; what is not known is computed together, some thousands at a time."""
        listed = list(texts)
        known = list(map(self.get, listed))
        missing = list(dict.fromkeys(text for text, value in zip(listed, known, strict=True) if value is None))
        computed: dict[str, _Value] = {}
        for start in range(0, len(missing), _COMPUTED_TOGETHER):
            part = missing[start : start + _COMPUTED_TOGETHER]
            values = dict(zip(part, self._compute(part), strict=True))
            self._keep(values)
            computed |= values
        return [computed[text] if value is None else value for text, value in zip(listed, known, strict=True)]

    def _keep(self, values: Mapping[str, _Value]) -> None:
        if len(self) + len(values) > _MEMORY_SIZE:
            self.clear()
        self.update({text: value for text, value in values.items() if len(text) <= COMPOUND_LENGTH_MAX})


@cache
def get_analyzer(stemmer: str) -> Analyzer:
    """One for each language, with what it has learned."""
    return Analyzer(stemmer)


def is_unspaced(text: str) -> bool:
    """Whether a text begins with a script that is written without spaces."""
    return _UNSPACED_FIRST.match(text) is not None


def _blank_possessives(text: str) -> str:
    return _POSSESSIVE.sub("  ", text) if "'" in text else text


def _find_tokens(text: str) -> Iterator[tuple[Any, int, int]]:
    """Each token, as _TOKEN matches it in the normalized text, and where it stands in the text given."""
    normalized, places = align(text)
    for match in _TOKEN.finditer(_blank_possessives(normalized)):
        end = match.end()
        while end < len(normalized) and places[end] == places[end - 1]:  # inside of what one character stands for
            end += 1
        yield match, places[match.start()], places[end]


def _find_token_texts(text: str) -> list[str]:
    """What each token of a text is made of."""
    text = _blank_possessives(normalize(text))
    if text.isascii():
        return _PLAIN_TOKEN.findall(text)
    if not _find_not_simple()(text):
        return _SIMPLE_TOKEN.findall(text)
    return ["".join(groups) for groups in _TOKEN.findall(text)]  # of its groups, which follow each other


@cache
def _find_not_simple() -> Callable[[str], object]:
    """Compiled when a text needs it, as that takes longer than all the other patterns together."""
    return re.compile(_NOT_SIMPLE).search


def _split_word(word: str, is_camel: bool) -> list[str]:
    """The words that signs, and capitals where there are such, join."""
    parts: list[str] = (_SIMPLE_PART if word.isascii() else _PART).findall(word)
    if not is_camel:
        return parts
    return [piece for part in parts for piece in (_CAMEL.findall(part) if part.isascii() and _IS_CAMEL.search(part) else [part])]


def _make_pairs(run: str) -> Iterator[str]:
    """Each character with the next, and the last alone: so one character is the beginning of some term wherever it stands."""
    for at in range(len(run)):
        yield run[at : at + 2]


def _fold_turkish_case(text: str) -> str:
    return text.replace("I", "ı").replace("İ", "i").casefold()


def _load_stemmer(stemmer: str) -> Callable[[Sequence[str]], list[str]]:
    """Return what gives the stems of words, without accents."""
    if stemmer == UNSTEMMED:
        return lambda words: list(map(fold, words))
    import Stemmer

    of_thread = local()  # a stemmer works for one thread at a time; a lock might be held while another thread forks

    def stem(words: Sequence[str]) -> list[str]:
        if not hasattr(of_thread, "stemmer"):
            of_thread.stemmer = Stemmer.Stemmer(STEMMERS[stemmer], 0)
        return [stem if stem.isascii() else fold(stem) for stem in of_thread.stemmer.stemWords(words)]

    return stem
