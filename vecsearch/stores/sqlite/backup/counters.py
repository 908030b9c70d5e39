"""Give a database that is to take another's place counters that no reader has seen.

What readers keep in memory they know by collection, index version and data version, and by the ids of chunks and segments, none
of which is ever used twice; so a restored database must go on counting where the one that it replaces stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.sequences import AUTOINCREMENT_TABLES, get_last_number, set_last_number
from vecsearch.stores.sqlite.engine.tables import collections, segments, tombstones

_FAR: Final = 1 << 40  # further than anybody has counted


@dataclass(frozen=True, slots=True)
class CounterState:
    """The highest numbers that were given so far: index and data version of any collection, row ids by table."""

    index_version: int
    data_version: int
    ids: Mapping[str, int]


NO_COUNTERS: Final = CounterState(0, 0, {})  # where no database was


def read_counters(database: DatabaseFolder) -> CounterState:
    """Read the counters of a database in use. Raises DatabaseCorruptedError."""
    with database.begin_read() as connection:
        return _read_counters(connection)


def make_unknown_counters() -> CounterState:
    """Return counters above those of any database, for one that cannot be read."""
    return CounterState(_FAR, _FAR, {segments.name: _FAR, collections.name: _FAR})


def raise_counters(connection: Connection, minimum: CounterState) -> None:
    """Raise the numbers of a database, which nobody reads yet, above a minimum and its own, and forget its index files."""
    own = _read_counters(connection)
    connection.execute(
        update(collections).values(
            index_version=max(own.index_version, minimum.index_version) + 1,
            data_version=max(own.data_version, minimum.data_version) + 1,
            indexed_up_to=0,
            restored_version=max(own.data_version, minimum.data_version) + 1,
        )
    )
    connection.execute(delete(segments))
    connection.execute(delete(tombstones))
    for table in AUTOINCREMENT_TABLES:
        set_last_number(connection, table, max(own.ids[table.name], minimum.ids.get(table.name, 0)))


def _read_counters(connection: Connection) -> CounterState:
    index_version, data_version = connection.execute(
        select(func.coalesce(func.max(collections.c.index_version), 0), func.coalesce(func.max(collections.c.data_version), 0))
    ).one()
    highest = {table.name: connection.scalar(select(func.max(table.c.id))) or 0 for table in AUTOINCREMENT_TABLES}
    ids = {table.name: max(get_last_number(connection, table) or 0, highest[table.name]) for table in AUTOINCREMENT_TABLES}
    return CounterState(index_version, data_version, ids)
