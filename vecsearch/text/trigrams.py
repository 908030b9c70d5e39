"""How alike question and passage are spelled: what stems and an encoder's dictionary miss, in any language."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Grams: TypeAlias = NDArray[np.uint64]
Counts: TypeAlias = NDArray[np.int64]
Ids: TypeAlias = NDArray[np.int64]

_K1: Final = 1.2
_B: Final = 0.75
_BLANK: Final = ord(" ")
_POINT_BITS: Final = 21  # of a code point


@dataclass(frozen=True, slots=True)
class TrigramStatistics:
    """How many of some texts have each trigram, and how many trigrams a text has in the mean.

    A trigram is a letter or digit, in lower case, with what stands before and after it in its word, a blank at the word's ends
    (McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text Retrieval", Information Retrieval 7, 2004).
    """

    text_count: int
    grams: Grams  # ascending
    document_frequencies: Counts
    mean_length: float

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> TrigramStatistics:
        """As these texts, one at least, have them."""
        grams, owners = _extract_trigrams(texts)
        by_text = np.split(grams, np.searchsorted(owners, np.arange(1, len(texts))))
        known, counts = np.unique(np.concatenate([np.unique(each) for each in by_text]), return_counts=True)
        return cls(len(texts), known, counts, max(len(grams) / len(texts), 1.0))

    def score(self, query: str, texts: Sequence[str]) -> Numbers:
        """BM25 of the question's trigrams in each text (k1 = 1.2, b = 0.75, Lucene's idf), as a share of what none can reach."""
        asked = np.unique(_extract_trigrams([query])[0])
        if not len(asked) or not texts:
            return np.zeros(len(texts))
        having = np.zeros(len(asked))
        _, ours, theirs = np.intersect1d(asked, self.grams, assume_unique=True, return_indices=True)
        having[ours] = self.document_frequencies[theirs]
        idf = np.log1p((self.text_count - having + 0.5) / (having + 0.5))
        counts, lengths = _count_trigrams(asked, texts)
        told = counts * (_K1 + 1) / (counts + _K1 * (1 - _B + _B * lengths[:, np.newaxis] / self.mean_length))
        sums = (told * idf).sum(axis=1)  # not a product of matrices, where a row's last bits depend on the others
        return np.asarray(sums / ((_K1 + 1) * idf.sum()), np.float64)


class TrigramCache:
    """The trigrams of a collection's sample: learned when they are asked for, again when the sample changes.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._version: Hashable = None
        self._sample = b""
        self._statistics: TrigramStatistics | None = None
        self._lock = Lock()

    def get(self, version: Hashable, sample: Callable[[], Ids], read: Callable[[Ids], Sequence[str]]) -> TrigramStatistics:
        """Return the statistics of the texts that `read` returns for the chunks in `sample`, one at least.

        While the version is the same, not even the sample is asked for.
        """
        with self._lock:
            if self._statistics is None or self._version != version:
                chunks = sample()
                if self._statistics is None or self._sample != chunks.tobytes():
                    self._statistics, self._sample = TrigramStatistics.from_texts(read(chunks)), chunks.tobytes()
                self._version = version
            return self._statistics


def _count_trigrams(query_trigrams: Grams, texts: Sequence[str]) -> tuple[Counts, Counts]:
    """How often each text has each of these trigrams, a row a text, and how many it has in all."""
    grams, owners = _extract_trigrams(texts)
    places = np.searchsorted(query_trigrams, grams).clip(max=len(query_trigrams) - 1)
    hit = query_trigrams[places] == grams
    cells = np.bincount(owners[hit] * len(query_trigrams) + places[hit], minlength=len(texts) * len(query_trigrams))
    return cells.reshape(len(texts), len(query_trigrams)), np.bincount(owners, minlength=len(texts))


def _extract_trigrams(texts: Sequence[str]) -> tuple[Grams, Counts]:
    """Every trigram as a number, in order, and which text it stands in."""
    lowered = [f" {text.lower()} " for text in texts]
    points = np.frombuffer("".join(lowered).encode("utf-32-le", "surrogatepass"), np.uint32)
    in_word = _find_word_characters(points)
    points = np.where(in_word, points, _BLANK).astype(np.uint64)
    middle = np.flatnonzero(in_word)
    grams = points[middle - 1] << np.uint64(2 * _POINT_BITS) | points[middle] << np.uint64(_POINT_BITS) | points[middle + 1]
    return grams, np.repeat(np.arange(len(texts)), [len(each) for each in lowered])[middle]


def _find_word_characters(points: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether each code point is a letter, a mark on one, a digit or "_"."""
    known = np.flatnonzero(np.bincount(points))
    table = np.zeros(int(known[-1]) + 1, bool)
    table[known] = [unicodedata.category(chr(point))[0] in "LMN" or point == ord("_") for point in known.tolist()]
    return table[points]
