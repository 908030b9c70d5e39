"""Writing: each method is one transaction, acknowledged when it returns, and SQLite holds all of it or nothing.

Rows are committed first, the index file after them (`publish`), so that a kill between the two only leaves the file behind,
never ahead. Use inside `Database.locked()`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.portions import portions
from vecsearch.core.settings import READING
from vecsearch.core.types import Cut, Metadata, Precision, Split
from vecsearch.persistence import fulltext
from vecsearch.persistence.database import Database
from vecsearch.persistence.state import CollectionState, find_state, get_state
from vecsearch.persistence.tables import chunks, collections, documents, sources, staged, tombstones, vectors
from vecsearch.persistence.vectors import Vector, dtype

_MANY = 10_000
# AUTOINCREMENT's own record, which remembers deleted rows too
_HIGHEST_CHUNK = "SELECT seq FROM sqlite_sequence WHERE name = 'chunks'"


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to store: `vectors` holds one unit float32 row for each cut."""

    key: str
    source: str | None
    text: str
    title: str | None
    metadata: Metadata
    digest: str
    cuts: tuple[Cut, ...]
    vectors: Vector


@dataclass(frozen=True, slots=True)
class ReadSource:
    """A file whose documents are all stored once this is; `gone` are ids it no longer gives."""

    path: str
    digest: str
    split: Split
    error: str | None
    mounted: bool
    gone: tuple[str, ...] = ()


