"""Questions that say some words otherwise than the documents do: a linear map can learn that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random

import vecsearch
from tests.fakes import FakeEncoder

WORDS = 12
OTHERWISE = 2  # of these, people say another word than the documents do
ENCODER = FakeEncoder(dimension=32)


@dataclass(frozen=True)
class Questions:
    """220 documents of three words, and questions that ask for these, some by another word."""

    documents: dict[str, str]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]


def say(word: int) -> str:
    return f"ask{word}" if word < OTHERWISE else f"doc{word}"


def make_questions(seed: int = 0, *, per_document: int = 2) -> Questions:
    random = Random(seed)
    documents, queries, qrels = {}, {}, {}
    for words in combinations(range(WORDS), 3):
        key = "-".join(map(str, words))
        documents[key] = " ".join(f"doc{word}" for word in words)
        for n in range(per_document):
            asked = random.sample(words, 3)
            queries[f"{key}/{n}"] = " ".join(map(say, asked)) + f" x{random.randrange(WORDS)}"
            qrels[f"{key}/{n}"] = {key: 1}
    return Questions(documents, queries, qrels)


def open_words(folder: Path, **options: object) -> vecsearch.Collection:
    return vecsearch.open(folder / "words.vec", model=ENCODER, **options)  # type: ignore[arg-type]


def fill(collection: vecsearch.Collection, questions: Questions) -> None:
    keys = list(questions.documents)
    metadatas = [{"first": key.split("-")[0]} for key in keys]
    collection.add([questions.documents[key] for key in keys], ids=keys, metadatas=metadatas)
