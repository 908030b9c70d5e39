"""The files that documents came from, as users see them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select

from vecsearch.core.source_paths import to_shown_path, to_stored_path
from vecsearch.core.types import Source, SourceState
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import chunks, documents, sources

_AFTER_SLASH: Final = chr(ord("/") + 1)  # of all texts that begin with a folder and a slash, the first that follows them

SOURCE_STATE: Final = case(  # how a file stands by its row; a document without a file is indexed
    (sources.c.error.is_not(None), SourceState.FAILED.value),
    (sources.c.skipped.is_not(None), SourceState.SKIPPED.value),
    (sources.c.id.is_not(None) & sources.c.digest.is_(None), SourceState.UNFINISHED.value),
    else_=SourceState.INDEXED.value,
)


def list_sources(
    connection: Connection,
    state: CollectionState,
    parent: Path,
    *,
    source_state: SourceState | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Source]:
    """List a page of the files by path: those in a state, by default all but those that were skipped."""
    of = documents.c.source_id == sources.c.id
    document_count = select(func.count()).where(of).scalar_subquery()
    chunk_count = select(func.count()).join_from(documents, chunks, chunks.c.document_id == documents.c.id).where(of)
    query = select(
        sources.c.path, SOURCE_STATE, document_count, chunk_count.scalar_subquery(), sources.c.indexed_at,
        func.coalesce(sources.c.error, sources.c.skipped),
    ).where(sources.c.collection_id == state.id, _is_listed(source_state))  # fmt: skip
    rows = connection.execute(query.order_by(sources.c.path).limit(limit).offset(offset))
    return [
        Source(to_shown_path(parent, path), SourceState(kind), documents_, chunks_, at, error)
        for path, kind, documents_, chunks_, at, error in rows
    ]


def count_sources(connection: Connection, state: CollectionState, source_state: SourceState | None = None) -> int:
    """Count the files in a state, by default all but those that were skipped."""
    query = select(func.count()).where(sources.c.collection_id == state.id, _is_listed(source_state))
    return connection.scalar(query) or 0


def _is_listed(source_state: SourceState | None) -> ColumnElement[bool]:
    return sources.c.skipped.is_(None) if source_state is None else SOURCE_STATE.in_([source_state.value])


def count_sources_by_state(connection: Connection, state: CollectionState) -> dict[str, int]:
    """Count the files in each state."""
    query = select(SOURCE_STATE, func.count()).where(sources.c.collection_id == state.id).group_by(SOURCE_STATE)
    counts = {SourceState(kind): int(amount) for kind, amount in connection.execute(query)}
    return {source_state.value: counts.get(source_state, 0) for source_state in SourceState}


def build_path_filter(parent: Path, path: Path) -> ColumnElement[bool]:
    """Build the condition for the file at an absolute path and any below it; ranges, so that the index on paths is used."""
    relative = or_(sources.c.path < "/", sources.c.path >= _AFTER_SLASH)
    if path == parent:  # everything stored as a relative path
        return relative
    name = to_stored_path(parent, path)
    folder = name.rstrip("/")
    inside = and_(sources.c.path >= f"{folder}/", sources.c.path < f"{folder}{_AFTER_SLASH}")
    return or_(sources.c.path == name, inside, relative if parent.is_relative_to(path) else false())
