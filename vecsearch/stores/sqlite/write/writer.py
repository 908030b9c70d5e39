"""Writing: each method is one transaction, committed when it returns, and SQLite holds all of it or nothing.

Rows are committed first, the index file after them (`publish`), so that a kill between the two only leaves the file behind,
never ahead. Use inside `SQLiteStore.hold_lock`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Connection, Integer, bindparam, delete, func, insert, or_, select, update

from vecsearch.core.batched import batched
from vecsearch.core.preferences import Preference
from vecsearch.core.roots import Root
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.types import JSON, ChunkId, Metadata, Precision
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import CollectionInfo, Continuation, IndexedFile, NewDocument, Preparation, QueryMap, Vector
from vecsearch.stores.sqlite.engine.collections import CollectionName, CollectionState, find_state, get_state
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import allocate_numbers
from vecsearch.stores.sqlite.engine.stored_values import format_payload, format_stored_json
from vecsearch.stores.sqlite.engine.tables import chunks, collections, documents, sources, tombstones, vectors
from vecsearch.stores.sqlite.engine.versions import increase_data_version
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.read.snapshot import SnapshotReader, SQLiteSnapshot, describe_collection
from vecsearch.stores.sqlite.write import (
    collection_rows,
    compaction,
    noise_floor_row,
    pending_rows,
    preference_writes,
    query_map_writes,
    root_writes,
)  # fmt: skip
from vecsearch.stores.sqlite.write.preparation import begin_or_take_analysis
from vecsearch.stores.sqlite.write.source_writes import ensure_source_rows, mark_indexed, mark_skipped
from vecsearch.stores.sqlite.write.text_rows import add_texts, delete_parts, extend_text, split_text

_IN_VALUES_MAX: Final = 10_000


class SQLiteWriter:
    """Writes one collection; see `stores.base.Writer`. Only while the write lock is held."""

    def __init__(
        self,
        database: DatabaseFolder,
        name: CollectionName,
        snapshot: Callable[[], AbstractContextManager[SQLiteSnapshot | None]] | None = None,
        note_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up a writer; `note_change` is called after each change of rows, which may make writing index files due."""
        self._database, self._name, self._note_change = database, name, note_change
        self._open_snapshot = snapshot or SnapshotReader(database, name).open_snapshot

    def open_snapshot(self) -> AbstractContextManager[SQLiteSnapshot | None]:
        """Open the collection as it is now, to read from; None while it is not there."""
        return self._open_snapshot()

    @property
    def info(self) -> CollectionInfo | None:
        """Return the collection as it is now; None while it is not there."""
        with self._database.begin_driver_read() as opened:
            state = find_state(opened.driver, self._name)
        return None if state is None else describe_collection(state)

    def ensure(
        self, encoder: EncoderSpec, *, precision: Precision, stemmer: str, metadata: Metadata | None = None
    ) -> CollectionInfo:
        """Return the collection, created now if it is not there."""
        with self._database.begin_write() as connection:
            state = find_state(connection, self._name)
            if state is None:
                state = collection_rows.create(
                    connection, self._name, encoder, precision=precision, stemmer=stemmer, metadata=metadata or {}
                )
            return describe_collection(state)

    def commit(
        self,
        documents: Sequence[NewDocument] = (),
        files: Sequence[IndexedFile] = (),
        *,
        metadata: Mapping[str, Metadata] | None = None,
        payloads: Mapping[str, JSON] | None = None,
        continuations: Sequence[Continuation] = (),
        preparation: Preparation | None = None,
    ) -> None:
        """Store documents, replacing those of the same id, replace the metadata and the payloads of others, and mark files as
        read. Continue the texts of documents, of those stored now too; a document that is not there is left out. A
        `preparation` of just these documents is used."""
        with self._begin_change() as (connection, state):
            unique = list({document.id: document for document in documents}.values())
            _store_documents(connection, state, unique, preparation)
            for continuation in continuations:
                _extend_document(connection, state, continuation)
            _set_metadata(connection, state, metadata or {})
            _set_payloads(connection, state, payloads or {})
            mark_indexed(connection, state, files)
            for file in files:
                if file.removed_ids:
                    row = ensure_source_rows(connection, state, [file.path])[file.path]
                    removed = _find_document_rows(connection, state, file.removed_ids, source=row)
                    _delete_documents(connection, state, list(removed.values()))

    def set_metadata(self, metadata: Mapping[str, Metadata]) -> None:
        """Replace the metadata of documents, by id; nothing is encoded."""
        with self._begin_change() as (connection, state):
            _set_metadata(connection, state, metadata)

    def set_collection_metadata(self, metadata: Metadata) -> None:
        """Replace the metadata of the collection itself."""
        with self._database.begin_write() as connection:
            collection_rows.set_metadata(connection, get_state(connection, self._name), metadata)

    def delete_documents(self, ids: Sequence[str], *, ignore: bool = False) -> int:
        """Delete documents by id; returns how many were there. A file of theirs is read again by the next run; `ignore`: without
        them from then on."""
        with self._begin_change() as (connection, state):
            rows = list(_find_document_rows(connection, state, ids).values())
            for batch in batched(rows, _IN_VALUES_MAX):
                if ignore:
                    root_writes.ignore_documents(connection, state, batch)
                of_rows = select(documents.c.source_id).where(documents.c.id.in_(batch))
                connection.execute(update(sources).where(sources.c.id.in_(of_rows)).values(digest=None))
            return _delete_documents(connection, state, rows)

    def delete_sources(self, paths: Sequence[str]) -> int:
        """Delete files with all their documents; returns how many documents."""
        with self._begin_change() as (connection, state):
            removed = 0
            for batch in batched(paths, _IN_VALUES_MAX):
                files = select(sources.c.id).where(sources.c.collection_id == state.id, sources.c.path.in_(batch))
                rows = connection.scalars(select(documents.c.id).where(documents.c.source_id.in_(files))).all()
                removed += _delete_documents(connection, state, rows)
                connection.execute(delete(sources).where(sources.c.id.in_(files)))
        return removed

    def record_failures(self, errors: Mapping[str, str]) -> None:
        """Record why files could not be read this time, by stored path; what they gave before stays."""
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            for path, row in ensure_source_rows(connection, state, errors).items():
                connection.execute(update(sources).where(sources.c.id == row).values(error=errors[path], skipped=None))

    def record_skips(self, reasons: Mapping[str, str]) -> None:
        """Record why files, by stored path, were passed over: they have no documents."""
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            mark_skipped(connection, state, reasons)

    def set_roots(self, roots: Sequence[Root], *, changed: Sequence[Path] = ()) -> None:
        """Store roots; files below paths that have `changed` are read again."""
        with self._database.begin_write() as connection:
            root_writes.set_roots(connection, get_state(connection, self._name), self._database.parent, roots, changed)

    def forget_roots(self, paths: Sequence[str]) -> int:
        """Forget roots; returns how many there were."""
        with self._database.begin_write() as connection:
            return root_writes.forget_roots(connection, get_state(connection, self._name), self._database.parent, paths)

    def set_preferences(self, profile: str, preferences: Sequence[Preference]) -> None:
        """Store preferences of a profile, in the place of those of the same documents."""
        with self._database.begin_write() as connection:
            preference_writes.set_preferences(connection, get_state(connection, self._name), profile, preferences)

    def delete_preferences(self, profile: str, ids: Sequence[str] | None = None) -> int:
        """Delete what a profile holds of some documents, or the whole profile; returns how many preferences there were."""
        with self._database.begin_write() as connection:
            return preference_writes.delete_preferences(connection, get_state(connection, self._name), profile, ids)

    def set_query_map(self, query_map: QueryMap | None) -> bool:
        """Keep a map of questions, None for none; returns whether there was one."""
        with self._database.begin_write() as connection:
            return query_map_writes.set_query_map(connection, get_state(connection, self._name), query_map)

    def stop_ignoring(self, ids: Sequence[str]) -> int:
        """Take documents that are kept away again; returns how many there were."""
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            return sum(root_writes.stop_ignoring(connection, state, batch) for batch in batched(ids, _IN_VALUES_MAX))

    def attach_vectors(self, vectors: Mapping[ChunkId, Vector]) -> int:
        """Give chunks the vectors that they wait for; returns how many. One that waits no more is left out."""
        with self._begin_change() as (connection, state):
            return pending_rows.fill(connection, state, vectors)

    def set_stemmer(self, stemmer: str) -> None:
        """Rebuild the text index with another stemmer."""
        with self._database.begin_write() as connection:
            row = collections.c.id == get_state(connection, self._name).id
            values = {"stemmer": stemmer, "data_version": collections.c.data_version + 1}
            connection.execute(update(collections).where(row).values(**values))
            term_tables.rebuild(connection, get_state(connection, self._name))

    def refresh_indexes(self) -> None:
        """Bring the index files up to date now; warns where that cannot be done."""
        compaction.publish_if_possible(self._database, self._name)

    def optimize(self, *, full: bool = False) -> None:
        """Fold new rows into the index files and deleted ones out; `full` writes them again, as few as can be."""
        compaction.publish(self._database, self._name, deleted_ratio=0.0, merge_all=full)
        self._note_change()

    @contextmanager
    def _begin_change(self) -> Iterator[tuple[Connection, CollectionState]]:
        with self._database.begin_write() as connection:
            state = get_state(connection, self._name)
            yield connection, state
            increase_data_version(connection, state)
        self._note_change()


