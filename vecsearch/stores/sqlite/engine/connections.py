"""Connections to an SQLite file: pooled, and usable through SQLAlchemy where it writes the statements.

The statements of a search are text for the driver: loading SQLAlchemy takes longer than such a search.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Connection

AnyConnection: TypeAlias = "Connection | sqlite3.Connection"

IDLE_CONNECTIONS_MAX: Final = 8  # of a process, that wait to be used again


class UnmanagedConnection(sqlite3.Connection):
    """A connection whose transactions and end SQLAlchemy, which uses it too, does not control."""

    def commit(self) -> None:
        """Do nothing: `PooledConnection` commits."""

    def rollback(self) -> None:
        """Do nothing: `PooledConnection` rolls back."""

    def close(self) -> None:
        """Do nothing: `PooledConnection` closes."""


class PooledConnection:
    """A connection in one transaction at a time."""

    def __init__(self, driver: UnmanagedConnection) -> None:
        self.driver = driver
        self._functions: set[str] = set()

    @cached_property
    def connection(self) -> Connection:
        """Return SQLAlchemy's connection, inside the transaction that was begun here."""
        from sqlalchemy import NullPool, create_engine

        driver = self.driver
        return create_engine("sqlite://", creator=lambda: driver, poolclass=NullPool).connect()

    def define_function(self, name: str, function: Callable[..., Any], *, arguments: int) -> None:
        """Define an SQL function of so many arguments, whose result depends on them alone.

        Once a connection: SQLite refuses to define again what a running statement uses.
        """
        if name not in self._functions:
            self.driver.create_function(name, arguments, function, deterministic=True)
            self._functions.add(name)

    def begin(self, *, write: bool) -> None:
        """Begin a snapshot, or a write that waits for its turn."""
        self.driver.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def commit(self) -> None:
        """Commit; durable on return."""
        self.driver.execute("COMMIT")

    def roll_back(self) -> None:
        """Roll back, where SQLite has not done so itself."""
        if self.driver.in_transaction:
            self.driver.execute("ROLLBACK")

    def close(self) -> None:
        """Give the file handles back."""
        sqlite3.Connection.close(self.driver)


class Pool:
    """Any number of connections, each used by one thread at a time; some stay open. Safe to share between threads."""

    def __init__(self, connect: Callable[[], PooledConnection], *, max_idle: int = IDLE_CONNECTIONS_MAX) -> None:
        """Open nothing yet."""
        self._connect, self._max_idle, self._idle = connect, max_idle, list[PooledConnection]()

    def acquire(self) -> PooledConnection:
        """Return the one that was used last, or a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def release(self, connection: PooledConnection) -> None:
        """Keep a connection for the next caller, unless it is stuck in its transaction."""
        if connection.driver.in_transaction or len(self._idle) >= self._max_idle:
            connection.close()
        else:
            self._idle.append(connection)

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[PooledConnection]:
        """Run a block in a transaction of a connection of its own: all of it or nothing."""
        connection = self.acquire()
        try:
            connection.begin(write=write)
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.roll_back()
                raise
        finally:
            self.release(connection)

    def close(self) -> None:
        """Close those that nobody uses, and the others when they are given back."""
        self._max_idle = 0
        while self._idle:
            self._idle.pop().close()


def get_driver(connection: AnyConnection) -> sqlite3.Connection:
    """Return the driver's connection, itself or below SQLAlchemy's."""
    if isinstance(connection, sqlite3.Connection):
        return connection
    below = connection.connection.driver_connection
    assert isinstance(below, sqlite3.Connection)
    return below


def get_driver_error(error: BaseException) -> sqlite3.Error | None:
    """Return the driver's error, itself or below SQLAlchemy's; None for any other."""
    below = getattr(error, "orig", error)
    return below if isinstance(below, sqlite3.Error) else None
