"""Writing: each method is one transaction, acknowledged when it returns, and SQLite holds all of it or nothing.

Rows are committed first, the index file after them (`publish`), so that a kill between the two only leaves the file behind,
never ahead. Use inside `Database.locked()`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.batched import batched
from vecsearch.core.settings import LOADER_VERSION, READ_DOCUMENTS
from vecsearch.core.types import ChunkSpan, Metadata, Precision, Split
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state, get_replacement_name, get_state
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import get_last_number
from vecsearch.stores.sqlite.engine.tables import chunks, collections, documents, sources, staged, tombstones, vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.vectors.faiss_segment import Vector, get_dtype

PROVIDED_VECTORS_MARK: Final = "brought:"  # before the digest of a document whose vector the caller made up
_IN_VALUES_MAX: Final = 10_000
_JSON_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to store: `vectors` holds one unit float32 row for each cut."""

    key: str
    source: str | None
    text: str
    title: str | None
    metadata: Metadata
    digest: str
    spans: tuple[ChunkSpan, ...]
    vectors: Vector
    preserved_fields: PreservedFields | None = None


@dataclass(frozen=True, slots=True)
class PreservedFields:
    """What a document that was stored before keeps as it stands: its metadata, a JSON object, and when it was indexed."""

    metadata: str
    indexed_at: str


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file whose documents are all stored once this is; `gone` are ids it no longer gives."""

    path: str
    digest: str
    split: Split
    error: str | None
    mounted: bool
    removed_ids: tuple[str, ...] = ()


class Writer:
    """Writes one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name

    def ensure_collection(
        self, *, encoder: str, fingerprint: str, dimension: int, precision: Precision, language: str
    ) -> CollectionState:
        """The collection, made now if it is not there."""
        with self._database.begin_write() as connection:
            state = find_state(connection, self._name)
            if state is None:
                connection.execute(
                    insert(collections).values(
                        name=self._name, encoder=encoder, fingerprint=fingerprint, dimension=dimension,
                        precision=precision.value, created_at=_get_timestamp(), language=language,
                    )
                )  # fmt: skip
                state = get_state(connection, self._name)
                term_tables.create(connection, state)
            return state

    def commit(self, new_documents: Sequence[NewDocument], indexed_files: Sequence[IndexedFile] = ()) -> None:
        """Store documents, replacing those of the same id, and mark files as read."""
        with self._begin_change() as (connection, state):
            _store_documents(connection, state, list({each.key: each for each in new_documents}.values()))
            for source in indexed_files:
                _mark_indexed(connection, state, source)
                of = _ensure_source_rows(connection, state, [source.path])[source.path]
                _delete_documents(
                    connection, state, list(_find_document_rows(connection, state, source.removed_ids, source=of).values())
                )

    def update_metadata(self, metadatas: Mapping[str, Metadata]) -> None:
        """Replace the metadata of documents, by id; nothing is encoded."""
        with self._begin_change() as (connection, state):
            for some in batched(metadatas, _IN_VALUES_MAX):
                rows = _find_document_rows(connection, state, some)
                _delete_metadata_entries(connection, state, rows.values())
                changed = [(rows[key], _dump_json(metadatas[key])) for key in some if key in rows]
                now = _get_timestamp()
                _UPDATE_METADATA.run_many(connection, [(metadata, now, row) for row, metadata in changed])
                metadata_index.add(connection, state.id, changed)

    def delete_documents(self, keys: Sequence[str]) -> int:
        """Delete documents by id; gives how many were there. A file of theirs counts as not yet read again."""
        with self._begin_change() as (connection, state):
            rows = list(_find_document_rows(connection, state, keys).values())
            for some in batched(rows, _IN_VALUES_MAX):
                of = select(documents.c.source_id).where(documents.c.id.in_(some))
                connection.execute(update(sources).where(sources.c.id.in_(of)).values(digest=""))
            return _delete_documents(connection, state, rows)

    def delete_sources(self, paths: Sequence[str]) -> int:
        """Delete files with all their documents; gives how many documents."""
        with self._begin_change() as (connection, state):
            removed = 0
            for some in batched(paths, _IN_VALUES_MAX):
                of = select(sources.c.id).where(sources.c.collection_id == state.id, sources.c.path.in_(some))
                rows = connection.scalars(select(documents.c.id).where(documents.c.source_id.in_(of))).all()
                removed += _delete_documents(connection, state, rows)
                connection.execute(delete(sources).where(sources.c.id.in_(of)))
            return removed

    def record_failures(self, errors: Mapping[str, str]) -> None:
        """Remember why files could not be read this time, by stored path; what they gave before stays."""
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            for path, row in _ensure_source_rows(connection, state, errors).items():
                connection.execute(update(sources).where(sources.c.id == row).values(error=errors[path]))

    def stage_vectors(self, rows: Mapping[str, Vector]) -> None:
        """Keep vectors of a document that is not complete yet, by the sha256 of the encoded text."""
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            kind = get_dtype(state.precision)
            values = [
                {"collection_id": state.id, "digest": digest, "vector": row.astype(kind).tobytes()}
                for digest, row in rows.items()
            ]
            connection.execute(upsert(staged).on_conflict_do_nothing(), values)

    def change_language(self, language: str) -> None:
        """Make the text index anew with the stems of another language."""
        with self._database.begin_write() as connection:
            at = collections.c.name == self._name
            connection.execute(update(collections).where(at).values(language=language, revision=collections.c.revision + 1))
            term_tables.rebuild(connection, get_state(connection, self._name))

    def drop_staged(self) -> None:
        """Forget them: the run is complete."""
        with self._database.begin_write() as connection:
            connection.execute(delete(staged).where(staged.c.collection_id == get_state(connection, self._name).id))

    @contextmanager
    def _begin_change(self) -> Iterator[tuple[Connection, CollectionState]]:
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            yield connection, state
            connection.execute(
                update(collections).where(collections.c.id == state.id).values(revision=collections.c.revision + 1)
            )


