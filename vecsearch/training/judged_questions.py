"""What is learned from: questions, each with the documents that answer it. Reads no file."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vecsearch.core.errors import InputError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.tuning import PAIRS_MIN
from vecsearch.core.types import format_count, format_names
from vecsearch.stores.base import Snapshot

LABELLED_MAX: Final = 5_000  # documents with a label, of which no more are read
QUESTION_CHARACTERS: Final = 300  # of a document's text that stands for a question
_COLLECT_HINT: Final = "to collect them: vecsearch log on, then search, and open what answers"


@dataclass(frozen=True)
class JudgedQuestion:
    """A question and what answers it: document id → grade, above 0. `own`: the document whose text it is, which is no answer.

    `label`: by which its documents were found; "" for judgements of single documents.
    """

    text: str
    relevant: Mapping[str, int]
    own: str | None = None
    label: str = ""

    @lazy_property
    def topics(self) -> frozenset[str]:
        """Return what a part of the questions must not share with another: its label, or its documents."""
        return frozenset([self.label]) if self.label else frozenset(self.relevant)

    @property
    def answers(self) -> dict[str, int]:
        """Return the documents that answer it, without its own."""
        return {key: grade for key, grade in self.relevant.items() if key != self.own}


def build_questions(
    queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], snapshot: Snapshot
) -> list[JudgedQuestion]:
    """Return the queries that have a relevant document of the collection. Equal texts become one question."""
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for query, grades in qrels.items():
        if query in queries:
            wanted[queries[query]].update((document, grade) for document, grade in grades.items() if grade > 0)
    if not any(wanted.values()):
        raise InputError(
            "no query has a document that answers it: expected the ids of queries in the qrels, and grades above 0, got "
            f"judgements of {format_names(list(qrels)) or 'none'}"
        )
    stored = snapshot.find_stored_documents(list({document for grades in wanted.values() for document in grades}))
    if not stored:
        judged = [document for grades in wanted.values() for document in grades]
        raise InputError(
            f"none of the {len(judged):,} documents that answer is in the collection: expected ids as `vecsearch ls` lists "
            f"them, got {format_names(judged)}"
        )
    there = ({key: grade for key, grade in grades.items() if key in stored} for grades in wanted.values())
    return [JudgedQuestion(text, grades) for text, grades in zip(wanted, there, strict=True) if grades]


def pair_questions(pairs: Iterable[tuple[str, str]], snapshot: Snapshot) -> list[JudgedQuestion]:
    """Return pairs of a question and a document's id, or its text, as questions."""
    listed = list(pairs)
    seconds = list(dict.fromkeys(second for _, second in listed))
    known = {key: key for key in snapshot.find_stored_documents(seconds)}
    if texts := {" ".join(second.split()) for second in seconds if second not in known}:
        by_text = {" ".join(document.text.split()): document.id for document in snapshot.export()}
        known |= {second: by_text[key] for second in seconds if (key := " ".join(second.split())) in texts and key in by_text}
    if listed and not known:
        raise InputError(
            f"none of the {len(seconds):,} answers is in the collection: expected the id of a document or its whole text, got "
            f"{format_names(seconds)}"
        )
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for question, second in listed:
        if second in known:
            grades[question][known[second]] = 1
    return [JudgedQuestion(question, relevant) for question, relevant in grades.items()]


def find_labelled(key: str, snapshot: Snapshot) -> list[JudgedQuestion]:
    """Return a question for each document with a label at a metadata key: its title or the beginning of its text.

    Documents of the same label answer it. Of more than LABELLED_MAX documents, these are taken in even steps. Raises InputError
    where no two documents have the same.
    """
    from vecsearch.core.filters import Exists

    ids = snapshot.list_document_ids(where=Exists(key))
    step = -(-len(ids) // LABELLED_MAX)
    documents = snapshot.load_documents(ids[:: step or 1])
    members: dict[str, list[str]] = defaultdict(list)
    labels = {document.id: json.dumps(document.metadata.get(key), sort_keys=True) for document in documents}
    for id, label in labels.items():
        members[label].append(id)
    grades = {label: dict.fromkeys(keys, 1) for label, keys in members.items() if len(keys) > 1}
    questions = [
        JudgedQuestion(
            _shorten_text(document.title, document.text), grades[labels[document.id]], document.id, labels[document.id]
        )
        for document in documents
        if labels[document.id] in grades
    ]
    if not questions:
        raise InputError(
            f"no two documents have the same value at {key!r}: there is nothing to learn from; vecsearch facets lists the keys"
        )
    return questions


def _shorten_text(title: str | None, text: str) -> str:
    if title and title.strip():
        return title.strip()
    shown = " ".join(text[:QUESTION_CHARACTERS].split())
    return shown if len(text) <= QUESTION_CHARACTERS else shown.rpartition(" ")[0] or shown


def check_enough(questions: Sequence[JudgedQuestion]) -> None:
    """Raise InputError for fewer than PAIRS_MIN pairs of a question and a document."""
    count = len(questions) if questions and questions[0].label else sum(len(question.relevant) for question in questions)
    if count < PAIRS_MIN:
        raise InputError(
            f"{format_count(count, 'pair')} of a question and its answer, and {PAIRS_MIN} are needed at least to learn and to "
            f"prove anything; {_COLLECT_HINT}"
        )


def hash_questions(questions: Sequence[JudgedQuestion]) -> str:
    """Return the sha256 of what was learned from: it is equal for the same questions and answers, in any order."""
    lines = sorted(json.dumps([question.text, sorted(question.answers.items())]) for question in questions)
    return f"sha256:{hashlib.sha256(json.dumps(lines).encode()).hexdigest()}"