def _set_metadata(connection: Connection, state: CollectionState, metadata: Mapping[str, Metadata]) -> None:
    for batch in batched(metadata, _IN_VALUES_MAX):
        rows = _find_document_rows(connection, state, batch)
        _delete_metadata_entries(connection, state, rows.values())
        changed = [(rows[key], format_stored_json(metadata[key])) for key in batch if key in rows]
        now = get_timestamp()
        _UPDATE_METADATA.run_many(connection, [(stored, now, row) for row, stored in changed])
        metadata_index.add(connection, state.id, changed)


def _set_payloads(connection: Connection, state: CollectionState, payloads: Mapping[str, JSON]) -> None:
    for batch in batched(payloads, _IN_VALUES_MAX):
        rows = _find_document_rows(connection, state, batch)
        now = get_timestamp()
        _UPDATE_PAYLOAD.run_many(connection, [(now, format_payload(payloads[key]), row) for key, row in rows.items()])


def _store_documents(
    connection: Connection, state: CollectionState, new_documents: Sequence[NewDocument], preparation: Preparation | None = None
) -> None:
    """Store documents, each of another id; one that is there keeps its row, and gets new chunks."""
    existing_rows = _find_document_rows(connection, state, [document.id for document in new_documents])
    for batch in batched(existing_rows.values(), _IN_VALUES_MAX):
        _delete_chunks(connection, state, batch)
    fresh = iter(allocate_numbers(connection, documents, len(new_documents) - len(existing_rows)))
    rows = [existing_rows[document.id] if document.id in existing_rows else next(fresh) for document in new_documents]
    source_ids = ensure_source_rows(
        connection, state, {document.source for document in new_documents if document.source is not None}
    )
    metadatas = [
        format_stored_json(document.metadata) if document.preserved is None else document.preserved.metadata
        for document in new_documents
    ]
    texts = [split_text(row, document) for row, document in zip(rows, new_documents, strict=True)]
    entries = list(zip(rows, new_documents, [of_document[0].text for of_document in texts], metadatas, strict=True))
    written = partial(_iterate_values, entries, source_ids, get_timestamp())
    all_texts = [text for of_document in texts for text in of_document]
    with begin_or_take_analysis(preparation, state.stemmer, new_documents, all_texts) as analysis:
        _ADD_DOCUMENT.run_many(
            connection,
            (
                (row, state.id, source, document.id, *rest)
                for row, document, (source, *rest) in written()
                if document.id not in existing_rows
            ),
        )
        _REPLACE_DOCUMENT.run_many(
            connection, ((*values, row) for row, document, values in written() if document.id in existing_rows)
        )
        metadata_index.add(connection, state.id, zip(rows, metadatas, strict=True))
        add_texts(connection, state, all_texts, analysis)


