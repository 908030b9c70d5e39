"""Statements that SQLAlchemy writes once and the driver's own cursor runs: those that take thousands of rows.

SQLAlchemy's work at every execution costs more than SQLite needs for one row. Errors are those of the driver, which
`translate_errors` knows too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Cursor
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects import sqlite

from vecsearch.core.lazy_property import lazy_property
from vecsearch.stores.sqlite.engine.connections import get_driver


class PreparedStatement:
    """A statement whose parameters are filled in by position. Columns come as SQLite holds them."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement

    @lazy_property
    def _sql(self) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Return the text, its parameters in order, and the values of those that never change."""
        compiled = self._statement.compile(dialect=sqlite.dialect())  # type: ignore[attr-defined]
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), fixed

    def run(self, connection: Connection, **values: Any) -> Cursor:
        """Run it with named values; gives the rows."""
        text, names, fixed = self._sql
        return get_driver(connection).execute(text, [values[name] if name in values else fixed[name] for name in names])

    def run_many(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Run it once for each row, whose values stand in the order of the statement's parameters."""
        get_driver(connection).executemany(self._sql[0], rows)
