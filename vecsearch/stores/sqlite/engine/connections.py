"""Connections to an SQLite file: pooled, and usable through SQLAlchemy where it writes the statements.

The statements of a search are text for the driver: loading SQLAlchemy takes longer than such a search.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote
from weakref import WeakSet, WeakValueDictionary

from vecsearch.core.errors import UnsafeForkError
from vecsearch.core.forks import iterate_living, pause, run_before_forks
from vecsearch.core.lazy_property import lazy_property
from vecsearch.stores.sqlite.engine.file_identity import FileIdentity, read_identity

if TYPE_CHECKING:
    from sqlalchemy import Connection

AnyConnection: TypeAlias = "Connection | sqlite3.Connection"

IDLE_CONNECTIONS_MAX: Final = 8  # of a process, that wait to be used again
_connections: Final[WeakValueDictionary[int, PooledConnection]] = WeakValueDictionary()  # that are open
_pools: Final[WeakValueDictionary[int, Pool]] = WeakValueDictionary()
_inherited_files: Final[set[FileIdentity | None]] = set()  # of which this process, a child, has open connections of its parent


class UnmanagedConnection(sqlite3.Connection):
    """A connection whose transactions and end SQLAlchemy, which uses it too, does not control."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """Return a cursor, also for `execute`, which asks for one here."""
        cursor = super().cursor(*arguments, **options)
        self._cursors.add(cursor)
        return cursor

    def end(self) -> None:
        """Roll back what is not committed, and give the file handles back.

        A cursor that is not at its end reads on, whatever becomes of its connection, and keeps the log from being emptied. An
        error that SQLAlchemy raised refers to one until Python collects cycles.
        """
        try:
            for cursor in list(self._cursors):
                cursor.close()
            if self.in_transaction:
                self.execute("ROLLBACK")
        finally:
            super().close()

    def commit(self) -> None:
        """Do nothing: `PooledConnection` commits."""

    def rollback(self) -> None:
        """Do nothing: `PooledConnection` rolls back."""

    def close(self) -> None:
        """Do nothing: `PooledConnection` closes."""


class PooledConnection:
    """A connection in one transaction at a time. One that nobody refers to any more is closed."""

    _process = 0  # of nobody yet

    def __init__(self, driver: UnmanagedConnection, file: FileIdentity | None) -> None:
        self.driver, self.file = driver, file
        self.log: tuple[FileIdentity | None, FileIdentity | None] | None = None  # SQLite's, and its index, once they are known
        self._functions: set[str] = set()
        self.user: int | None = get_ident()  # the thread
        self._process = os.getpid()
        _connections[id(self)] = self

    @property
    def is_inherited(self) -> bool:
        """Return whether this process, a child, has it from its parent, or has abandoned it: then it is left as it is."""
        return self._process != os.getpid()

    @lazy_property
    def connection(self) -> Connection:
        """Return SQLAlchemy's connection, inside the transaction that was begun here."""
        from sqlalchemy import NullPool, create_engine

        driver = self.driver
        return create_engine("sqlite://", creator=lambda: driver, poolclass=NullPool).connect()

    def define_function(self, name: str, make: Callable[[], Callable[..., Any]], *, arguments: int) -> None:
        """Define what `make` returns as an SQL function of so many arguments, whose result depends on them alone.

        Once a connection: SQLite refuses to define again what a running statement uses.
        """
        if name not in self._functions:
            self.driver.create_function(name, arguments, make(), deterministic=True)
            self._functions.add(name)

    def begin(self, *, write: bool) -> None:
        """Begin a snapshot, or a write that waits for its turn."""
        self.driver.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def commit(self) -> None:
        """Commit; durable on return."""
        self.driver.execute("COMMIT")

    def close(self) -> None:
        """Roll back what is not committed, and give the file handles back."""
        if self.is_inherited:
            return
        try:
            self.driver.end()
        finally:
            _connections.pop(id(self), None)

    def abandon(self) -> None:
        """Leave it open until the process ends: to close the last one of a file deletes the log at its path, whoever made it."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.driver))
        self._process = 0

    def __del__(self) -> None:
        """Close it, where an interruption came before anybody else could: SQLAlchemy's part would keep it open for a while."""
        with suppress(sqlite3.Error):
            self.close()


class Pool:
    """Any number of connections, each used by one thread at a time; some stay open. Safe to share between threads."""

    def __init__(self, connect: Callable[[], PooledConnection], *, max_idle: int = IDLE_CONNECTIONS_MAX) -> None:
        """Open nothing yet."""
        self._connect, self._max_idle, self._idle = connect, max_idle, list[PooledConnection]()
        _pools[id(self)] = self

    def acquire(self) -> PooledConnection:
        """Return the one that was used last, or a new one."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._connect()
        connection.user = get_ident()
        return connection

    def release(self, connection: PooledConnection) -> None:
        """Keep a connection, whose transaction has ended well, for the next caller."""
        if len(self._idle) >= self._max_idle:
            connection.close()
        else:
            connection.user = None
            self._idle.append(connection)

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[PooledConnection]:
        """Run a block in a transaction of a connection of its own: all of it or nothing.

        A connection whose block an error or an interruption ends is thrown away: nobody knows in the middle of what it was.
        A child that is forked inside the block has no part in the transaction; raises UnsafeForkError where it was to write.
        """
        if not any(other.user == get_ident() for other in iterate_living(_connections)):
            pause()
        connection = self.acquire()
        try:
            connection.begin(write=write)
            yield connection
            if not connection.is_inherited:
                connection.commit()
            elif write:
                raise UnsafeForkError("this process was forked in the middle of a write: what it writes there is its parent's")
        except BaseException:
            connection.close()
            raise
        if not connection.is_inherited:
            self.release(connection)

    def close(self) -> None:
        """Close those that nobody uses, and the others when they are given back."""
        self._max_idle = 0
        self.close_idle()

    def take_idle(self) -> Iterator[PooledConnection]:
        """Take those that nobody uses now out of the pool."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                yield self._idle.pop()

    def close_idle(self) -> bool:
        """Close those that nobody uses now; returns whether there were any."""
        closed = False
        for connection in self.take_idle():
            connection.close()
            closed = True
        return closed


def connect(file: Path, query: str, *, timeout: float) -> PooledConnection:
    """Connect to a file that is there, with a query such as mode=ro. Any name that the file system has will do."""
    identity = read_identity(file)
    _check_not_inherited(identity)
    uri = f"file:{quote(os.fsencode(file))}?{query}"
    driver = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=timeout, factory=UnmanagedConnection
    )
    return PooledConnection(driver, identity)


def _check_not_inherited(file: FileIdentity | None) -> None:
    """Refuse a file of which this process has inherited a connection: SQLite would take its parent's locks for its own.

    Then neither would know that the other reads or writes, and what one of them commits would be lost.
    """
    if file is not None and file in _inherited_files:
        raise UnsafeForkError(
            "this process was forked while its parent read or wrote this database, which it cannot open safely; fork outside of "
            'loops over its documents and of its transactions, or start processes with the method "spawn"'
        )


def _close_all_idle() -> bool:
    """Leave to a child no connection that can be closed first."""
    return any(pool.close_idle() for pool in iterate_living(_pools))


def _keep_inherited() -> None:
    """Keep what a child inherits from being closed there, and its files from being opened."""
    for connection in iterate_living(_connections):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection.driver))
        _inherited_files.add(connection.file)
    _connections.clear()


run_before_forks(_close_all_idle)
os.register_at_fork(after_in_child=_keep_inherited)


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
