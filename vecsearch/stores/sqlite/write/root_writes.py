"""Write the roots of a collection, and which documents are kept away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.roots import Root
from vecsearch.core.source_paths import parse_path, to_stored_path
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import documents, ignored_documents, roots, sources
from vecsearch.stores.sqlite.read.source_rows import build_path_filter


def set_roots(
    connection: Connection, state: CollectionState, parent: Path, changed_roots: Iterable[Root], reread: Sequence[Path]
) -> None:
    """Store roots; have the files below absolute paths read again."""
    for root in changed_roots:
        options, file = root.options.to_json(), root.options.password_file
        if file is not None:  # moves with the database too, where it lies beside it
            options["password_file"] = to_stored_path(parent, Path(parse_path(file)))
        row = upsert(roots).values(
            collection_id=state.id, path=_to_stored(parent, root.path), options=json.dumps(options), indexed_at=root.indexed_at
        )
        values = {name: row.excluded[name] for name in ("options", "indexed_at")}
        connection.execute(row.on_conflict_do_update(index_elements=["collection_id", "path"], set_=values))
    for path in reread:
        below = build_path_filter(parent, path)
        connection.execute(update(sources).where(sources.c.collection_id == state.id, below).values(digest=None))


def forget_roots(connection: Connection, state: CollectionState, parent: Path, paths: Iterable[str]) -> int:
    """Delete roots; returns how many were there."""
    names = [_to_stored(parent, path) for path in paths]
    return connection.execute(delete(roots).where(roots.c.collection_id == state.id, roots.c.path.in_(names))).rowcount


def ignore_documents(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """Note that some documents, which are about to be deleted, are not to come back from their files."""
    names = ["collection_id", "path", "external_id"]
    chosen = (
        select(documents.c.collection_id, sources.c.path, documents.c.external_id)
        .join(sources, sources.c.id == documents.c.source_id)
        .where(documents.c.id.in_(rows))
    )
    connection.execute(upsert(ignored_documents).from_select(names, chosen).on_conflict_do_nothing())


def stop_ignoring(connection: Connection, state: CollectionState, ids: Sequence[str]) -> int:
    """Let documents come back: their files are read again."""
    of_ids = (ignored_documents.c.collection_id == state.id) & ignored_documents.c.external_id.in_(ids)
    paths = select(ignored_documents.c.path).where(of_ids)
    is_theirs = (sources.c.collection_id == state.id) & sources.c.path.in_(paths)
    connection.execute(update(sources).where(is_theirs).values(digest=None))
    return connection.execute(delete(ignored_documents).where(of_ids)).rowcount


def _to_stored(parent: Path, path: str) -> str:
    return to_stored_path(parent, Path(parse_path(path)))
