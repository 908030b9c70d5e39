"""Which chunks and documents of a collection a condition holds for. Loaded with the first filter: most questions have none."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.core.filters import Filter
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.connections import PooledConnection
from vecsearch.stores.sqlite.filters.field_sql import SOURCE_ROOT
from vecsearch.stores.sqlite.filters.filter_sql import HOLDS, SqlQuery, ValueTest, build_chunk_query, build_document_query


def find_chunks(connection: PooledConnection, where: Filter, collection: int, source_root: Path) -> Ids:
    """Return the chunks of the documents that a condition holds for, ascending. Raises FilterError for a pattern too slow."""
    (joined,) = _run(connection, build_chunk_query(where, collection), source_root)
    ids: Ids = np.fromstring(joined[0] or "", np.int64, sep=",")
    ids.sort()
    ids.setflags(write=False)  # several searches may share it
    return ids


def find_document_ids(connection: PooledConnection, where: Filter, collection: int, source_root: Path) -> list[str]:
    """Return the ids of the documents that a condition holds for, ascending. Raises FilterError for a pattern too slow."""
    return [key for (key,) in _run(connection, build_document_query(where, collection), source_root)]


class _TestRunner:
    """Runs the tests of a statement for SQLite, which forgets what an error of theirs was."""

    def __init__(self, tests: Sequence[ValueTest]) -> None:
        self._tests = tests
        self.error: BaseException | None = None

    def run(self, number: int, value: Any) -> bool:
        try:
            return self._tests[number](value)
        except BaseException as error:  # an interrupt too
            self.error = error
            raise


_RUNNER: Final[ContextVar[_TestRunner]] = ContextVar("tests of the running statement")


def _run(connection: PooledConnection, query: SqlQuery, source_root: Path) -> list[tuple[Any, ...]]:
    """Return all rows of a query, whose tests run in the meantime."""
    connection.define_function(HOLDS, lambda number, value: _RUNNER.get().run(number, value), arguments=2)
    runner = _TestRunner(query.tests)
    token = _RUNNER.set(runner)
    try:
        root = source_root.as_posix().rstrip("/") + "/"
        return connection.driver.execute(query.text, {**query.values, SOURCE_ROOT: root}).fetchall()
    except sqlite3.Error:
        if runner.error is not None:
            raise runner.error from None
        raise
    finally:
        _RUNNER.reset(token)
