"""Build a replacement of a collection under a hidden name, and swap it in atomically; re-embedding uses it.

Both lie in one database, so that readers see the old one until the swap is committed and the new one from then on. What a kill
leaves has a hidden name: an unfinished replacement is continued, a replaced collection is dropped by the next writer.
Use inside `SQLiteStore.hold_lock`, but for what only reads.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.batched import batched
from vecsearch.core.errors import StorageError
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.core.types import Precision, VectorOrigin
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import OutdatedDocument, PreservedFields
from vecsearch.stores.sqlite.engine.collections import (
    CollectionRole,
    CollectionState,
    find_state,
    get_replacement_ref,
    get_state,
    list_leftovers,
)
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import (
    build_text_length,
    build_whole_text,
    chunks,
    collections,
    documents,
    ignored_documents,
    preferences,
    query_maps,
    roots,
    sources,
)
from vecsearch.stores.sqlite.read.full_documents import parse_chunk_span
from vecsearch.stores.sqlite.write import compaction
from vecsearch.stores.sqlite.write.collection_rows import drop
from vecsearch.stores.sqlite.write.writer import SQLiteWriter

_BATCH_CHARACTERS_MAX: Final = 1_000_000  # of documents read together, or one document
_IN_VALUES_MAX: Final = 10_000
_LIVE, _REPLACEMENT = documents.alias("live"), documents.alias("replacement")
_LIVE_FILE, _REPLACEMENT_FILE = sources.alias("live_file"), sources.alias("replacement_file")
_CHUNK_SPANS: Final = PreparedStatement(
    select(chunks.c.start, chunks.c.end, chunks.c.location, chunks.c.context)
    .where(chunks.c.document_id == bindparam("document"))
    .order_by(chunks.c.ordinal)
)
_COPIED_COLUMNS: Final = ("path", "digest", "split", "error", "mounted", "indexed_at", "loader_version", "skipped")  # of sources


def begin_replacement(database: DatabaseFolder, name: str, encoder: EncoderSpec, precision: Precision) -> None:
    """Begin the replacement of a collection, or continue the one begun before, if its vectors are of this kind.

    Raises CollectionNotFoundError.
    """
    with database.begin_write() as connection:
        live, replacement = get_state(connection, name), find_state(connection, get_replacement_ref(name))
        vector_kind = (encoder.fingerprint, encoder.dimension, precision)
        if replacement is not None and (replacement.fingerprint, replacement.dimension, replacement.precision) != vector_kind:
            drop(connection, replacement)
    drop_leftovers(database)
    SQLiteWriter(database, get_replacement_ref(name)).ensure(encoder, precision=precision, stemmer=live.stemmer)


def cancel_replacement(database: DatabaseFolder, name: str) -> bool:
    """Drop what was begun; returns whether there was anything."""
    with database.begin_write() as connection:
        replacement = find_state(connection, get_replacement_ref(name))
        if replacement is not None:
            drop(connection, replacement)
    compaction.clear_leftovers(database)
    return replacement is not None


def list_stale_documents(database: DatabaseFolder, name: str, *, after_row: int) -> list[OutdatedDocument]:
    """List some of the documents, after a row, that the replacement lacks or has otherwise; none for no more."""
    outdated: list[OutdatedDocument] = []
    characters = 0
    with database.begin_read() as connection:
        live, replacement = _get_live_and_replacement(connection, name)
        query = (
            _select_stale_documents(live, replacement).where(_LIVE.c.id > after_row).order_by(_LIVE.c.id).limit(READ_DOCUMENTS)
        )
        for row in connection.execute(query):
            outdated.append(_build_stale_document(connection, row))
            characters += len(row.text)
            if characters >= _BATCH_CHARACTERS_MAX:
                break
    return outdated


def count_stale_characters(database: DatabaseFolder, name: str) -> int:
    """Count the characters that are still to be encoded."""
    with database.begin_read() as connection:
        live, replacement = _get_live_and_replacement(connection, name)
        texts = _select_stale_documents(live, replacement).with_only_columns(func.sum(build_text_length(_LIVE)))
        return int(connection.scalar(texts) or 0)


def _build_stale_document(connection: Connection, row: Any) -> OutdatedDocument:
    span_rows = _CHUNK_SPANS.run(connection, document=row.id)
    cuts = tuple(parse_chunk_span(*span_row) for span_row in span_rows)
    preserved, origin = PreservedFields(row.metadata, row.payload, row.indexed_at), VectorOrigin(row.vector_origin)
    return OutdatedDocument(
        row.id, row.external_id, row.path, row.title, row.text, row.digest, origin, preserved, cuts,
        replaces=row.replacement_id is not None,
    )  # fmt: skip


def _select_stale_documents(live: CollectionState, replacement: CollectionState) -> Select[Any]:
    """Select documents that the replacement does not have as they are now."""
    is_same = (_REPLACEMENT.c.collection_id == replacement.id) & (_REPLACEMENT.c.external_id == _LIVE.c.external_id)
    return (
        select(
            _LIVE.c.id, _LIVE.c.external_id, _LIVE_FILE.c.path, _LIVE.c.title, build_whole_text(_LIVE), _LIVE.c.digest,
            _LIVE.c.metadata, _LIVE.c.payload, _LIVE.c.indexed_at, _LIVE.c.vector_origin,
            _REPLACEMENT.c.id.label("replacement_id"),
        )
        .outerjoin(_REPLACEMENT, is_same)
        .outerjoin(_LIVE_FILE, _LIVE_FILE.c.id == _LIVE.c.source_id)
        .outerjoin(_REPLACEMENT_FILE, _REPLACEMENT_FILE.c.id == _REPLACEMENT.c.source_id)
        .where(_LIVE.c.collection_id + 0 == live.id)  # by row: what an index finds would be sorted, texts and all
        .where(
            or_(
                _REPLACEMENT.c.id.is_(None),
                _REPLACEMENT.c.digest != _LIVE.c.digest,
                _REPLACEMENT.c.metadata != _LIVE.c.metadata,
                _REPLACEMENT.c.payload.is_distinct_from(_LIVE.c.payload),
                (_REPLACEMENT.c.vector_origin == int(VectorOrigin.NONE)) != (_LIVE.c.vector_origin == int(VectorOrigin.NONE)),
                _REPLACEMENT.c.indexed_at != _LIVE.c.indexed_at,
                _REPLACEMENT.c.title.is_distinct_from(_LIVE.c.title),
                _REPLACEMENT_FILE.c.path.is_distinct_from(_LIVE_FILE.c.path),
            )
        )
    )  # fmt: skip


def drop_surplus(database: DatabaseFolder, name: str) -> None:
    """Delete from the replacement what is no longer there."""
    with database.begin_read() as connection:
        live, replacement = _get_live_and_replacement(connection, name)
        is_live = exists().where(_LIVE.c.collection_id == live.id, _LIVE.c.external_id == _REPLACEMENT.c.external_id)
        keys = list(
            connection.scalars(select(_REPLACEMENT.c.external_id).where(_REPLACEMENT.c.collection_id == replacement.id, ~is_live))
        )
    for batch in batched(keys, _IN_VALUES_MAX):
        SQLiteWriter(database, replacement.ref).delete_documents(batch)


def swap_in_replacement(database: DatabaseFolder, name: str) -> None:
    """Give the replacement, which has every document by now, the files, roots and name of the collection, in one transaction.

    The caller has held the lock since it saw that nothing is lacking. The text index gets the collection's current stemmer.
    """
    with database.begin_read() as connection:
        live, replacement = _get_live_and_replacement(connection, name)
    if live.stemmer != replacement.stemmer:
        SQLiteWriter(database, replacement.ref).set_stemmer(live.stemmer)
    with database.begin_write() as connection:
        live, replacement = _get_live_and_replacement(connection, name)
        _copy_sources(connection, live, replacement)
        _check_counts(connection, live, replacement)
        kept = (roots, ignored_documents, preferences)
        is_same_encoder = (live.fingerprint, live.dimension) == (replacement.fingerprint, replacement.dimension)
        for table in (*kept, query_maps) if is_same_encoder else kept:  # a map is of one encoder's questions
            connection.execute(update(table).where(table.c.collection_id == live.id).values(collection_id=replacement.id))
        created, metadata, public_id = (
            select(column).where(collections.c.id == live.id).scalar_subquery()
            for column in (collections.c.created_at, collections.c.metadata, collections.c.public_id)
        )
        connection.execute(
            update(collections)
            .where(collections.c.id == replacement.id)
            .values(
                created_at=created,
                metadata=metadata,
                public_id=public_id,
                data_version=max(live.data_version, replacement.data_version) + 1,
                index_version=max(live.index_version, replacement.index_version) + 1,
            )
        )
        for state, role in ((live, CollectionRole.REPLACED), (replacement, CollectionRole.LIVE)):
            connection.execute(update(collections).where(collections.c.id == state.id).values(role=role.value))


def drop_leftovers(database: DatabaseFolder) -> None:
    """Drop collections that were replaced, and what was to replace one that is gone, with their index files."""
    with database.begin_read() as connection:
        gone = list_leftovers(connection)
    for state in gone:
        with database.begin_write() as connection:
            drop(connection, state)
    if gone:
        compaction.clear_leftovers(database)


def _get_live_and_replacement(connection: Connection, name: str) -> tuple[CollectionState, CollectionState]:
    """Return the collection and its replacement."""
    live, replacement = get_state(connection, name), find_state(connection, get_replacement_ref(name))
    if replacement is None:
        raise StorageError(f"the new vectors of {name!r} were given up by another process; run `vecsearch reembed` again")
    return live, replacement


def _copy_sources(connection: Connection, live: CollectionState, replacement: CollectionState) -> None:
    """Copy the files as they stand; those that the replacement's documents name keep their rows."""
    paths = select(sources.c.path).where(sources.c.collection_id == live.id)
    connection.execute(delete(sources).where(sources.c.collection_id == replacement.id, sources.c.path.not_in(paths)))
    rows = select(*(sources.c[column] for column in _COPIED_COLUMNS), _bind_constant(replacement.id)).where(
        sources.c.collection_id == live.id
    )
    copying = upsert(sources).from_select([*_COPIED_COLUMNS, "collection_id"], rows)
    values = {column: copying.excluded[column] for column in _COPIED_COLUMNS}
    connection.execute(copying.on_conflict_do_update(index_elements=["collection_id", "path"], set_=values))


def _bind_constant(value: int) -> Any:
    return bindparam("replacement", value)


def _check_counts(connection: Connection, live: CollectionState, replacement: CollectionState) -> None:
    counts = [
        connection.scalar(select(func.count()).where(table.c.collection_id == state.id))
        for table in (documents, sources)
        for state in (live, replacement)
    ]
    if counts[0] != counts[1] or counts[2] != counts[3] or replacement.pending_vectors:
        raise StorageError(f"the new vectors of collection {live.name!r} are not complete; run `vecsearch reembed` again")
