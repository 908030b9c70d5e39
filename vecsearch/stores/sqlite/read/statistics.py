"""What a database holds, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select

from vecsearch.core.errors import DatabaseCorruptedError, raise_foreign
from vecsearch.core.settings import PQ_MIN_ROWS, SCHEMA_VERSION
from vecsearch.core.types import SourceState
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state, get_replacement_ref, list_visible_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.tables import IS_PENDING, build_text_length, chunks, documents, pending_vectors, tombstones
from vecsearch.stores.sqlite.read.query_map_rows import load_query_map
from vecsearch.stores.sqlite.read.source_rows import count_sources_by_state, list_sources
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.stores.sqlite.vectors.segment_rows import StoredSegment, list_segments
from vecsearch.stores.sqlite.write.compaction import count_pending_rows
from vecsearch.stores.values import QueryMap

_FAILED_MAX: Final = 100  # the first of them; `ls --failed` pages through all


def collect_status(database: DatabaseFolder) -> dict[str, Any]:
    """Return the fields of the shell's JSON; bytes are those on disk."""
    with database.begin_read() as connection:
        collections = [_describe_collection(connection, database, state) for state in list_visible_states(connection)]
    total = sum(_measure_size(path) for path in database.folder.rglob("*") if path.is_file())
    return {"db": str(database.folder), "format": SCHEMA_VERSION, "bytes": total, "collections": collections}


def _describe_collection(connection: Connection, database: DatabaseFolder, state: CollectionState) -> dict[str, Any]:
    amounts = {
        table.name: connection.scalar(select(func.count()).where(table.c.collection_id == state.id)) or 0
        for table in (documents, chunks, tombstones)
    }
    text = connection.scalar(
        select(func.sum(build_text_length())).select_from(documents).where(documents.c.collection_id == state.id)
    )
    stored = list_segments(connection, state)
    files = [path for segment in stored for path in segment.list_files(database.index_folder, state.id)]
    damage = _describe_damage(database, state, stored)
    query_map = _load_query_map(connection, state)
    with_vector = amounts["chunks"] - state.pending_vectors - state.vectorless_chunks
    unindexed = count_pending_rows(connection, state) - amounts["tombstones"]
    return {
        "name": state.name,
        "id": state.public_id,
        "metadata": dict(state.metadata),
        "documents": amounts["documents"],
        "chunks": amounts["chunks"],
        "changed_at": connection.scalar(select(func.max(documents.c.indexed_at)).where(documents.c.collection_id == state.id)),
        "pending_vectors": state.pending_vectors,
        "vectorless_chunks": state.vectorless_chunks,
        "model": state.model,
        "dimension": state.dimension,
        "precision": state.precision.value,
        "stemmer": state.stemmer,
        "tuning": None if query_map is None else dict(query_map.record),
        "reembedding": _describe_reembedding(connection, state, amounts["documents"]),
        "index": {
            "kind": "compressed" if any(segment.rows >= PQ_MIN_ROWS for segment in stored) else "exact",
            "state": damage or ("behind" if stored and unindexed else "current" if stored else "none"),
            "index_version": state.index_version,
            "segments": len(stored),
            "rows": sum(segment.rows for segment in stored),
            "unindexed": unindexed,
            "deleted": amounts["tombstones"],
        },
        "sources": count_sources_by_state(connection, state),
        "failed": [
            asdict(source)
            for source in list_sources(connection, state, database.parent, source_state=SourceState.FAILED, limit=_FAILED_MAX)
        ],
        "bytes": {
            "text": text or 0,
            "vectors": with_vector * state.dimension * get_dtype(state.precision).itemsize,
            "index": sum(map(_measure_size, files)),
        },
    }


def _load_query_map(connection: Connection, state: CollectionState) -> QueryMap | None:
    """Return the map of questions; none for one that is damaged, of which `doctor` tells."""
    with suppress(DatabaseCorruptedError):
        return load_query_map(connection, state, {})
    return None


def _describe_damage(database: DatabaseFolder, state: CollectionState, stored: Sequence[StoredSegment]) -> str | None:
    """Return what is wrong with the index files, which are read through for it; None where nothing is."""
    if any(not segment.get_path(database.index_folder, state.id).exists() for segment in stored):
        return "missing"
    return "damaged" if any(not segment.is_sound(database.index_folder, state.id) for segment in stored) else None


def _describe_reembedding(connection: Connection, state: CollectionState, document_count: int) -> dict[str, Any] | None:
    """Return how far the new vectors by another model have come; None where none were begun."""
    replacement = find_state(connection, get_replacement_ref(state.name))
    if replacement is None:
        return None
    there = connection.scalar(select(func.count()).where(documents.c.collection_id == replacement.id)) or 0
    waiting = (
        select(func.count(chunks.c.document_id.distinct()))
        .join_from(pending_vectors, chunks, chunks.c.id == pending_vectors.c.chunk_id)
        .where(pending_vectors.c.collection_id == replacement.id, IS_PENDING)
    )
    return {"model": replacement.model, "documents": there - (connection.scalar(waiting) or 0), "of": document_count}


def _measure_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise_foreign(error)
        return 0
