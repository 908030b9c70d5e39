"""Texts as one array of code points: what trigrams and word pairs are read from, a text's beginning and end being no letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.uint32]
Mask: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = NDArray[np.int64]

UNDERSCORE: Final = ord("_")


@dataclass(frozen=True, slots=True)
class Characters:
    """The characters of `text_count` texts in lower case, one text after another, each between two blanks.

    `points` are their code points; `in_word` says which are a letter, a mark on one, a digit or "_"; `owners`, ascending, from
    which text each comes.
    """

    points: Points
    in_word: Mask
    owners: Places
    text_count: int

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Characters:
        """Read all characters of these texts."""
        lowered = [f" {text.lower()} " for text in texts]
        points = np.frombuffer("".join(lowered).encode("utf-32-le", "surrogatepass"), np.uint32)
        owners = np.repeat(np.arange(len(texts)), [len(each) for each in lowered])
        return cls(points, _find_word_characters(points), owners, len(texts))


def _find_word_characters(points: Points) -> Mask:
    if not len(points):
        return np.zeros(0, bool)
    known = np.flatnonzero(np.bincount(points))
    table = np.zeros(int(known[-1]) + 1, bool)
    table[known] = [unicodedata.category(chr(point))[0] in "LMN" or point == UNDERSCORE for point in known.tolist()]
    return table[points]
