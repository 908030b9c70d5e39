"""How many of some texts have each of the keys (words, trigrams …) that stand in them: what says how rare a key is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.sorted_ids import find_positions

Numbers: TypeAlias = NDArray[np.float64]
Keys: TypeAlias = NDArray[np.uint64]
Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """`counts`: how many of the texts have each of the keys."""

    text_count: int
    keys: Keys  # ascending
    counts: Counts

    @classmethod
    def from_occurrences(cls, keys: Keys, owners: Counts, text_count: int) -> DocumentFrequencies:
        """Count keys as they stand in texts, one after the other; `owners`: the text of each, ascending."""
        by_text = np.split(keys, np.searchsorted(owners, np.arange(1, text_count)))
        known, counts = np.unique(np.concatenate([np.unique(each) for each in by_text]), return_counts=True)
        return cls(text_count, known, counts)

    def compute_idf(self, keys: Keys) -> Numbers:
        """Return ln(1 + (N - n + 0.5) / (n + 0.5)), Lucene's, of each key, in the order given: n of the N texts have it."""
        having = np.zeros(len(keys))
        places, known = find_positions(self.keys, keys)
        having[known] = self.counts[places[known]]
        return np.log1p((self.text_count - having + 0.5) / (having + 0.5))
