"""A long text in portions that end where a paragraph, a line or at least a word does: the same for the same text.

Each holds a word, since white space between two belongs to the one before. What follows from a portion alone can then be made,
stored and found before the rest of the text is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

_NOT_BLANK: Final = re.compile(r"\S")
_GRAPHEME_MAX: Final = 100  # characters looked back over for the beginning of one that readers see as a whole
_JOINER: Final = "\u200d"
_REGIONAL: Final = range(0x1F1E6, 0x1F200)  # two of them are a flag
_EMOJI_MODIFIERS: Final = range(0x1F3FB, 0x1F400)
_JAMO_TAILS: Final = range(0x1160, 0x1200)


def split_portions(blocks: Iterable[str], size: int) -> Iterator[str]:
    """Yield the text in portions of about `size` characters and seldom more; nothing for a text without a word.

    Holds two of them, or as much white space as there is between two words.
    """
    held = ""
    waiting, start = "", 0
    for block in blocks:
        waiting, start = waiting[start:] + block, 0
        while end := _find_end(waiting, start, size):
            if held:
                yield held
            held, start = waiting[start:end], end
    rest = waiting[start:]
    if rest.isspace():
        held, rest = held + rest, ""
    yield from (portion for portion in (held, rest) if not portion.isspace() and portion)


def _find_end(text: str, start: int, size: int) -> int:
    """Return where the portion that begins at `start` ends; 0 as long as that hangs on what is still to come."""
    first = _NOT_BLANK.search(text, start)
    if first is None or len(text) - first.start() <= size:
        return 0
    cut = _choose_cut(text, first.start(), size)
    following = _NOT_BLANK.search(text, cut)
    if following is None:
        return 0
    return text.rfind("\n", cut, following.start()) + 1 or cut


def _choose_cut(text: str, first: int, size: int) -> int:
    """Return the best place to cut in the second half of the `size` characters from `first` on; there is text behind it."""
    least, most = first + size // 2, first + size
    ends = (text.rfind(mark, least, most) + len(mark) for mark in ("\n\n", "\n"))
    for end in ends:
        if end > least:
            return end
    word_end = text.rfind(" ", least, most) + 1
    return _move_to_grapheme(text, least, word_end if word_end > least else most)


def _move_to_grapheme(text: str, least: int, cut: int) -> int:
    """Return the place, or one shortly before it, that splits nothing that readers see as one character."""
    for place in range(cut, max(least, cut - _GRAPHEME_MAX), -1):
        if not _is_joined(text[place - 1], text[place]):
            return place
    return cut


def _is_joined(one: str, other: str) -> bool:
    """Return whether two neighbours may be parts of one grapheme; sometimes True where they are not."""
    point = ord(other)
    return (
        unicodedata.category(other).startswith("M")
        or _JOINER in (one, other)
        or point in _EMOJI_MODIFIERS
        or point in _JAMO_TAILS
        or (point in _REGIONAL and ord(one) in _REGIONAL)
        or (one == "\r" and other == "\n")
    )
