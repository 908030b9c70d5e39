"""The SQLite file of a database, which must stay the one that was opened: connections to it, a pool for each process.

A file that was deleted, moved or replaced is still there for whoever has it open, and takes writes that nobody else will see.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

from vecsearch.core.errors import DatabaseClosedError, DatabaseReplacedError, ReadOnlyError, raise_foreign
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.engine.connections import IDLE_CONNECTIONS_MAX, Pool, PooledConnection, connect
from vecsearch.stores.sqlite.engine.file_identity import FileIdentity, read_identity
from vecsearch.stores.sqlite.engine.sqlite_errors import make_io_error

_CONNECTION_PRAGMAS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)
_OPEN_ATTEMPTS_MAX: Final = 3  # of a file that is replaced while it is opened


class DatabaseFile:
    """The file that was first opened at a path, and the connections to it."""

    def __init__(self, folder: Path, *, readonly: bool, timeout: float) -> None:
        """Open nothing yet. Raises ReadOnlyError for a file that this user may not read."""
        self._folder, self._file, self._readonly, self._timeout = folder, folder / DATABASE_FILE, readonly, timeout
        self._identity: FileIdentity | None = None  # from the first connection on
        self._pool, self._process = self._create_pool(), os.getpid()
        self._is_closed = False

    def check_open(self) -> None:
        """Raise DatabaseClosedError where it was closed."""
        if self._is_closed:
            raise DatabaseClosedError(f"{self._folder} was closed; open it again: vecsearch.open({str(self._folder)!r})")

    def close(self) -> None:
        """Give the file handles back: those in use when they are given back."""
        self._is_closed = True
        if self._process == os.getpid():
            self._pool.close()

    @property
    def pool(self) -> Pool:
        """Return this process's pool: SQLite's handles must not be carried across a fork. Raises DatabaseClosedError."""
        self.check_open()
        if self._process != os.getpid():
            self._pool, self._process = self._create_pool(), os.getpid()
        return self._pool

    def check_in_place(self) -> None:
        """Raise DatabaseReplacedError where the file that was opened does not lie at its path any more."""
        if self._identity is None or self._read_identity() == self._identity:
            return
        is_there = is_database(self._folder)
        what = "was replaced by another database" if is_there else "was deleted or moved"
        remedy = "open it again" if is_there else "put it back, or open it where it is now"
        raise DatabaseReplacedError(
            f"{self._folder} {what} since it was opened: what was opened is neither read nor written any more; {remedy}"
        )

    def check_log(self, opened: PooledConnection) -> None:
        """Raise DatabaseReplacedError where SQLite's log, or its index, is not the one that this connection has open any more.

        Only inside a transaction that has read, which is over then. Nobody deletes them as long as a connection is open but by
        hand. What is in a log that is gone is copied into the database first, so that nothing is lost; beside another log it
        cannot be, since others may have gone on with that.
        """
        now = self._read_log_identity()
        if opened.log is None and None not in now:
            opened.log = now
        if opened.log in (None, now):
            return
        self.check_in_place()  # which says more, where it is the reason
        opened.driver.execute("ROLLBACK")
        is_gone = now[0] is None
        if is_gone:
            opened.driver.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.pool.close_idle()
        else:
            for connection in (opened, *self.pool.take_idle()):
                connection.abandon()
        kept = "what was committed is kept" if is_gone else "what was committed since may be lost: vecsearch doctor"
        raise DatabaseReplacedError(
            f"the log of {self._folder} ({DATABASE_FILE}-wal, {DATABASE_FILE}-shm) was deleted or replaced while it was open; "
            f"leave these files alone, and run again; {kept}"
        )

    def _read_log_identity(self) -> tuple[FileIdentity | None, FileIdentity | None]:
        return self._read_identity(f"{self._file}-wal"), self._read_identity(f"{self._file}-shm")

    def _read_identity(self, file: str | Path | None = None) -> FileIdentity | None:
        try:
            return read_identity(self._file if file is None else file)
        except OSError as error:
            raise_foreign(error)
            raise make_io_error(self._folder, error.strerror or error) from error

    def _create_pool(self) -> Pool:
        if not os.access(self._file, os.R_OK):
            self.check_in_place()
            raise ReadOnlyError(
                f"{self._file} cannot be read by this user; let this user read it (see ls -l {shlex.quote(str(self._file))})"
            )
        if _needs_immutable(self._folder):
            query, max_idle = "immutable=1", 0
        else:
            query = "mode=ro" if self._readonly or not os.access(self._file, os.W_OK) else "mode=rw"
            max_idle = IDLE_CONNECTIONS_MAX
        return Pool(lambda: self._connect(query), max_idle=max_idle)

    def _connect(self, query: str) -> PooledConnection:
        """Open another connection to the same file. Raises DatabaseReplacedError."""
        for _ in range(_OPEN_ATTEMPTS_MAX):
            self.check_in_place()
            before = self._read_identity()
            opened = connect(self._file, query, timeout=self._timeout)
            if self._read_identity() == before and self._identity in (None, before):
                self._identity = before
                return _configure(opened)
            opened.close()
        raise DatabaseReplacedError(f"{self._folder} was replaced while it was opened; open it again")


def is_database(folder: Path) -> bool:
    """Return whether the folder holds a vecsearch database."""
    return (folder / DATABASE_FILE).is_file()


def _needs_immutable(folder: Path) -> bool:
    """Return whether to open as immutable: where readers cannot make their -shm file and no log waits, nothing can change."""
    return not os.access(folder, os.W_OK) and not measure_wal(folder)


def measure_wal(folder: Path) -> int:
    """Return the size of SQLite's log in bytes; 0 where there is none."""
    try:
        return (folder / f"{DATABASE_FILE}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def open_connection(file: Path, query: str, *, timeout: float) -> PooledConnection:
    """Open a new connection to a file that is there, for any thread, with a query such as mode=rw."""
    return _configure(connect(file, query, timeout=timeout))


def _configure(opened: PooledConnection) -> PooledConnection:
    try:
        for statement in _CONNECTION_PRAGMAS:
            opened.driver.execute(statement)
    except BaseException:
        opened.close()
        raise
    return opened
