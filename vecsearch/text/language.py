"""Which language a text is written in, so that its words are reduced to their stems by the right rules."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Final

LETTERS_MIN: Final = 100  # letters; less says too little
_SAMPLE_CHARACTERS_MAX: Final = 20_000
_PLAIN_CHARACTERS: Final = 1_000  # of a document, whose language they tell
_PLAIN_LETTERS_MIN: Final = 40  # without spaces between words a sentence has few
_PLAIN_LETTER_SHARE: Final = 0.85  # of what is not white space: less is code, a table, a list of numbers
_ENGLISH_SHARE: Final = 0.12  # of the words, which are these in any English text
_ENGLISH_WORDS: Final = frozenset(
    "a an and are as at be been but by can do for from had has have he her his how i if in into is it its may no not of on "
    "or our she so that the their them then there these they this to was we were what when which who will with would you".split()
)
_WORD: Final = re.compile(r"[^\W\d_]+")


def detect_language(texts: Iterable[str]) -> str | None:
    """The ISO 639-1 code of the language that most of some texts is in; None where there is too little to tell."""
    sample = "\n".join(text[:2_000] for text in islice(texts, 256))[:_SAMPLE_CHARACTERS_MAX]
    if sum(map(str.isalpha, sample)) < LETTERS_MIN:
        return None
    import py3langid

    code: str = py3langid.classify(sample)[0]
    return code


def detect_plain_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that a text is plainly written in; None for code, tables and what is too short.

    English is told by its commonest words, which costs little and loads no model.
    """
    sample = text[:_PLAIN_CHARACTERS]
    letters, visible = sum(map(str.isalpha, sample)), sum(not character.isspace() for character in sample)
    if letters < (LETTERS_MIN if sample.isascii() else _PLAIN_LETTERS_MIN) or letters < _PLAIN_LETTER_SHARE * visible:
        return None
    words = _WORD.findall(sample.lower())
    if sum(word in _ENGLISH_WORDS for word in words) >= _ENGLISH_SHARE * len(words):
        return "en"
    import py3langid

    code: str = py3langid.classify(sample)[0]
    return None if code == "zxx" else code  # no language at all


def free_model() -> None:
    """Give back the memory, some 75 MB, of what tells languages apart; it is loaded again, in half a second, when needed."""
    if (module := sys.modules.get("py3langid.langid")) is not None:
        vars(module)["IDENTIFIER"] = None