def drop_collection(database: Database, name: str) -> None:
    """Delete a collection with everything in it, and what was to take its place. Raises UnknownCollection."""
    with database.begin_write() as connection:
        for state in (get_state(connection, name), find_state(connection, get_replacement_name(name))):
            if state is not None:
                drop(connection, state)


def drop(connection: Connection, state: CollectionState) -> None:
    """Delete a collection with everything in it; its index files are leftovers then."""
    of = select(chunks.c.id).where(chunks.c.collection_id == state.id)
    connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of)))
    metadata_index.drop(connection, state.id)
    for each in (chunks, documents, sources):
        connection.execute(delete(each).where(each.c.collection_id == state.id))
    connection.execute(delete(collections).where(collections.c.id == state.id))
    term_tables.drop(connection, state)


def rename_collection(database: Database, old: str, new: str) -> None:
    """With what is to take its place. Raises UnknownCollection. The caller has checked that `new` is free."""
    with database.begin_write() as connection:
        get_state(connection, old)
        for there, then in ((old, new), (get_replacement_name(old), get_replacement_name(new))):
            connection.execute(update(collections).where(collections.c.name == there).values(name=then))


def _store_documents(connection: Connection, state: CollectionState, new_documents: Sequence[NewDocument]) -> None:
    """Store documents, each of another id; one that is there keeps its row, and gets new chunks."""
    there = _find_document_rows(connection, state, [each.key for each in new_documents])
    for some in batched(there.values(), _IN_VALUES_MAX):
        _delete_chunks(connection, state, some)
    fresh = iter(_allocate_ids(connection, documents, len(new_documents) - len(there)))
    rows = [there[each.key] if each.key in there else next(fresh) for each in new_documents]
    source_ids = _ensure_source_rows(connection, state, {each.source for each in new_documents if each.source is not None})
    metadatas = [
        _dump_json(each.metadata) if each.preserved_fields is None else each.preserved_fields.metadata for each in new_documents
    ]
    now = _get_timestamp()
    added, replaced = [], []
    for row, each, metadata in zip(rows, new_documents, metadatas, strict=True):
        source = None if each.source is None else source_ids[each.source]
        rest = (
            each.title,
            each.text,
            metadata,
            each.digest,
            now if each.preserved_fields is None else each.preserved_fields.indexed_at,
        )
        if each.key in there:
            replaced.append((source, *rest, row))
        else:
            added.append((row, state.id, source, each.key, *rest))
    _ADD_DOCUMENT.run_many(connection, added)
    _REPLACE_DOCUMENT.run_many(connection, replaced)
    metadata_index.add(connection, state.id, zip(rows, metadatas, strict=True))
    _add_chunks(connection, state, rows, new_documents)


