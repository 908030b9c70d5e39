"""Write the files that documents come from: read, or passed over."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.settings import LOADER_VERSION
from vecsearch.core.timestamps import get_timestamp
from vecsearch.stores.base import IndexedFile
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import documents, sources


def ensure_source_rows(connection: Connection, state: CollectionState, paths: Iterable[str]) -> dict[str, int]:
    """Return the rows of files; a new one is created as not yet read."""
    names, now = list(paths), get_timestamp()
    _ADD_SOURCE.run_many(connection, ((state.id, path, None, "", None, False, now, LOADER_VERSION, None) for path in names))
    return dict(_FIND_SOURCES.run(connection, collection=state.id, paths=json.dumps(names)))


def mark_indexed(connection: Connection, state: CollectionState, files: Iterable[IndexedFile]) -> None:
    """Note that files are read, and what was wrong with them."""
    now = get_timestamp()
    _MARK_SOURCE.run_many(
        connection,
        (
            (state.id, file.path, file.digest, file.split.value, file.error, file.mounted, now, LOADER_VERSION, None)
            for file in files
        ),
    )


def mark_skipped(connection: Connection, state: CollectionState, reasons: Mapping[str, str]) -> None:
    """Note why files were passed over."""
    now, paths = get_timestamp(), list(reasons)
    ensure_source_rows(connection, state, paths)
    _MARK_SKIPPED.run_many(connection, ((None, None, now, reasons[path], state.id, path) for path in paths))


_SOURCE_VALUES: Final = ("digest", "split", "error", "mounted", "indexed_at", "loader_version", "skipped")
_SOURCE_ROW: Final = upsert(sources).values(
    {name: bindparam(f"new_{name}") for name in ("collection_id", "path", *_SOURCE_VALUES)}
)
_ADD_SOURCE: Final = PreparedStatement(_SOURCE_ROW.on_conflict_do_nothing())
_MARK_SOURCE: Final = PreparedStatement(
    _SOURCE_ROW.on_conflict_do_update(
        index_elements=["collection_id", "path"], set_={name: _SOURCE_ROW.excluded[name] for name in _SOURCE_VALUES}
    )
)
_MARK_SKIPPED: Final = PreparedStatement(
    update(sources)
    .where(sources.c.collection_id == bindparam("of"), sources.c.path == bindparam("at"))
    .where(~exists().where(documents.c.source_id == sources.c.id))  # another run may have indexed it meanwhile
    .values({name: bindparam(f"new_{name}") for name in ("digest", "error", "indexed_at", "skipped")})
)
_FIND_SOURCES: Final = PreparedStatement(
    select(sources.c.path, sources.c.id).where(
        sources.c.collection_id == bindparam("collection"),
        sources.c.path.in_(select(func.json_each(bindparam("paths")).table_valued("value").c.value)),
    )
)
