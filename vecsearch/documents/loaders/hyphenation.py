"""Words that a line end parts, joined again."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_MARKED_WORDS: Final = re.compile(
    "([^\\W\\d_]+)[\ufffe\x02]([^\\W\\d_]+)"
)  # what PDFium marks: a hyphen at the end of a line, in a word
_MARK: Final = re.compile("[\ufffe\x02]")
_WORD: Final = re.compile("[^\\W\\d_]+(?:-[^\\W\\d_]+)?")
_BROKEN_WORD: Final = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_])")


def count_words(text: str) -> Counter[str]:
    """Count the words of a text in small letters, those with a hyphen as one."""
    return Counter(_WORD.findall(text.lower()))


def mark_broken_words(text: str) -> str:
    """Return a text in which a hyphen at the end of a line, in a word, is marked as PDFium does it."""
    return _BROKEN_WORD.sub("\x02", text)


def join_hyphenated(text: str, known_words: Counter[str]) -> str:
    """Join marked words: with the hyphen where the word stands so elsewhere, or goes on with a capital."""

    def join_word(parts: re.Match[str]) -> str:
        one, two = parts[1] + parts[2], f"{parts[1]}-{parts[2]}"
        keep = known_words[two.lower()] > known_words[one.lower()] or parts[2][0].isupper()
        return two if keep else one

    return _MARK.sub("-", _MARKED_WORDS.sub(join_word, text))
