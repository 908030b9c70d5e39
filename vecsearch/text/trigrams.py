"""How alike question and passage are spelled: what stems and an encoder's dictionary miss, in any language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.core.sorted_ids import find_positions
from vecsearch.text.characters import Characters
from vecsearch.text.document_frequencies import Counts, DocumentFrequencies, Keys, Numbers

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

    grams: DocumentFrequencies
    mean_length: float

    @classmethod
    def from_texts(cls, texts: Characters) -> TrigramStatistics:
        """As these texts, one at least, have them."""
        grams, owners = _extract_trigrams(texts)
        frequencies = DocumentFrequencies.from_occurrences(grams, owners, texts.text_count)
        return cls(frequencies, max(len(grams) / texts.text_count, 1.0))

    def score(self, query: Characters, texts: Characters) -> Numbers:
        """BM25 of the question's trigrams in each text (k1 = 1.2, b = 0.75, Lucene's idf), as a share of what none can reach."""
        asked = np.unique(_extract_trigrams(query)[0])
        if not len(asked) or not texts.text_count:
            return np.zeros(texts.text_count)
        idf = self.grams.compute_idf(asked)
        counts, lengths = _count_trigrams(asked, texts)
        told = counts * (_K1 + 1) / (counts + _K1 * (1 - _B + _B * lengths[:, np.newaxis] / self.mean_length))
        sums = (told * idf).sum(axis=1)  # not a product of matrices, where a row's last bits depend on the others
        return np.asarray(sums / ((_K1 + 1) * idf.sum()), np.float64)


def _count_trigrams(query_trigrams: Keys, texts: Characters) -> tuple[Counts, Counts]:
    """How often each text has each of these trigrams, a row a text, and how many it has in all."""
    grams, owners = _extract_trigrams(texts)
    places, hit = find_positions(query_trigrams, grams)
    cells = np.bincount(owners[hit] * len(query_trigrams) + places[hit], minlength=texts.text_count * len(query_trigrams))
    return cells.reshape(texts.text_count, len(query_trigrams)), np.bincount(owners, minlength=texts.text_count)


def _extract_trigrams(texts: Characters) -> tuple[Keys, Counts]:
    """Every trigram as a number, in order, and which text it stands in."""
    points = np.where(texts.in_word, texts.points, _BLANK).astype(np.uint64)
    middle = np.flatnonzero(texts.in_word)
    grams = points[middle - 1] << np.uint64(2 * _POINT_BITS) | points[middle] << np.uint64(_POINT_BITS) | points[middle + 1]
    return grams, texts.owners[middle]
