"""What the meaning of a word in its context is worth.

    python -m benchmarks.word_senses passages ../shared/data/coarsewsd20_retrieval
    python -m benchmarks.word_senses words ../shared/data/wordnet

- passages: nDCG@10 of questions whose right passages have a word of theirs in the same sense: as they are, with the passages
  first that have the word, and with `about`; for all words, and for either half of them. FOLDER is in the layout of BEIR, with a
  senses.tsv (id, word, sense). Then the time that `about` takes beside a plain search.
- words: how many of the synonyms that a word has, as one of the sentences in WordNet means it, are among the first ten of 8,136
  words by `similar`: for the word alone, for the sentence, for the definition, and for both with WordNet at hand. FOLDER has the
  files of WordNet, or its synsets.tsv.gz. Forms of the word itself count as no answer.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np

import vecsearch
from benchmarks.corpus import DATA_FOLDER
from vecsearch.api.collection import Collection
from vecsearch.core.errors import UsageError
from vecsearch.core.measures import Measure, compute_interval, compute_measures
from vecsearch.core.senses import Sense
from vecsearch.core.settings import RERANK_DEPTH, WORD_WEIGHT
from vecsearch.encoders.base import MiddleTokenEncoder, TextEncoder, TokenRows
from vecsearch.evaluation.cache import CachedCollection
from vecsearch.evaluation.datasets import Dataset, read_judgements
from vecsearch.search import word_sense
from vecsearch.text import wordnet as wordnet_files
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.sought_word import SoughtWord
from vecsearch.text.wordnet import WordNet

TIMED = 40  # questions
WORDS = 8_136  # in the list


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    passages = commands.add_parser("passages")
    passages.add_argument("folder", type=Path, nargs="?", default=DATA_FOLDER / "coarsewsd20_retrieval")
    passages.set_defaults(run=lambda options: measure_passages(options.folder))
    words = commands.add_parser("words")
    words.add_argument("folder", type=Path, nargs="?", default=DATA_FOLDER / "wordnet")
    words.add_argument("--count", type=int, default=500, help="questions")
    words.add_argument("--seed", type=int, default=5)
    words.set_defaults(run=lambda options: measure_words(options.folder, options.count, options.seed))
    options = parser.parse_args()
    options.run(options)


def measure_passages(folder: Path) -> None:
    dataset = Dataset.from_folder(folder)
    judgements, cached = read_judgements(dataset.queries, dataset.qrels), CachedCollection.from_dataset(dataset)
    words = read_words(folder / "senses.tsv")
    if not cached.is_whole:
        cached.index()
    with vecsearch.open(cached.folder, model=RememberingEncoder(cached.encoder), readonly=True) as collection:
        print(f"{'':24}{'all':>8}{'':16}{'one half':>10}{'other half':>12}")
        for label, weight in (("word not told", None), ("has the word", 0.0), ("means the same", WORD_WEIGHT)):
            show_ndcg(label, rank_passages(collection, judgements.queries, words, weight), judgements.qrels, words)
    with cached.open_for_reading() as collection:
        measure_time(collection, judgements.queries, words)


class RememberingEncoder:
    """An encoder that reads no passage twice: most of them stand in the answers to many questions."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, TokenRows] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_middle_tokens(self, texts: Sequence[str]) -> list[TokenRows]:
        assert isinstance(self._encoder, MiddleTokenEncoder)
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known.update(zip(new, self._encoder.encode_middle_tokens(new), strict=True))
        return [self._known[text] for text in texts]


def read_words(file: Path) -> dict[str, str]:
    """Return the word that each question and passage is about."""
    with file.open(encoding="utf-8") as lines:
        return {row["id"]: row["word"] for row in csv.DictReader(lines, delimiter="\t")}


def rank_passages(
    collection: Collection, queries: Mapping[str, str], words: Mapping[str, str], weight: float | None
) -> dict[str, list[str]]:
    """Return the passages of each question, best first; a question that lacks its word, misspelt, is asked without it."""
    rankings = {}
    with patch.object(word_sense, "WORD_WEIGHT", weight or 0.0):
        for query, text in queries.items():
            about = None if weight is None else words[query]
            try:
                hits = collection.search(text, about=about, limit=100, group_by="document")
            except UsageError:
                hits = collection.search(text, limit=100, group_by="document")
            rankings[query] = [hit.id for hit in hits]
    return rankings


