"""The questions of a crowd's worker: what is asked of a collection must be answered as the model of its own documents has it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vecsearch
from tests.checks import get_vectors
from tests.torture.crowd_documents import (
    CLOSE,
    ENCODER,
    GROUPS,
    Version,
    World,
    WrongError,
    check_metadata,
    encode,
    find_versions,
    get_token,
    make_metadata,
    make_text,
)
from tests.torture.states import WORDS
from vecsearch.core.types import ListOrder

_LOOKED_AT = 3
_ALL = 100_000


@dataclass(frozen=True)
class Question:
    """A collection of which `world` are all documents of an owner, who asks."""

    collection: vecsearch.Collection
    owner: str
    world: World
    draw: random.Random

    @property
    def where(self) -> dict[str, Any]:
        return {"owner": self.owner}

    def choose(self) -> list[str]:
        """Return the ids of some documents."""
        return self.draw.sample(sorted(self.world), min(len(self.world), _LOOKED_AT))

    def expect(self, name: str, found: object, expected: object) -> None:
        """Raise WrongError where they differ."""
        if found != expected:
            raise WrongError(f"{name} in {self.collection.name!r}: {str(found)[:500]}, expected {str(expected)[:500]}")


def check_all(question: Question) -> None:
    """Check that all documents of the owner are there, and no others, each as it is to be."""
    documents = question.collection.get(where=question.where, include_vectors=True)
    find_versions(documents, {key: [version] for key, version in question.world.items()})


def check_got(question: Question) -> None:
    """Check `get` by id, in the order asked for; and that what is not there is told."""
    keys = question.choose()
    documents = question.collection.get([*keys, f"{question.owner}-none"], missing="skip", include_vectors=True)
    question.expect("get", [document.id for document in documents], keys)
    find_versions(documents, {key: [question.world[key]] for key in keys})
    if f"{question.owner}-none" in question.collection or not all(key in question.collection for key in keys):
        raise WrongError("in")
    try:
        question.collection.get(f"{question.owner}-none")
    except vecsearch.DocumentNotFoundError:
        return
    raise WrongError("get of what is not there")


def check_words(question: Question) -> None:
    """Check that a document is found by its own word, alone, and an old text's word is not."""
    for key in question.choose():
        version = question.world[key]
        hits = question.collection.search(get_token(key, version), mode="lexical")
        question.expect("search of a word", [hit.id for hit in hits], [key])
        question.expect("metadata of a hit", hits[0].metadata, make_metadata(key, version))
        old = Version(version.text - 1, 0)
        question.expect("an old word", question.collection.search(get_token(key, old), mode="lexical"), [])


def check_vector(question: Question) -> None:
    """Check that the nearest to a document's own vector, among everybody's, is that document."""
    for key in question.choose():
        version = question.world[key]
        (document,) = question.collection.get([key], include_vectors=True)
        hits = question.collection.search(get_vectors(document)[-1], limit=2)
        if hits[0].id != key or abs(hits[0].score - 1) > CLOSE:
            raise WrongError(f"nearest to {key!r} is {hits[0].id!r}, score {hits[0].score}")
        question.expect("metadata of a hit", hits[0].metadata, make_metadata(key, version))


def check_ranking(question: Question) -> None:
    """Check the scores of the ten nearest of the owner's documents, by brute force."""
    query = " ".join(question.draw.choices(WORDS, k=3))
    wanted = ENCODER.encode_queries([query])[0]
    group = question.draw.randrange(GROUPS)
    where = {**question.where, "group": group} if question.draw.random() < 0.5 else question.where
    scores: dict[tuple[str, int], float] = {}
    for document in question.collection.get(where=where, include_vectors=True):
        version = question.world[document.id]
        rows = [encode(make_text(document.id, version.text), brought=True)] if version.brought else get_vectors(document)
        scores |= {(document.id, n): float(row @ wanted) for n, row in enumerate(rows)}
    hits = question.collection.search(query, mode="dense", limit=10, where=where)
    question.expect("number of hits", len(hits), min(10, len(scores)))
    for hit, score in zip(hits, sorted(scores.values(), reverse=True), strict=False):
        own = scores.get((hit.id, hit.chunk_index))
        if own is None or abs(own - hit.score) > CLOSE or abs(score - hit.score) > CLOSE:
            raise WrongError(f"{hit.id!r} scores {hit.score}, its vector {own}, and brute force has {score} there")


def check_hybrid(question: Question) -> None:
    """Check that a document's own word leads to it among the owner's, whatever else is found."""
    for key in question.choose():
        query = f"{question.draw.choice(WORDS)} {get_token(key, question.world[key])}"
        hits = question.collection.search(query, where=question.where, limit=_ALL)
        question.expect("documents found", {hit.id for hit in hits}, set(question.world))
        for hit in hits:
            question.expect("metadata of a hit", hit.metadata, make_metadata(hit.id, question.world[hit.id]))


def check_pages(question: Question) -> None:
    """Check pages by `after`, all of them, in either order; and pages by id that go through everybody's."""
    size, order = question.draw.randint(1, 40), question.draw.choice(list(ListOrder))
    keys: list[str] = []
    while page := question.collection.list_documents(
        where=question.where, limit=size, after=keys[-1] if keys else None, order=order
    ):
        keys += [summary.id for summary in page]
    question.expect("ids of pages", sorted(keys), sorted(question.world))
    own = [key for key in question.collection if key.startswith(f"{question.owner}-")]
    question.expect("ids of all pages", own, sorted(question.world))


def check_counts(question: Question) -> None:
    """Check counts, keys and facets."""
    group = question.draw.randrange(GROUPS)
    groups = Counter(make_metadata(key, version)["group"] for key, version in question.world.items())
    question.expect("count", question.collection.count(question.where), len(question.world))
    question.expect("count of a group", question.collection.count({**question.where, "group": group}), groups[group])
    if question.collection.count({"$id": {"$in": sorted(question.world)}}) != len(question.world):
        raise WrongError("count by id")
    facets = question.collection.facets("group", where=question.where)
    question.expect("facets", {each.value: each.count for each in facets.values}, dict(groups))
    tagged = sum("tags" in make_metadata(key, version) for key, version in question.world.items())
    keys = {each.key: each.documents for each in question.collection.keys(where=question.where)}
    question.expect("keys", (keys.get("owner", 0), keys.get("tags", 0)), (len(question.world), tagged))


def check_likeness(question: Question) -> None:
    """Check what is similar to a document: never itself."""
    for key in question.choose()[:1]:
        hits = question.collection.similar(id=key, where=question.where, limit=_ALL)
        question.expect("similar documents", {hit.id for hit in hits}, question.world.keys() - {key})


def check_everybody(question: Question) -> None:
    """Check that no answer has a mixture, whoever's documents they are; and numbers of all."""
    for mode in ("lexical", "dense", "hybrid"):
        for hit in question.collection.search(question.draw.choice(WORDS), mode=mode, limit=50):
            check_metadata(hit)
    if min(len(question.collection), question.collection.status()["documents"]) < len(question.world):
        raise WrongError("fewer documents than one worker has")
    question.expect("pending vectors", question.collection.pending_vectors, 0)


CHECKS: tuple[Callable[[Question], None], ...] = (
    check_got, check_words, check_vector, check_ranking, check_hybrid, check_pages, check_counts, check_likeness, check_everybody,
)  # fmt: skip
