"""Which chunks and documents of a collection a condition holds for. Loaded with the first filter: most questions have none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from functools import partial
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


def count_documents(connection: PooledConnection, where: Filter, collection: int, source_root: Path) -> int:
    """Return how many documents a condition holds for. Raises FilterError for a pattern too slow."""
    query = build_document_query(where, collection)
    ((count,),) = _run(connection, query._replace(text=f"SELECT count(*) FROM ({query.text})"), source_root)
    return int(count)


class _Run:
    """The tests of the statement that runs, and what one of them raised: SQLite forgets what that was."""

    def __init__(self, tests: Sequence[ValueTest]) -> None:
        self.tests = tests
        self.error: BaseException | None = None


_RUN: Final[ContextVar[_Run]] = ContextVar("tests of the running statement")
_STOP: Final = object()  # which SQLite can do nothing with


def _answer(number: int) -> Generator[object, Any, None]:
    """Give what the test of a number says of each value that is sent, _STOP where it raised something.

    A function would do, but for interruptions: they come where a function begins, before its `try`, and SQLite would keep to
    itself what they were. A generator goes on inside of it.
    """
    result: object = None
    while True:
        try:
            while True:
                value = yield result
                result = _RUN.get().tests[number](value)
        except GeneratorExit:
            return
        except BaseException as error:
            _RUN.get().error, result = error, _STOP


def _make_function(number: int) -> Callable[[Any], object]:
    answers = _answer(number)
    next(answers)
    return answers.send


def _run(connection: PooledConnection, query: SqlQuery, source_root: Path) -> list[tuple[Any, ...]]:
    """Return all rows of a query, whose tests run in the meantime."""
    for number in range(len(query.tests)):
        connection.define_function(f"{HOLDS}_{number}", partial(_make_function, number), arguments=1)
    run = _Run(query.tests)
    token = _RUN.set(run)
    try:
        root = source_root.as_posix().rstrip("/") + "/"
        return connection.driver.execute(query.text, {**query.values, SOURCE_ROOT: root}).fetchall()
    except sqlite3.Error:
        if run.error is not None:
            raise run.error from None
        raise
    finally:
        _RUN.reset(token)
