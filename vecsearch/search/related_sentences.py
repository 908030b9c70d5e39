"""Which sentence of a hit that shares no word with the query is nearest to it: a guess that loads no model.

The query's vector is known, those of sentences are not: to encode the sentences of ten hits takes as long as `explain` does,
twenty times as long as all else that a snippet costs. So a sentence weighs by how it is spelled, the Dice coefficient of its
trigrams and those of the query's terms ("migrating" is like "migration"), and by the words that it has in common with other
hits: what an answer is about stands in several of them (as in relevance models, Lavrenko and Croft, SIGIR 2001).

Mean cosine to the query of the sentence chosen, in hits that share no word with it: SciFact 0.35, XQuAD English 0.24, German
0.36; of the first sentence 0.31, 0.22, 0.34, of the nearest 0.41, 0.29, 0.41. Either of the two alone chooses worse.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from vecsearch.text.analyzer import Analyzer


class AnswerWords:
    """The words of an answer, and in how many of its hits each stands. `tokens` are those of each sentence of each hit."""

    def __init__(self, tokens: Sequence[Sequence[set[str]]], analyzer: Analyzer, functions: frozenset[str]) -> None:
        distinct = set().union(*chain.from_iterable(tokens))
        analyses = zip(distinct, analyzer.analyze_tokens(distinct), strict=True)
        self._stems = {token: set(terms) - functions for token, (terms, _) in analyses}
        hits = (set().union(*map(self._stems.__getitem__, set().union(*of_hit))) for of_hit in tokens)
        self._weights = {stem: math.log(count) for stem, count in Counter(chain.from_iterable(hits)).items() if count > 1}

    def weigh(self, tokens: set[str]) -> float:
        """Return how much of what the hits have in common a sentence of these tokens says, for its length."""
        stems: set[str] = set().union(*map(self._stems.__getitem__, tokens))
        return sum(self._weights[stem] for stem in self._weights.keys() & stems) / math.sqrt(1 + len(stems))


def weigh_sentences(
    sentences: Sequence[str], tokens: Sequence[set[str]], terms: Iterable[str], words: AnswerWords
) -> list[float]:
    """Return what each sentence of a hit weighs, in [0, 2]; for a query without terms the words of the answer alone tell."""
    asked = set().union(*map(_list_trigrams, terms))
    spelled = [_compare(sentence, asked) for sentence in sentences]
    shared = list(map(words.weigh, tokens))
    return [one + other for one, other in zip(_scale(spelled), _scale(shared), strict=True)]


def _list_trigrams(word: str) -> set[str]:
    padded = f" {word} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def _compare(sentence: str, trigrams: set[str]) -> float:
    """Return the Dice coefficient, with the sentence's length for the count of its trigrams: to list them takes far longer."""
    padded = f" {sentence.casefold()} "
    return 2 * sum(map(padded.__contains__, trigrams)) / (len(padded) + len(trigrams))


def _scale(values: Sequence[float]) -> list[float]:
    highest = max(values, default=0.0) or 1.0
    return [value / highest for value in values]