def show_ndcg(
    label: str, rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]], words: Mapping[str, str]
) -> None:
    values = compute_measures({query: qrels[query] for query in rankings}, rankings)
    half = set(sorted({words[query] for query in rankings})[::2])
    sides = defaultdict(list)
    for query, measured in values.items():
        for side in ("all", words[query] in half):
            sides[side].append(measured[Measure.NDCG])
    every = np.array(sides["all"])
    low, high = compute_interval(every)
    halves = f"{np.mean(sides[True]):10.3f}{np.mean(sides[False]):12.3f}"
    print(f"{label:24}{every.mean():8.3f} [{low:.3f}, {high:.3f}]{halves}", flush=True)


def measure_time(collection: Collection, queries: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Print the median of what `about` adds to a search, plain and with it in turn, by the clock and of computing."""
    added, computed = [], []
    for query in list(queries)[:: max(1, len(queries) // TIMED)]:
        if words[query] not in queries[query].split():
            continue
        moments, works = [perf_counter()], [process_time()]
        for about in (None, words[query]):
            collection.search(queries[query], about=about)
            moments.append(perf_counter())
            works.append(process_time())
        added.append(moments[2] - moments[1] - (moments[1] - moments[0]))
        computed.append(works[2] - works[1] - (works[1] - works[0]))
    times = " ms, of computing ".join(f"{1000 * float(np.median(taken)):.0f}" for taken in (added, computed))
    print(f"about adds {times} ms on all cores together, for {RERANK_DEPTH} passages")


@dataclass(frozen=True)
class WordQuestion:
    """A word in a sentence, and the meaning that it has there."""

    word: str
    sentence: str
    sense: Sense


def measure_words(folder: Path, count: int, seed: int) -> None:
    wordnet = WordNet(folder)
    questions, words = draw_questions(wordnet, count, seed)
    with TemporaryDirectory() as place, vecsearch.open(Path(place) / "words.vec", stemmer="en") as collection:
        collection.add(words, ids=words)
        print(f"{len(questions)} questions, {len(words):,} words")
        ways: Mapping[str, Callable[[WordQuestion], dict[str, Any]]] = {
            "word alone": lambda _: {},
            "by a sentence": lambda question: {"about": question.sentence},
            "by a definition": lambda question: {"about": question.sense.definition},
            "by a sentence, with WordNet": lambda question: {"about": question.sentence, "wordnet": folder},
            "by a definition, with WordNet": lambda question: {"about": question.sense.definition, "wordnet": folder},
        }
        with patch.object(wordnet_files, "DEBIAN_FOLDER", Path(place)):
            for label, ask in ways.items():
                show_recall(label, collection, questions, ask)


def draw_questions(wordnet: WordNet, count: int, seed: int) -> tuple[list[WordQuestion], list[str]]:
    """Return questions about words that have synonyms, and a list of words that has these."""
    chance, found, pool = random.Random(seed), [], []
    for sense in wordnet.iterate():
        plain = [word for word in sense.words if word.isalpha() and word.islower()]
        pool += plain
        for sentence in sense.examples[:1] if len(plain) > 1 else ():
            used = (word for word in plain if word[:3] in sentence and SoughtWord.parse(word, "en").find(sentence))
            if len(sentence.split()) > 3 and (word := next(used, None)) is not None:
                found.append(WordQuestion(word, sentence, sense))
    chance.shuffle(found)
    questions = found[:count]
    words = {word for question in questions for word in question.sense.words if word.isalpha() and word.islower()}
    chance.shuffle(pool)
    others = iter(pool)
    while len(words) < WORDS:
        words.add(next(others))
    return questions, sorted(words)


def show_recall(
    label: str, collection: Collection, questions: Sequence[WordQuestion], ask: Callable[[WordQuestion], dict[str, Any]]
) -> None:
    shares, firsts = [], []
    for question in questions:
        own = find_stem(question.word)
        right = {word for word in question.sense.words if find_stem(word) != own and word.isalpha() and word.islower()}
        if not right:
            continue
        hits = collection.similar(text=question.word, limit=100, **ask(question))
        found = [hit.id for hit in hits if find_stem(hit.id) != own]
        shares.append(len(right.intersection(found[:10])) / len(right))
        firsts.append(next((1 / rank for rank, word in enumerate(found, 1) if word in right), 0.0))
    low, high = compute_interval(np.array(shares))
    print(f"{label:32} R@10 {np.mean(shares):.3f} [{low:.3f}, {high:.3f}]  MRR {np.mean(firsts):.3f}  {len(shares)}", flush=True)


def find_stem(word: str) -> str:
    return get_analyzer("en").analyze(word).terms[0]


if __name__ == "__main__":
    main()
