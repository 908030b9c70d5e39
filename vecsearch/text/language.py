"""Which language a text is written in, so that its words are reduced to their stems by the right rules."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from vecsearch.core.forks import make_lock

LETTERS_MIN: Final = 100  # letters; less says too little
_SAMPLE_CHARACTERS_MAX: Final = 20_000
_PLAIN_CHARACTERS: Final = 1_000  # of a document, whose language they tell
_PLAIN_LETTERS_MIN: Final = 40  # without spaces between words a sentence has few
_PLAIN_LETTER_SHARE: Final = 0.85  # of what is not white space: less is code, a table, a list of numbers
_ENGLISH_SHARE: Final = 0.12  # of the words, which are these in any English text …
_ENGLISH_WORDS: Final = frozenset(
    "a an and are as at be been but by can do for from had has have he her him his how i if in into is it its may no not of on "
    "or our she so that the their them then there these they this to was we were what when which who will with would you".split()
)
_ONLY_ENGLISH_SHARE: Final = 0.05  # … and so many these, which no other language has often: Danish has "i", "at", "for" as well
_ONLY_ENGLISH_WORDS: Final = frozenset(
    "and are be been can from has he him his how into it its not she that the their them then there these they this to "
    "were what when which who with would you".split()
)
_ENGLISH_OF_MANY: Final = 1.5  # times as much, of the texts of a collection: some may be in another language
_UNCERTAIN: Final = frozenset(
    ("zxx", "pcm")
)  # no language at all; Nigerian Pidgin, which English of few common words is taken for
_WORD: Final = re.compile(r"[^\W\d_]+")
_model_lock: Final = make_lock()


def detect_language(texts: Iterable[str]) -> str | None:
    """The ISO 639-1 code of the language that most of some texts is in; None where there is too little to tell.

    English is told by its commonest words, which costs little and loads no model.
    """
    sample = "\n".join(text[:2_000] for text in islice(texts, 256))[:_SAMPLE_CHARACTERS_MAX]
    words = _WORD.findall(sample.lower())
    if sum(map(len, words)) < LETTERS_MIN:
        return None
    if _is_english(words, _ENGLISH_OF_MANY):
        return "en"
    return _classify(sample)


def detect_plain_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that a text is plainly written in; None for code, tables and what is too short."""
    sample = text[:_PLAIN_CHARACTERS]
    words = _WORD.findall(sample.lower())
    letters, visible = sum(map(len, words)), sum(map(len, sample.split()))
    if letters < (LETTERS_MIN if sample.isascii() else _PLAIN_LETTERS_MIN) or letters < _PLAIN_LETTER_SHARE * visible:
        return None
    if _is_english(words, 1.0):
        return "en"
    code = _classify(sample)
    return None if code in _UNCERTAIN else code


def _is_english(words: Sequence[str], times: float) -> bool:
    """Return whether words in lower case have so many times the share of English words that tells English."""
    share, only = (sum(map(known.__contains__, words)) / len(words) for known in (_ENGLISH_WORDS, _ONLY_ENGLISH_WORDS))
    return share >= times * _ENGLISH_SHARE and only >= times * _ONLY_ENGLISH_SHARE


def _classify(sample: str) -> str:
    with _model_lock:  # another thread may be about to free the model
        import py3langid

        code: str = py3langid.classify(sample)[0]
    return code


def free_model() -> None:
    """Give back the memory, some 75 MB, of what tells languages apart; it is loaded again, in half a second, when needed."""
    with _model_lock:
        if (module := sys.modules.get("py3langid.langid")) is not None:
            vars(module)["IDENTIFIER"] = None
