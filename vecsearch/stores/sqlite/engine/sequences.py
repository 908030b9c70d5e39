"""AUTOINCREMENT's own record of the row numbers that were given, which remembers rows that are gone."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Integer, Table, Text, delete, insert, select, table
from sqlalchemy import column as sql_column

from vecsearch.stores.sqlite.engine.tables import metadata

AUTOINCREMENT_TABLES: Final = tuple(
    target for target in metadata.sorted_tables if target.dialect_options["sqlite"]["autoincrement"]
)
_SEQUENCE: Final = table("sqlite_sequence", sql_column("name", Text), sql_column("seq", Integer))


def get_last_number(connection: Connection, target: Table) -> Any:
    """Return the highest row number that a table has given so far; None for none, and anything where the file is damaged."""
    return connection.scalar(select(_SEQUENCE.c.seq).where(_SEQUENCE.c.name == target.name))


def allocate_numbers(connection: Connection, target: Table, count: int) -> range:
    """Return row numbers that no row has had, ascending."""
    first = 1 + (get_last_number(connection, target) or 0)
    return range(first, first + count)


def set_last_number(connection: Connection, target: Table, number: int) -> None:
    """Let a table continue after a number."""
    connection.execute(delete(_SEQUENCE).where(_SEQUENCE.c.name == target.name))
    connection.execute(insert(_SEQUENCE).values(name=target.name, seq=number))
