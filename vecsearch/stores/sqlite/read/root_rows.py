"""Read the roots of a collection, and the documents that are kept away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from vecsearch.core.roots import IgnoredDocument, Root, RootList, RootOptions
from vecsearch.core.source_paths import to_shown_path
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.stored_values import parse_stored_json
from vecsearch.stores.sqlite.engine.tables import ignored_documents, roots


def load_roots(connection: Connection, state: CollectionState, parent: Path) -> RootList:
    """Return the roots of a collection, and what is kept away, with absolute paths, by stored path."""
    query = select(roots.c.path, roots.c.options, roots.c.indexed_at).where(roots.c.collection_id == state.id)
    ignored = select(ignored_documents.c.path, ignored_documents.c.external_id).where(
        ignored_documents.c.collection_id == state.id
    )
    return RootList(
        tuple(
            Root(to_shown_path(parent, path), _parse_options(parse_stored_json(options), parent), at)
            for path, options, at in connection.execute(query.order_by(roots.c.path))
        ),
        tuple(
            IgnoredDocument(to_shown_path(parent, path), key)
            for path, key in connection.execute(ignored.order_by(ignored_documents.c.path, ignored_documents.c.external_id))
        ),
    )


def _parse_options(stored: Mapping[str, Any], parent: Path) -> RootOptions:
    options = RootOptions.from_json(stored)
    file = options.password_file
    return options if file is None else replace(options, password_file=to_shown_path(parent, file))