def _add_chunks(
    connection: Connection, state: CollectionState, rows: Sequence[int], new_documents: Sequence[NewDocument]
) -> None:
    cuts = [(row, each, n, cut) for row, each in zip(rows, new_documents, strict=True) for n, cut in enumerate(each.spans)]
    ids = _allocate_ids(connection, chunks, len(cuts))
    _ADD_CHUNK.run_many(
        connection,
        [
            (i, state.id, row, n, cut.start, cut.end, _dump_json(cut.location) if cut.location else None, cut.context or None)
            for i, (row, _, n, cut) in zip(ids, cuts, strict=True)
        ],
    )
    blobs = (
        vector.tobytes() for each in new_documents for vector in np.ascontiguousarray(each.vectors, get_dtype(state.precision))
    )
    _ADD_VECTOR.run_many(connection, list(zip(ids, blobs, strict=True)))
    bodies = (
        (i, each.title, cut.context, each.text[cut.start : cut.end]) for i, (_, each, _, cut) in zip(ids, cuts, strict=True)
    )
    term_tables.add(connection, state, bodies)


def _allocate_ids(connection: Connection, table: Table, count: int) -> range:
    """Row ids that no row has had, ascending."""
    first = 1 + (get_last_number(connection, table) or 0)
    return range(first, first + count)


def _find_document_rows(
    connection: Connection, state: CollectionState, keys: Sequence[str], *, source: int | None = None
) -> dict[str, int]:
    """Rows of documents by id, of one source where that is given: by now another may have taken the id over."""
    rows: dict[str, int] = {}
    for some in batched(dict.fromkeys(keys), _IN_VALUES_MAX):
        found = select(documents.c.key, documents.c.id).where(documents.c.collection_id == state.id, documents.c.key.in_(some))
        found = found if source is None else found.where(documents.c.source_id == source)
        rows.update((key, row) for key, row in connection.execute(found))
    return rows


def _delete_documents(connection: Connection, state: CollectionState, rows: Sequence[int]) -> int:
    for some in batched(rows, _IN_VALUES_MAX):
        _delete_chunks(connection, state, some)
        connection.execute(delete(documents).where(documents.c.id.in_(some)))
    return len(rows)


def _delete_chunks(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """With facts and words, which come first: they need the texts and the metadata that the documents still hold."""
    _delete_metadata_entries(connection, state, rows)
    term_tables.remove_documents(connection, state, rows)
    of = select(chunks.c.id).where(chunks.c.document_id.in_(rows))
    marks = select(chunks.c.collection_id, chunks.c.id).where(chunks.c.document_id.in_(rows))
    connection.execute(insert(tombstones).from_select(["collection_id", "chunk_id"], marks))
    connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of)))
    connection.execute(delete(chunks).where(chunks.c.document_id.in_(rows)))


def _delete_metadata_entries(connection: Connection, state: CollectionState, rows: Iterable[int]) -> None:
    for some in batched(rows, READ_DOCUMENTS):
        stored = connection.execute(select(documents.c.id, documents.c.metadata).where(documents.c.id.in_(some)))
        metadata_index.remove(connection, state.id, [(row, metadata) for row, metadata in stored])


def _ensure_source_rows(connection: Connection, state: CollectionState, paths: Iterable[str]) -> dict[str, int]:
    """Rows of files, made as not yet read where they are new."""
    found = {}
    for path in paths:
        values = {
            "path": path,
            "digest": "",
            "split": "",
            "mounted": False,
            "indexed_at": _get_timestamp(),
            "reading": LOADER_VERSION,
        }
        connection.execute(upsert(sources).values(collection_id=state.id, **values).on_conflict_do_nothing())
        row = select(sources.c.id).where(sources.c.collection_id == state.id, sources.c.path == path)
        found[path] = connection.execute(row).scalar_one()
    return found


def _mark_indexed(connection: Connection, state: CollectionState, indexed_file: IndexedFile) -> None:
    values = {
        "digest": indexed_file.digest,
        "split": indexed_file.split.value,
        "error": indexed_file.error,
        "mounted": indexed_file.mounted,
        "indexed_at": _get_timestamp(),
        "reading": LOADER_VERSION,
    }
    statement = upsert(sources).values(collection_id=state.id, path=indexed_file.path, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["collection_id", "path"], set_=values))


def _dump_json(metadata: Metadata) -> str:
    return _JSON_ENCODER.encode(dict(metadata))


def _get_timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


_ADD_DOCUMENT: Final = PreparedStatement(insert(documents))
_REPLACED_COLUMNS: Final = ("source_id", "title", "text", "metadata", "digest", "indexed_at")
_REPLACE_DOCUMENT: Final = PreparedStatement(
    update(documents)
    .where(documents.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}") for name in _REPLACED_COLUMNS})
)
_UPDATE_METADATA: Final = PreparedStatement(
    update(documents)
    .where(documents.c.id == bindparam("row"))
    .values(metadata=bindparam("new_metadata"), indexed_at=bindparam("now"))
)
_ADD_CHUNK: Final = PreparedStatement(insert(chunks))
_ADD_VECTOR: Final = PreparedStatement(insert(vectors))
