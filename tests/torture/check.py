"""What must hold whatever happened: it opens, it is sound, nothing acknowledged is lost, every answer is right."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import vecsearch
from tests import maintenance
from tests.fakes import FakeEncoder
from tests.torture.logged import list_made, log_of, read_log
from tests.torture.states import BROUGHT, DATABASE, WORDS, Doc, State, mend, opened
from tests.torture.thread_steps import check_beside
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.stores.sqlite.engine.database_file import is_database

_FILLED = 0.3  # of the looks: what waits is made
_CLOSE = 2e-3  # cosines of float16 rows, from those of float32 rows


class LostError(AssertionError):
    """Something acknowledged is not there, or something is there that nobody asked for."""


class WrongAnswerError(AssertionError):
    """An answer is not what brute force gives."""


class AgainError(AssertionError):
    """Something was encoded again that had its vector."""


class UnopenableError(AssertionError):
    """The database is not sound, or does not open."""


@dataclass(frozen=True)
class Expected:
    """What may be there: `before` whatever happened, or `after` the step that was going on; `done`: only that. `spoilt`: once it
    is mended. `late`: documents that may wait for vectors. `once`: nothing was to be encoded twice, else what had no vector
    may have been."""

    before: State | None
    after: State
    whole: bool
    done: bool = False
    spoilt: bool = False
    late: frozenset[str] = frozenset()
    once: bool = False


def check(base: Path, expected: Expected, seed: int) -> State | None:
    """Look at what is there; None for no database. Raises the errors above. A reader looks first, then doctor, then a writer."""
    folder, draw = base / DATABASE, random.Random(seed)
    _encoded(base, expected.before.made if expected.before else frozenset(), once=expected.once)
    if not is_database(folder):
        if expected.before is not None or expected.done:
            raise LostError("the database is gone")
        return None
    try:
        if expected.spoilt and not expected.done:
            mend(base, expected.after)
        state = _read(base, expected, draw)
        _sound(folder)
        check_beside(base)
        if state.docs and draw.random() < _FILLED:
            state = _fill(base, state, draw)
        _write(base, state)
    except vecsearch.VecsearchError as error:
        raise UnopenableError(f"{type(error).__name__}: {error}") from error
    return state


def _encoded(base: Path, made: frozenset[str], *, once: bool) -> None:
    """What had a vector was not encoded again; with `once` nothing was twice."""
    encoded = read_log(base)
    if again := [text for text in encoded if text in made]:
        raise AgainError(f"{len(again)} of {len(encoded)} texts had vectors, and were encoded again")
    if once and (twice := [text for text, count in encoded.items() if count > 1]):
        raise AgainError(f"{len(twice)} of {len(encoded)} texts were encoded twice")


def _read(base: Path, expected: Expected, draw: random.Random) -> State:
    folder = base / DATABASE
    if not any(each["name"] == "default" for each in maintenance.status(folder)["collections"]):
        state = State({}, expected.after.salt)
        return _allowed(state, expected, {})
    salt = _salt(folder)
    with vecsearch.open(folder, model=FakeEncoder(salt), readonly=True) as collection:
        documents = collection.get(where={})
        allowed = _allowed(State({}, salt), expected, {each.id: each for each in documents})
        late = _answers(collection, allowed, documents, draw)
        if unexpected := late - expected.late:
            raise LostError(f"{sorted(unexpected)[:5]} ({len(unexpected)}) wait for vectors")
        return replace(allowed, late=late, made=list_made(collection))


def _fill(base: Path, state: State, draw: random.Random) -> State:
    """Make what is missing, and ask again: a reader that was there before, too."""
    log_of(base).unlink(missing_ok=True)
    with (
        vecsearch.open(base / DATABASE, model=FakeEncoder(state.salt), readonly=True) as reader,
        opened(base, state) as collection,
    ):
        documents = reader.get(where={})
        _answers(reader, state, documents, draw)
        report = collection.fill_vectors()
        _encoded(base, state.made, once=True)
        if report.encoded != read_log(base).total() or report.pending_vectors or collection.pending_vectors:
            raise WrongAnswerError(f"{report}, after {read_log(base).total()} texts were encoded")
        for each in (reader, collection):
            if late := _answers(each, state, documents, draw):
                raise LostError(f"{sorted(late)[:5]} ({len(late)}) wait for vectors when all are made")
        _sound(base / DATABASE)
        return replace(state, late=frozenset(), made=list_made(collection))


def _salt(folder: Path) -> int:
    (found,) = maintenance.status(folder, collection="default")["collections"]
    return int(found["model"].split("-")[1])


def _allowed(found: State, expected: Expected, there: Mapping[str, vecsearch.Document]) -> State:
    """The state that is there, where it is one that may be."""
    before = expected.before or State({}, expected.after.salt)
    candidates = [expected.after] if expected.done else [expected.after, before]
    for state in candidates:
        if state.salt == found.salt and _same(state, there):
            return state
    if expected.done or expected.whole or found.salt not in (before.salt, expected.after.salt):
        raise LostError(_difference(candidates, there))
    mixed = {}
    for key in {*before.docs, *expected.after.docs, *there}:
        may_be = [state.docs.get(key) for state in (expected.after, before)]
        fitting = [doc for doc in may_be if _is(doc, there.get(key))]
        if not fitting:
            raise LostError(f"{key!r} is neither as it was nor as it is to be: {there.get(key)}; {may_be}")
        if fitting[0] is not None:
            mixed[key] = fitting[0]
    return State(mixed, found.salt)


def _same(state: State, there: Mapping[str, vecsearch.Document]) -> bool:
    return state.docs.keys() == there.keys() and all(_is(doc, there[key]) for key, doc in state.docs.items())


def _is(doc: Doc | None, found: vecsearch.Document | None) -> bool:
    if doc is None or found is None:
        return doc is None and found is None
    source = None if found.source is None else "/".join(Path(found.source).parts[-2:])
    return (doc.text, doc.title, dict(doc.metadata), doc.source) == (found.text, found.title, found.metadata, source)


def _difference(states: Sequence[State], there: Mapping[str, Any]) -> str:
    said = []
    for state in states:
        missing, extra = sorted(state.docs.keys() - there.keys()), sorted(there.keys() - state.docs.keys())
        other = sorted(key for key in state.docs.keys() & there.keys() if not _is(state.docs[key], there[key]))
        said.append(f"missing {missing[:5]} ({len(missing)}), extra {extra[:5]} ({len(extra)}), other {other[:5]} ({len(other)})")
    return " | ".join(said)


# -- answers


def _answers(
    collection: vecsearch.Collection, state: State, documents: Sequence[vecsearch.Document], draw: random.Random
) -> frozenset[str]:
    """Compare answers with brute force; returns the documents of which vectors wait."""
    pending = list_waiting(collection)
    rows = {name: row for name, row in _rows(state, documents).items() if name not in pending}
    for _ in range(3):
        query = " ".join(draw.choices(WORDS, k=4))
        _dense(collection, state.encoder, rows, query, where=None)
    kept = {each.id for each in documents if "n" in each.metadata}
    some = {name: row for name, row in rows.items() if name[0] in kept}
    _dense(collection, state.encoder, some, query, where={"n": {"$exists": True}})
    if collection.count() != len(documents) or collection.count({"n": {"$exists": True}}) != len(kept):
        raise WrongAnswerError("count")
    for each in draw.sample(list(documents), min(3, len(documents))):
        word = each.text.split()[-1]
        found = {hit.id for hit in collection.search(word, mode="lexical")}
        if found != {each.id}:
            raise WrongAnswerError(f"the word {word!r} of {each.id!r} is found in {found}")
    word = draw.choice(WORDS)
    holding = {each.id for each in documents if word in each.text.split()}
    for mode in ("lexical", "hybrid"):
        hits = collection.search(word, mode=mode, limit=10_000)
        if hits.pending_vectors != len(pending) or not holding <= {hit.id for hit in hits}:
            raise WrongAnswerError(f"{word!r}: {len(hits)} hits, {hits.pending_vectors} of {len(pending)} are said to wait")
    if wrong := [hit.id for hit in hits if ((hit.id, hit.chunk_index) in pending) != (hit.similarity is None)]:
        raise WrongAnswerError(f"{wrong[:5]} have a similarity and no vector, or none and one")
    return frozenset(key for key, _ in pending)


def list_waiting(collection: vecsearch.Collection) -> set[tuple[str, int]]:
    """List the chunks that wait for their vectors: as many as are said to."""
    with collection._open_snapshot() as snapshot:
        pending = {(chunk.document_id, chunk.ordinal) for chunk in snapshot.load_pending_chunks(1_000_000)}
    said = {collection.pending_vectors, collection.status()["pending_vectors"]}
    if said != {len(pending)}:
        raise WrongAnswerError(f"{said} are said to wait for vectors, {len(pending)} do")
    return pending


def _rows(state: State, documents: Sequence[vecsearch.Document]) -> dict[tuple[str, int], np.ndarray]:
    """The vector that every chunk must have."""
    names, texts, by = [], [], []
    for each in documents:
        for chunk in each.chunks:
            names.append((each.id, chunk.chunk_index))
            brought = state.docs[each.id].brought
            texts.append(each.text if brought else format_encoder_input(each.title, "", each.text[chunk.start : chunk.end]))
            by.append(brought)
    rows = [(BROUGHT if brought else state.encoder).encode_documents([text])[0] for text, brought in zip(texts, by, strict=True)]
    return dict(zip(names, rows, strict=True))


def _dense(
    collection: vecsearch.Collection, encoder: FakeEncoder, rows: Mapping[tuple[str, int], np.ndarray], query: str, where: Any
) -> None:
    wanted = encoder.encode_queries([query])[0]
    scores = {name: float(row @ wanted) for name, row in rows.items()}
    best = sorted(scores.values(), reverse=True)[:10]
    hits = collection.search(query, mode="dense", limit=10, where=where)
    if len(hits) != len(best):
        raise WrongAnswerError(f"{len(hits)} hits where {len(best)} match")
    if len({(hit.id, hit.chunk_index) for hit in hits}) != len(hits):
        raise WrongAnswerError("a chunk is found twice")
    for hit, score in zip(hits, best, strict=True):
        mine = scores.get((hit.id, hit.chunk_index))
        if mine is None or abs(hit.score - mine) > _CLOSE or abs(hit.score - score) > _CLOSE:
            place = f"{hit.id}#{hit.chunk_index}"
            raise WrongAnswerError(f"{place} scores {hit.score}, its vector {mine}, and brute force has {score} there")


# -- soundness, and that it goes on


def _sound(folder: Path) -> None:
    errors = maintenance.list_errors(folder)
    if errors:
        raise UnopenableError(f"doctor: {errors}")


def _write(base: Path, state: State) -> None:
    """The next writer is not hindered by what the last one left."""
    with vecsearch.open(base / DATABASE, model=state.encoder, lock_timeout=5) as collection:
        collection.add(["a word that nobody else says: quokka"], ids=["last"])
        if [hit.id for hit in collection.search("quokka", mode="lexical")] != ["last"]:
            raise WrongAnswerError("what was just added is not found")
        collection.delete("last")
        if collection.search("quokka", mode="lexical"):
            raise WrongAnswerError("what was just deleted is found")
