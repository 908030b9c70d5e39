"""Which words of a question stand side by side in a passage too: "side effects" is more than a side and some effects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.core.sorted_ids import find_positions
from vecsearch.text.characters import UNDERSCORE, Characters
from vecsearch.text.document_frequencies import Counts, DocumentFrequencies, Keys, Numbers

_BEGINNING: Final = 6  # characters that stand for a word: a stemmer for every language that writes its endings last
_BETWEEN_MAX: Final = 4  # function words between two neighbours
_LETTER_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, of no pattern: makes a number of some characters …
_FIRST_FACTOR: Final = np.uint64(0xC2B2AE3D27D4EB4F)  # … and of two words


@dataclass(frozen=True, slots=True)
class WordPairStatistics:
    """How many of some texts have each pair of neighbouring words.

    A word is a run of letters, marks and digits, known by its first six characters in lower case. Up to four function words are
    passed over, so that "effects of aspirin" has the words of "aspirin effects" side by side; which of two comes first is the
    same. That is the unordered window of two of Metzler and Croft ("A Markov Random Field Model for Term Dependencies", SIGIR
    2005).
    """

    pairs: DocumentFrequencies
    function_words: Keys  # ascending

    @classmethod
    def from_texts(cls, texts: Characters, function_words: Iterable[str]) -> WordPairStatistics:
        """As these texts have them."""
        passed_over = np.unique(_read_words(Characters.from_texts(list(function_words)))[0])
        pairs, owners = _list_pairs(texts, passed_over)
        return cls(DocumentFrequencies.from_occurrences(pairs, owners, texts.text_count), passed_over)

    def score(self, query: Characters, texts: Characters) -> Numbers:
        """Return for each text which share of the query's pairs it has, in [0, 1], each weighing its idf (Lucene's)."""
        asked = np.unique(_list_pairs(query, self.function_words)[0])
        if not len(asked):
            return np.zeros(texts.text_count)
        idf = self.pairs.compute_idf(asked)
        pairs, owners = _list_pairs(texts, self.function_words, among=np.unique(_read_words(query)[0]))
        places, hit = find_positions(asked, pairs)
        found = np.zeros((texts.text_count, len(asked)), bool)
        found[owners[hit], places[hit]] = True
        return np.asarray((found * idf).sum(axis=1) / idf.sum(), np.float64)


def _list_pairs(texts: Characters, function_words: Keys, *, among: Keys | None = None) -> tuple[Keys, Counts]:
    """Every two neighbours as a number, the same whichever comes first, and their text; `among` is all that a word may be."""
    words, owners = _read_words(texts)
    at = np.arange(len(words)) if among is None else np.flatnonzero(find_positions(among, words)[1])
    at = at[~find_positions(function_words, words[at])[1]]
    first, second = at[:-1], at[1:]
    together = (owners[first] == owners[second]) & (words[first] != words[second]) & (second - first <= _BETWEEN_MAX + 1)
    first, second = first[together], second[together]
    for step in range(1, _BETWEEN_MAX + 1):
        between = np.minimum(first + step, second)
        stays = (between == second) | find_positions(function_words, words[between])[1]
        first, second = first[stays], second[stays]
    lesser, greater = np.minimum(words[first], words[second]), np.maximum(words[first], words[second])
    return lesser * _FIRST_FACTOR ^ greater, owners[first]


def _read_words(texts: Characters) -> tuple[Keys, Counts]:
    """Every word as a number made of its beginning, in order, and which text it stands in."""
    in_word = texts.in_word & (texts.points != UNDERSCORE)
    edges = np.flatnonzero(in_word[1:] != in_word[:-1])  # a text begins and ends with a blank
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    points = (texts.points * in_word).astype(np.uint64)  # 0 where a word has ended
    words = np.zeros(len(starts), np.uint64)
    for place in range(_BEGINNING):
        words = words * _LETTER_FACTOR + points[np.minimum(starts + place, ends)]
    return words, texts.owners[starts]
