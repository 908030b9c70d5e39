"""Lists of documents: which there are, in what order, and a line about each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, func, or_, select

from vecsearch.core.batched import batched
from vecsearch.core.source_paths import to_shown_path
from vecsearch.core.types import DocumentSummary, ListOrder, Metadata, SourceState
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.stored_values import parse_stored_json
from vecsearch.stores.sqlite.engine.tables import chunks, documents, sources
from vecsearch.stores.sqlite.read.source_rows import SOURCE_STATE, build_path_filter

_KEYS_TOGETHER: Final = 10_000  # in one statement


@dataclass(frozen=True, slots=True)
class ListSelection:
    """Which documents, and which of them: of all or `among` some, of those of files or folders, of those that follow `after`."""

    among: Sequence[str] | None = None
    source: Sequence[Path] | None = None
    after: str | None = None
    limit: int | None = None
    offset: int = 0
    order: ListOrder = ListOrder.ID


def list_ids(connection: Connection, state: CollectionState, parent: Path, selected: ListSelection) -> list[str]:
    """Return ids of documents, in order."""
    is_by_id = selected.order is ListOrder.ID
    key = documents.c.external_id if is_by_id else documents.c.id
    query = select(documents.c.external_id).where(documents.c.collection_id == state.id)
    if selected.among is not None:
        query = query.where(documents.c.external_id.in_(_select_values(selected.among)))
    if selected.source is not None:
        is_there = or_(*(build_path_filter(parent, path) for path in selected.source))
        query = query.join(sources, sources.c.id == documents.c.source_id).where(is_there)
    if selected.after is not None:
        query = query.where(key > (selected.after if is_by_id else _select_row(state, selected.after)))
    return list(connection.scalars(query.order_by(key).limit(selected.limit).offset(selected.offset)))


def summarize(connection: Connection, state: CollectionState, parent: Path, ids: Sequence[str]) -> list[DocumentSummary]:
    """Return a line about each of these documents that is there, in their order."""
    amount = select(func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery()
    found: dict[str, DocumentSummary] = {}
    for batch in batched(dict.fromkeys(ids), _KEYS_TOGETHER):
        rows = connection.execute(
            select(
                documents.c.external_id, sources.c.path, documents.c.title, amount, documents.c.indexed_at, SOURCE_STATE,
                sources.c.error,
            )
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == state.id, documents.c.external_id.in_(_select_values(batch)))
        )  # fmt: skip
        for key, path, title, count, at, file_state, error in rows:
            source = None if path is None else to_shown_path(parent, path)
            found[key] = DocumentSummary(key, source, title, count, at, SourceState(file_state), error)
    return [found[key] for key in dict.fromkeys(ids) if key in found]


def count_metadata(connection: Connection, state: CollectionState, among: Sequence[str] | None) -> list[tuple[Metadata, int]]:
    """Return the different metadata of all documents, or of some, as they are stored, with how many documents have them."""
    query = select(documents.c.metadata, func.count()).where(documents.c.collection_id == state.id)
    if among is not None:
        query = query.where(documents.c.external_id.in_(_select_values(among)))
    return [(parse_stored_json(text), count) for text, count in connection.execute(query.group_by(documents.c.metadata))]


def _select_values(values: Sequence[str]) -> Select[Any]:
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)


def _select_row(state: CollectionState, key: str) -> Any:
    return select(documents.c.id).where(documents.c.collection_id == state.id, documents.c.external_id == key).scalar_subquery()
