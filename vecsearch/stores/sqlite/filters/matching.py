"""Which chunks and documents of a collection a condition holds for. Loaded with the first filter: most questions have none."""

from __future__ import annotations

import sqlite3

import numpy as np

from vecsearch.core.filters import Filter
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.connections import PooledConnection
from vecsearch.stores.sqlite.filters.filter_sql import FIND_TEXT, SqlQuery, build_chunk_query, build_document_query
from vecsearch.stores.sqlite.filters.metadata_values import find_text


def find_chunks(connection: PooledConnection, where: Filter, collection: int) -> Ids:
    """Return the chunks of the documents that a condition holds for, ascending."""
    joined = _run(connection, build_chunk_query(where, collection)).fetchone()[0]
    ids: Ids = np.fromstring(joined or "", np.int64, sep=",")
    ids.sort()
    ids.setflags(write=False)  # several searches may share it
    return ids


def find_document_ids(connection: PooledConnection, where: Filter, collection: int) -> list[str]:
    """Return the ids of the documents that a condition holds for, ascending."""
    return [key for (key,) in _run(connection, build_document_query(where, collection))]


def _run(connection: PooledConnection, query: SqlQuery) -> sqlite3.Cursor:
    connection.define_function(FIND_TEXT, find_text, arguments=2)
    return connection.driver.execute(*query)