class Writer:
    """Writes one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name

    def ensure(self, *, encoder: str, fingerprint: str, dimension: int, precision: Precision, language: str) -> CollectionState:
        """The collection, made now if it is not there."""
        with self._database.transaction() as connection:
            state = find_state(connection, self._name)
            if state is None:
                connection.execute(
                    insert(collections).values(
                        name=self._name, encoder=encoder, fingerprint=fingerprint, dimension=dimension,
                        precision=precision.value, created_at=_now(), language=language,
                    )
                )  # fmt: skip
                state = get_state(connection, self._name)
                fulltext.create(connection, state)
            return state

    def commit(self, new: Sequence[NewDocument], read: Sequence[ReadSource] = ()) -> None:
        """Store documents, replacing those of the same id, and mark files as read."""
        with self._changing() as (connection, state):
            source_ids = _source_rows(connection, state, {each.source for each in new if each.source is not None})
            for document in new:
                _put(connection, state, document, source_ids)
            for source in read:
                _mark_read(connection, state, source)
                of = _source_rows(connection, state, [source.path])[source.path]
                _remove(connection, state, _rows_of(connection, state, source.gone, source=of))

    def change(self, metadatas: Mapping[str, Metadata]) -> None:
        """Replace the metadata of documents, by id; nothing is encoded."""
        with self._changing() as (connection, state):
            for key, metadata in metadatas.items():
                connection.execute(
                    update(documents)
                    .where(documents.c.collection_id == state.id, documents.c.key == key)
                    .values(metadata=_json(metadata), indexed_at=_now())
                )

    def remove(self, keys: Sequence[str]) -> int:
        """Delete documents by id; gives how many were there. A file of theirs counts as not yet read again."""
        with self._changing() as (connection, state):
            rows = _rows_of(connection, state, keys)
            for some in portions(rows, _MANY):
                of = select(documents.c.source_id).where(documents.c.id.in_(some))
                connection.execute(update(sources).where(sources.c.id.in_(of)).values(digest=""))
            return _remove(connection, state, rows)

    def forget_sources(self, paths: Sequence[str]) -> int:
        """Delete files with all their documents; gives how many documents."""
        with self._changing() as (connection, state):
            removed = 0
            for some in portions(paths, _MANY):
                of = select(sources.c.id).where(sources.c.collection_id == state.id, sources.c.path.in_(some))
                rows = connection.scalars(select(documents.c.id).where(documents.c.source_id.in_(of))).all()
                removed += _remove(connection, state, rows)
                connection.execute(delete(sources).where(sources.c.id.in_(of)))
            return removed

    def note_failures(self, errors: Mapping[str, str]) -> None:
        """Remember why files could not be read this time, by stored path; what they gave before stays."""
        with self._database.transaction() as connection:
            state = get_state(connection, self._name)
            for path, row in _source_rows(connection, state, errors).items():
                connection.execute(update(sources).where(sources.c.id == row).values(error=errors[path]))

    def stage(self, rows: Mapping[str, Vector]) -> None:
        """Keep vectors of a document that is not complete yet, by the sha256 of the encoded text."""
        with self._database.transaction() as connection:
            state = get_state(connection, self._name)
            kind = dtype(state.precision)
            values = [
                {"collection_id": state.id, "digest": digest, "vector": row.astype(kind).tobytes()}
                for digest, row in rows.items()
            ]
            connection.execute(upsert(staged).on_conflict_do_nothing(), values)

    def change_language(self, language: str) -> None:
        """Make the text index anew with the stems of another language."""
        with self._database.transaction() as connection:
            at = collections.c.name == self._name
            connection.execute(update(collections).where(at).values(language=language, revision=collections.c.revision + 1))
            fulltext.rebuild(connection, get_state(connection, self._name))

    def drop_staged(self) -> None:
        """Forget them: the run is complete."""
        with self._database.transaction() as connection:
            connection.execute(delete(staged).where(staged.c.collection_id == get_state(connection, self._name).id))

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, CollectionState]]:
        with self._database.transaction() as connection:
            state = get_state(connection, self._name)
            yield connection, state
            connection.execute(
                update(collections).where(collections.c.id == state.id).values(revision=collections.c.revision + 1)
            )


def drop_collection(database: Database, name: str) -> None:
    """Delete a collection with everything in it. Raises UnknownCollection."""
    with database.transaction() as connection:
        state = get_state(connection, name)
        of = select(chunks.c.id).where(chunks.c.collection_id == state.id)
        connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of)))
        for table in (chunks, documents, sources):
            connection.execute(delete(table).where(table.c.collection_id == state.id))
        connection.execute(delete(collections).where(collections.c.id == state.id))
        fulltext.drop(connection, state)


def rename_collection(database: Database, old: str, new: str) -> None:
    """Raises UnknownCollection. The caller has checked that `new` is free."""
    with database.transaction() as connection:
        state = get_state(connection, old)
        connection.execute(update(collections).where(collections.c.id == state.id).values(name=new))


def encoded_digest(text: str) -> str:
    """The name of an encoded text among the staged vectors."""
    return hashlib.sha256(text.encode()).hexdigest()


def _put(connection: Connection, state: CollectionState, new: NewDocument, source_ids: Mapping[str, int]) -> None:
    source = None if new.source is None else source_ids[new.source]
    values = {
        "source_id": source, "title": new.title, "metadata": _json(new.metadata), "digest": new.digest, "indexed_at": _now(),
    }  # fmt: skip
    row = connection.scalar(select(documents.c.id).where(documents.c.collection_id == state.id, documents.c.key == new.key))
    if row is None:
        statement = insert(documents).values(collection_id=state.id, key=new.key, text=new.text, **values)
        row = connection.execute(statement.returning(documents.c.id)).scalar_one()
    else:
        _remove_chunks(connection, state, [row])
        connection.execute(update(documents).where(documents.c.id == row).values(text=new.text, **values))
    _add_chunks(connection, state, row, new)


def _add_chunks(connection: Connection, state: CollectionState, document: int, new: NewDocument) -> None:
    first = 1 + (connection.exec_driver_sql(_HIGHEST_CHUNK).scalar() or 0)
    ids = range(first, first + len(new.cuts))
    blobs = [row.tobytes() for row in np.ascontiguousarray(new.vectors).astype(dtype(state.precision))]
    connection.execute(
        insert(chunks),
        [
            {
                "id": i, "collection_id": state.id, "document_id": document, "ordinal": n, "start": cut.start, "end": cut.end,
                "place": _json(cut.place) if cut.place else None, "context": cut.context or None,
            }
            for n, (i, cut) in enumerate(zip(ids, new.cuts, strict=True))
        ],
    )  # fmt: skip
    connection.execute(insert(vectors), [{"chunk_id": i, "vector": b} for i, b in zip(ids, blobs, strict=True)])
    bodies = [(i, new.title, cut.context, new.text[cut.start : cut.end]) for i, cut in zip(ids, new.cuts, strict=True)]
    fulltext.add(connection, state, bodies)


def _rows_of(connection: Connection, state: CollectionState, keys: Sequence[str], *, source: int | None = None) -> list[int]:
    """Rows of documents by id, of one source where that is given: by now another may have taken the id over."""
    rows: list[int] = []
    for some in portions(list(dict.fromkeys(keys)), _MANY):
        found = select(documents.c.id).where(documents.c.collection_id == state.id, documents.c.key.in_(some))
        rows.extend(connection.scalars(found if source is None else found.where(documents.c.source_id == source)))
    return rows


def _remove(connection: Connection, state: CollectionState, rows: Sequence[int]) -> int:
    for some in portions(rows, _MANY):
        _remove_chunks(connection, state, some)
        connection.execute(delete(documents).where(documents.c.id.in_(some)))
    return len(rows)


def _remove_chunks(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """Text index first: it needs the texts that the rows still hold."""
    fulltext.remove_documents(connection, state, rows)
    of = select(chunks.c.id).where(chunks.c.document_id.in_(rows))
    marks = select(chunks.c.collection_id, chunks.c.id).where(chunks.c.document_id.in_(rows))
    connection.execute(insert(tombstones).from_select(["collection_id", "chunk_id"], marks))
    connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of)))
    connection.execute(delete(chunks).where(chunks.c.document_id.in_(rows)))


def _source_rows(connection: Connection, state: CollectionState, paths: Iterable[str]) -> dict[str, int]:
    """Rows of files, made as not yet read where they are new."""
    found = {}
    for path in paths:
        values = {"path": path, "digest": "", "split": "", "mounted": False, "indexed_at": _now(), "reading": READING}
        connection.execute(upsert(sources).values(collection_id=state.id, **values).on_conflict_do_nothing())
        row = select(sources.c.id).where(sources.c.collection_id == state.id, sources.c.path == path)
        found[path] = connection.execute(row).scalar_one()
    return found


def _mark_read(connection: Connection, state: CollectionState, source: ReadSource) -> None:
    values = {
        "digest": source.digest, "split": source.split.value, "error": source.error, "mounted": source.mounted,
        "indexed_at": _now(), "reading": READING,
    }  # fmt: skip
    statement = upsert(sources).values(collection_id=state.id, path=source.path, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["collection_id", "path"], set_=values))


def _json(metadata: Metadata) -> str:
    return json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