def _extend_document(connection: Connection, state: CollectionState, continuation: Continuation) -> None:
    rows = list(_find_document_rows(connection, state, [continuation.id]).values())
    for row in rows:
        _delete_chunks_where(connection, state, (chunks.c.document_id == row) & (chunks.c.start >= continuation.start))
        delete_parts(connection, [row], start=continuation.start)
        extend_text(connection, state, row, continuation, get_timestamp())


def _iterate_values(
    entries: Iterable[tuple[int, NewDocument, str, str]], source_ids: Mapping[str, int], now: str
) -> Iterator[tuple[int, NewDocument, tuple[Any, ...]]]:
    """Yield what is written of each document, new or not, in the order of _REPLACED_COLUMNS.

    One by one: thousands of tuples that live as long as their batch would keep Python's collector busy.
    """
    for row, document, text, metadata in entries:
        source = None if document.source is None else source_ids[document.source]
        indexed_at, payload = _get_preserved(document, now)
        values = (source, document.title, text, metadata, document.digest, document.vector_origin, indexed_at, payload)
        yield row, document, values


def _get_preserved(document: NewDocument, now: str) -> tuple[str, str | None]:
    """Return when a document was indexed, and its payload as it is stored."""
    if document.preserved is None:
        return now, format_payload(document.payload)
    return document.preserved.indexed_at, document.preserved.payload


