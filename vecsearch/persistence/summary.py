"""What a database holds, in numbers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select

from vecsearch.core.settings import COMPRESSED_ROWS, SCHEMA_VERSION
from vecsearch.persistence.database import Database
from vecsearch.persistence.publish import pending
from vecsearch.persistence.segments import segments_of
from vecsearch.persistence.sources import listing, states
from vecsearch.persistence.state import CollectionState, find_state, successor_name, visible_states
from vecsearch.persistence.tables import chunks, documents, tombstones
from vecsearch.persistence.vectors import dtype

_FAILED_SHOWN: Final = 100  # the first of them; `ls --failed` pages through all


def status(database: Database) -> dict[str, Any]:
    """The fields of the shell's JSON; bytes are those on disk."""
    with database.reading() as connection:
        collections = [_collection(connection, database, state) for state in visible_states(connection)]
    total = sum(_size(path) for path in database.folder.rglob("*") if path.is_file())
    return {"db": str(database.folder), "format": SCHEMA_VERSION, "bytes": total, "collections": collections}


def _collection(connection: Connection, database: Database, state: CollectionState) -> dict[str, Any]:
    amounts = {
        table.name: connection.scalar(select(func.count()).where(table.c.collection_id == state.id)) or 0
        for table in (documents, chunks, tombstones)
    }
    text = connection.scalar(select(func.sum(func.length(documents.c.text))).where(documents.c.collection_id == state.id))
    stored = segments_of(connection, state)
    files = [path for each in stored for path in each.files(database.index_folder, state.id)]
    missing = any(not each.path(database.index_folder, state.id).exists() for each in stored)
    tail = pending(connection, state) - amounts["tombstones"]
    return {
        "name": state.name,
        "documents": amounts["documents"],
        "chunks": amounts["chunks"],
        "encoder": state.encoder,
        "dimension": state.dimension,
        "precision": state.precision.value,
        "language": state.language,
        "reembedding": _reembedding(connection, state, amounts["documents"]),
        "index": {
            "kind": "compressed" if any(each.rows >= COMPRESSED_ROWS for each in stored) else "exact",
            "state": "missing" if missing else "behind" if stored and tail else "current" if stored else "none",
            "generation": state.generation,
            "segments": len(stored),
            "rows": sum(each.rows for each in stored),
            "tail": tail,
            "deleted": amounts["tombstones"],
        },
        "sources": states(connection, state),
        "failed": [asdict(each) for each in listing(connection, state, database.parent, failed=True, limit=_FAILED_SHOWN)],
        "bytes": {
            "text": text or 0,
            "vectors": amounts["chunks"] * state.dimension * dtype(state.precision).itemsize,
            "index": sum(map(_size, files)),
        },
    }


def _reembedding(connection: Connection, state: CollectionState, documents_there: int) -> dict[str, Any] | None:
    """How far new vectors by another encoder have come, where that has begun."""
    successor = find_state(connection, successor_name(state.name))
    if successor is None:
        return None
    done = connection.scalar(select(func.count()).where(documents.c.collection_id == successor.id)) or 0
    return {"encoder": successor.encoder, "documents": done, "of": documents_there}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
