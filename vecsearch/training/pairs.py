"""Pairs of a question and a chunk that answers it, with chunks that are near to the question and do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import InputError
from vecsearch.stores.base import NO_IDS, Ids, Matrix, Snapshot
from vecsearch.training.judged_questions import JudgedQuestion

LABEL_PAIRS: Final = 2  # a question with a label, with so many others of its label
HARD_NEGATIVES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs, in the order of the questions. `question`: which, by number; `positive` and `negatives`: chunks.

    `relevant`: the chunks that answer each question, ascending, which are no negatives. `negatives`: (pairs, HARD_NEGATIVES),
    -1 for none.
    """

    question: NDArray[np.int64]
    positive: Ids
    negatives: Ids
    relevant: Sequence[Ids]

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.question)


def build_pairs(
    snapshot: Snapshot, questions: Sequence[JudgedQuestion], vectors: Matrix, *, held: frozenset[str] = frozenset(), seed: int = 0
) -> Pairs:
    """Return the pairs of questions with these unit vectors; a document counts by its chunk nearest to the question.

    Documents in `held`, and those without a vector, are in no pair. Raises InputError where there is no pair at all.
    """
    random = np.random.default_rng(seed)
    chunks = snapshot.find_chunk_ids(list({key for question in questions for key in question.relevant}))
    rows = dict(zip(chunks, _load_rows(snapshot, list(chunks.values())), strict=True))
    relevant = _list_relevant(questions, chunks)
    places, positives, negatives = [], [], []
    for number, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
        answers = [key for key in question.answers if key in chunks and key not in held and rows[key].any()]
        if question.label and len(answers) > LABEL_PAIRS:
            answers = [answers[n] for n in random.choice(len(answers), LABEL_PAIRS, replace=False).tolist()]
        if not answers:
            continue
        hard = _find_hard_negatives(snapshot, vector, relevant[number])
        for key in answers:
            places.append(number)
            positives.append(int(chunks[key][int(np.argmax(rows[key] @ vector))]))
            negatives.append(hard)
    if questions and not places:
        raise InputError("no document that answers has a vector: to make them: vecsearch index --vectors-only, or fill_vectors()")
    return Pairs(
        np.array(places, np.int64), np.array(positives, np.int64),
        np.array(negatives, np.int64).reshape(len(places), HARD_NEGATIVES), relevant,
    )  # fmt: skip


def _load_rows(snapshot: Snapshot, documents: Sequence[Ids]) -> list[Matrix]:
    """Return the vectors of each document's chunks."""
    rows = snapshot.load_vectors(np.concatenate([NO_IDS, *documents]).tolist())
    return np.split(rows, np.cumsum([len(ids) for ids in documents])[:-1]) if documents else []


def _list_relevant(questions: Sequence[JudgedQuestion], chunks: Mapping[str, Ids]) -> list[Ids]:
    """Return the chunks that answer each question; questions of one label share them."""
    shared: dict[int, Ids] = {}
    listed = []
    for question in questions:
        key = id(question.relevant)
        if key not in shared:
            shared[key] = np.sort(np.concatenate([NO_IDS, *(chunks[one] for one in question.relevant if one in chunks)]))
        listed.append(shared[key])
    return listed


def _find_hard_negatives(snapshot: Snapshot, vector: NDArray[np.float32], relevant: Ids) -> list[int]:
    """Return the chunks nearest to a question that do not answer it."""
    nearest = snapshot.find_nearest(vector, HARD_NEGATIVES + min(len(relevant), 100)).ranked.ids
    hard: list[int] = nearest[~np.isin(nearest, relevant)][:HARD_NEGATIVES].tolist()
    return hard + [-1] * (HARD_NEGATIVES - len(hard))
