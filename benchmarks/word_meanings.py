"""How well `same_sense` tells whether a word has one meaning in two sentences, and what its weights are.

    python -m benchmarks.word_meanings ../shared/data/wordnet ../shared/data/wic/wic.dev.tsv

The weights are a logistic regression on pairs of WordNet's own example sentences with the same word: of one meaning, and of two
of one part of speech. For each of three seeds words are drawn, weights fitted on half of them, and the share of right answers
is printed for pairs of the other half and for the test file (word, part of speech, places, two sentences, 1 or 0); no sentence
of that file is fitted on. Then the same for the weights that are shipped. `--around` leaves definitions out, as where no
WordNet is at hand.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from vecsearch.encoders import registry
from vecsearch.encoders.base import TokenEncoder
from vecsearch.search import sense_choice
from vecsearch.search.sense_choice import Use
from vecsearch.text.sought_word import SoughtWord
from vecsearch.text.wordnet import WordNet

SEEDS = (0, 1, 2)
WORDS = 900  # drawn for a seed
EXAMPLES_MAX = 3  # of a meaning
PAIRS_MAX = 4  # of one meaning, and of two, for a word

Numbers = NDArray[np.float64]
Examples = Mapping[tuple[str, str], Mapping[str, Sequence[str]]]  # (word, part of speech) → meaning → sentences


@dataclass(frozen=True)
class Pair:
    word: str
    first: str
    second: str
    is_same: bool


class Reader:
    """Reads the features of pairs, and no word in a sentence twice."""

    def __init__(self, encoder: TokenEncoder, wordnet: WordNet, *, with_meanings: bool) -> None:
        self._encoder, self._wordnet, self._with_meanings = encoder, wordnet, with_meanings
        self._known: dict[tuple[str, str], tuple[Use, Numbers]] = {}

    def read(self, pairs: Sequence[Pair]) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return (features, answers)."""
        by_word: dict[str, set[str]] = defaultdict(set)
        for pair in pairs:
            by_word[pair.word] |= {text for text in (pair.first, pair.second) if (pair.word, text) not in self._known}
        for word, texts in by_word.items():
            self._read_word(word, sorted(texts))
        rows = [list(self._compute(pair).values()) for pair in pairs]
        return np.array(rows), np.array([pair.is_same for pair in pairs])

    def tell_same(self, pair: Pair) -> bool:
        """Return what `same_sense` says of a pair that was read."""
        (first, scores), (second, other_scores) = (self._known[pair.word, text] for text in (pair.first, pair.second))
        return sense_choice.estimate_same(first, second, scores, other_scores) > 0.5

    def _read_word(self, word: str, texts: Sequence[str]) -> None:
        if not texts:
            return
        senses = self._wordnet.find(word) if self._with_meanings else []
        uses = sense_choice.read_uses(self._encoder, SoughtWord.parse(word, "en"), texts)
        scores = sense_choice.score_senses(self._encoder, word, senses, uses)
        self._known.update({(word, text): (use, row) for text, use, row in zip(texts, uses, scores, strict=True)})

    def _compute(self, pair: Pair) -> Mapping[str, float]:
        (first, scores), (second, other_scores) = (self._known[pair.word, text] for text in (pair.first, pair.second))
        return sense_choice.compute_features(first, second, scores, other_scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--around", action="store_true")
    options = parser.parse_args()
    encoder = registry.load(None)
    assert isinstance(encoder, TokenEncoder)
    wordnet = WordNet(options.wordnet)
    test = [pair for pair in read_test(options.test) if has_word(pair)]
    reader = Reader(encoder, wordnet, with_meanings=not options.around)
    test_features, test_answers = reader.read(test)
    seen = {normalize_sentence(text) for pair in test for text in (pair.first, pair.second)}
    examples = collect_examples(wordnet, seen)
    every: list[Pair] = []
    for seed in SEEDS:
        pairs = draw_pairs(examples, seed)
        every += pairs
        features, answers = reader.read(pairs)
        halves = np.array([hash_word(pair.word) for pair in pairs])
        model = LogisticRegression(C=10).fit(features[halves], answers[halves])
        others, right = model.score(features[~halves], answers[~halves]), model.score(test_features, test_answers)
        print(f"seed {seed}: {halves.sum()} pairs; other words {others:.3f}, {options.test.name} {right:.3f}", flush=True)
    features, answers = reader.read(every)
    model = LogisticRegression(C=10).fit(features, answers)
    names = ["word", "around", "correlation", "agreement"][: features.shape[1]]
    weights = ", ".join(f"{name}={weight:.2f}" for name, weight in zip(names, model.coef_[0], strict=True))
    print(f"all: bias={model.intercept_[0]:.2f}, {weights}")
    print(f"all: {options.test.name} {model.score(test_features, test_answers):.3f} of {len(test)}")
    shipped = [reader.tell_same(pair) for pair in test]
    print(f"shipped: {options.test.name} {np.mean(np.array(shipped) == test_answers):.3f}")


def hash_word(word: str) -> bool:
    """Return in which half of the words one is, the same in every run."""
    return sum(word.encode()) % 2 == 0


def normalize_sentence(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def has_word(pair: Pair) -> bool:
    """Return whether the stemmer finds the word in both sentences: not "went" for "go"."""
    word = SoughtWord.parse(pair.word, "en")
    return bool(word.find(pair.first) and word.find(pair.second))


def read_test(file: Path) -> Iterator[Pair]:
    with file.open(encoding="utf-8") as lines:
        next(lines)
        for word, _, _, first, second, is_same in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Pair(word, first, second, is_same == "1")


def collect_examples(wordnet: WordNet, seen: set[str]) -> Examples:
    """Return the sentences of each word's meanings, of words that have several with some of two sentences."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sense in wordnet.iterate():
        for text in sense.examples:
            stems = set(normalize_sentence(text).split())
            for word in sense.words:
                is_plain = word.isalpha() and word.islower() and any(stem.startswith(word[:4]) for stem in stems)
                if (
                    is_plain
                    and len(stems) > 1
                    and normalize_sentence(text) not in seen
                    and SoughtWord.parse(word, "en").find(text)
                ):
                    found[word, sense.part_of_speech][sense.id].append(text)
    return {
        word: senses for word, senses in sorted(found.items())
        if len(senses) > 1 and any(len(texts) > 1 for texts in senses.values())
    }  # fmt: skip


def draw_pairs(examples: Examples, seed: int) -> list[Pair]:
    """Return as many pairs of one meaning as of two, of words that the seed draws."""
    chance = random.Random(seed)
    pairs = []
    for key in chance.sample(sorted(examples), min(WORDS, len(examples))):
        word, senses = key[0], [list(dict.fromkeys(texts))[:EXAMPLES_MAX] for texts in examples[key].values()]
        same = [Pair(word, *two, True) for texts in senses for two in combinations(texts, 2)]
        different = [Pair(word, a, b, False) for one, other in combinations(senses, 2) for a in one for b in other]
        count = min(len(same), len(different), PAIRS_MAX)
        pairs += chance.sample(same, count) + chance.sample(different, count)
    return pairs


if __name__ == "__main__":
    main()
