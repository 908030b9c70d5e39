"""Which questions are learned from, which say when to stop, and which are the proof: two parts that nothing is learned from.

The first part asks for documents that other questions of the training ask for too, the second for documents that no question of
the training asks for. A gain on the first alone means that it was learned which documents are asked for, not what words mean.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.training.judged_questions import JudgedQuestion

PROOF_SHARE: Final = 0.2  # of the questions, in each of both parts
PART_MAX: Final = 300  # questions of a part: the proof takes time too
PART_MIN: Final = 10  # of fewer, nothing can be said
DEV_SHARE: Final = 0.1
DEV_MAX: Final = 150  # questions of a part that the learning looks at


@dataclass(frozen=True, slots=True)
class QuestionSplit:
    """The questions of each part; of `left_out` ones some documents are in a part for new documents, some are not.

    `dev` and `dev_new` are to the learning what the two parts of the proof are to the user: documents asked for, and others.
    """

    training: tuple[JudgedQuestion, ...]
    dev: tuple[JudgedQuestion, ...]
    dev_new: tuple[JudgedQuestion, ...]
    asked_before: tuple[JudgedQuestion, ...]
    new_documents: tuple[JudgedQuestion, ...]
    left_out: int = 0

    def list_held_documents(self) -> frozenset[str]:
        """Return the documents that are questions of the proof themselves: no training may see their texts."""
        return frozenset(question.own for question in (*self.asked_before, *self.new_documents) if question.own is not None)


def split_questions(questions: Sequence[JudgedQuestion], *, seed: int) -> QuestionSplit:
    """Split questions; equal questions and seeds give equal parts. A part of fewer than PART_MIN questions is empty."""
    random = np.random.default_rng(seed)
    shuffled = [questions[n] for n in random.permutation(len(questions)).tolist()]
    proof_size, dev_size = (max(PART_MIN, round(len(questions) * share)) for share in (PROOF_SHARE, DEV_SHARE))
    new, others = _hold_out_topics(shuffled, proof_size)
    if len(new) < PART_MIN:
        new, others = [], shuffled
    asked_before, rest = _hold_out_known(others, min(proof_size, PART_MAX))
    if len(asked_before) < PART_MIN:
        asked_before, rest = [], others
    dev_new, rest = _hold_out_topics(rest, dev_size)
    dev_size = min(dev_size, DEV_MAX)
    dev, rest = _hold_out_known(rest, dev_size)
    more = max(0, dev_size - len(dev))  # on documents that nobody else asks for
    parts = (rest[more:], [*dev, *rest[:more]], dev_new[:DEV_MAX], asked_before, new[:PART_MAX])
    training, dev, dev_new, asked_before, new = parts
    left_out = len(questions) - sum(map(len, parts))
    return QuestionSplit(tuple(training), tuple(dev), tuple(dev_new), tuple(asked_before), tuple(new), left_out)


def _hold_out_topics(questions: Sequence[JudgedQuestion], wanted: int) -> tuple[list[JudgedQuestion], list[JudgedQuestion]]:
    """Return questions all of whose topics no other question has, about so many, and those without such a topic."""
    having: dict[str, list[int]] = defaultdict(list)
    for number, question in enumerate(questions):
        for topic in question.topics:
            having[topic].append(number)
    held: set[str] = set()
    touched: set[int] = set()
    for question in questions:
        more = {number for topic in question.topics - held for number in having[topic]}
        if len(touched | more) <= 2 * wanted:  # else a topic that most questions have, which are to be learned from
            held |= question.topics
            touched |= more
        if sum(questions[number].topics <= held for number in touched) >= wanted:
            break
    new = [question for question in questions if question.topics <= held]
    return new, [question for number, question in enumerate(questions) if number not in touched]


def _hold_out_known(questions: Sequence[JudgedQuestion], wanted: int) -> tuple[list[JudgedQuestion], list[JudgedQuestion]]:
    """Return questions with a topic that a question among the others has too, up to so many, and the others."""
    count = Counter(topic for question in questions for topic in question.topics)
    held: list[JudgedQuestion] = []
    rest: list[JudgedQuestion] = []
    for question in questions:
        if len(held) < wanted and any(count[topic] > 1 for topic in question.topics):
            held.append(question)
            count.subtract(question.topics)
        else:
            rest.append(question)
    return held, rest