def _find_document_rows(
    connection: Connection, state: CollectionState, keys: Sequence[str], *, source: int | None = None
) -> dict[str, int]:
    """Return the rows of documents by id, of one source where that is given: by now another may have taken the id over."""
    rows: dict[str, int] = {}
    for batch in batched(dict.fromkeys(keys), _IN_VALUES_MAX):
        found = _FIND_DOCUMENTS.run(connection, collection=state.id, keys=json.dumps(batch), source=source)
        rows.update((key, row) for key, row in found)
    return rows


def _delete_documents(connection: Connection, state: CollectionState, rows: Sequence[int]) -> int:
    for batch in batched(rows, _IN_VALUES_MAX):
        _delete_chunks(connection, state, batch)
        connection.execute(delete(documents).where(documents.c.id.in_(batch)))
    return len(rows)


def _delete_chunks(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """Delete with index entries, which go first: that needs the metadata that the documents still hold. Parts of texts go too."""
    _delete_metadata_entries(connection, state, rows)
    _delete_chunks_where(connection, state, chunks.c.document_id.in_(rows))
    delete_parts(connection, rows)


def _delete_chunks_where(connection: Connection, state: CollectionState, holds: ColumnElement[bool]) -> None:
    of = select(chunks.c.id).where(holds)
    term_tables.remove(connection, state, np.array(connection.scalars(of.order_by(chunks.c.id)).all(), np.int64))
    marks = select(chunks.c.collection_id, chunks.c.id).where(holds)
    pending_rows.remove(connection, state, of)
    connection.execute(insert(tombstones).from_select(["collection_id", "chunk_id"], marks))
    noise_floor_row.count_changes(
        connection, state, connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of))).rowcount
    )
    connection.execute(delete(chunks).where(holds))


def _delete_metadata_entries(connection: Connection, state: CollectionState, rows: Iterable[int]) -> None:
    for batch in batched(rows, READ_DOCUMENTS):
        stored = connection.execute(select(documents.c.id, documents.c.metadata).where(documents.c.id.in_(batch)))
        metadata_index.remove(connection, state.id, [(row, metadata) for row, metadata in stored])


_SOURCE: Final = bindparam("source", type_=Integer)
_FIND_DOCUMENTS: Final = PreparedStatement(
    select(documents.c.external_id, documents.c.id).where(
        documents.c.collection_id == bindparam("collection"),
        documents.c.external_id.in_(select(func.json_each(bindparam("keys")).table_valued("value").c.value)),
        or_(_SOURCE.is_(None), documents.c.source_id == _SOURCE),
    )
)
_ADD_DOCUMENT: Final = PreparedStatement(insert(documents))
_REPLACED_COLUMNS: Final = ("source_id", "title", "text", "metadata", "digest", "vector_origin", "indexed_at", "payload")
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
_UPDATE_PAYLOAD: Final = PreparedStatement(
    update(documents)
    .where(documents.c.id == bindparam("row"))
    .values(indexed_at=bindparam("now"), payload=bindparam("new_payload"))
)
