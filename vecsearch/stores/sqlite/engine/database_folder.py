"""The database folder: opened with the right PRAGMAs, one transaction at a time.

Translates the driver's errors into ours. Knows no table's columns.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import (
    DatabaseCorruptedError,
    DatabaseLockedError,
    DiskFullError,
    NotADatabaseError,
    ReadOnlyError,
    SchemaVersionError,
    StorageError,
    StorageIOError,
    VecsearchError,
    is_disk_full,
)
from vecsearch.core.settings import (
    APPLICATION_ID,
    DATABASE_FILE,
    LOCK_TIMEOUT_S,
    SCHEMA_VERSION,
    SCHEMA_VERSION_MIN,
    WAL_CHECKPOINT_BYTES,
    WAL_CHECKPOINT_WAIT_MS,
)
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.connections import IDLE_CONNECTIONS_MAX, Pool, PooledConnection, connect, get_driver_error

if TYPE_CHECKING:
    from sqlalchemy import Connection

INDEX_FOLDER: Final = "index"
_CONNECTION_PRAGMAS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)
_MIN_FREE_BYTES: Final = 1 << 16  # with less, a write that SQLite could not make failed for want of room
_GROWING_FAILED: Final = frozenset({"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE"})
_CHECKPOINT_WAL: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
_BUSY_TIMEOUT: Final = "PRAGMA busy_timeout = {:.0f}"


class DatabaseFolder:
    """An open database folder. Close it, or use it in `with`."""

    def __init__(self, folder: Path, *, readonly: bool = False, timeout: float = LOCK_TIMEOUT_S) -> None:
        """Open an existing database. One of an older format is upgraded by its first write; reading it raises SchemaVersionError
        until then, and so does this where it is `readonly`.

        Raises NotADatabaseError, SchemaVersionError, DatabaseCorruptedError.
        """
        self.folder = Path(os.path.abspath(folder))  # a symbolic link stays the name the user gave
        self.readonly = readonly
        self.timeout = timeout
        self._wal_limit = WAL_CHECKPOINT_BYTES
        if not is_database(self.folder):
            raise NotADatabaseError(describe_missing_database(self.folder))
        self._connections, self._process = _create_pool(self.folder, readonly=readonly, timeout=timeout), os.getpid()
        try:
            self.is_outdated = self._read_version() != SCHEMA_VERSION
            if self.is_outdated and readonly:
                raise make_outdated_error(self.folder)
        except BaseException:
            self.close()
            raise

    @property
    def parent(self) -> Path:
        """Return the folder that the database lies in; paths of sources below it are stored relative to it."""
        return self.folder.parent

    @property
    def index_folder(self) -> Path:
        """Return the folder of the FAISS files."""
        return self.folder / INDEX_FOLDER

    def close(self) -> None:
        """Give the file handles back."""
        self._pool.close()

    @property
    def _pool(self) -> Pool:
        """Return this process's pool: SQLite's handles must not be carried across a fork."""
        if self._process != os.getpid():
            self._connections, self._process = (
                _create_pool(self.folder, readonly=self.readonly, timeout=self.timeout),
                os.getpid(),
            )
        return self._connections

    @contextmanager
    def begin_driver_read(self) -> Iterator[PooledConnection]:
        """Begin one consistent snapshot of the database.

        Raises SchemaVersionError where it is to be upgraded first, or another program has upgraded it since it was opened.
        """
        with translate_errors(self.folder), self._pool.begin(write=False) as opened:
            self._check_current(_read_pragma(opened, "user_version"))
            yield opened

    @contextmanager
    def begin_read(self) -> Iterator[Connection]:
        """Begin the same for statements that SQLAlchemy writes."""
        with self.begin_driver_read() as opened:
            yield opened.connection

    @contextmanager
    def hold_write_lock(self) -> Iterator[None]:
        """Become the one writer; a database of an older format is upgraded first."""
        if self.readonly:
            raise ReadOnlyError(f"{self.folder} was opened read-only: it can be searched, not written")
        with write_lock.hold_write_lock(self.folder, timeout=self.timeout):
            try:
                self._upgrade_if_outdated()
                yield
            except OSError as error:
                if is_disk_full(error):
                    raise _make_disk_full_error(self.folder, error.strerror or error) from error
                if error.errno == errno.EIO or self.folder in Path(os.fsdecode(error.filename or "")).parents:
                    raise _make_io_error(self.folder, error.strerror or error) from error
                raise

    @contextmanager
    def begin_write(self) -> Iterator[Connection]:
        """Begin one write, all of it or nothing; durable on return. Only inside the write lock."""
        with translate_errors(self.folder), self._pool.begin(write=True) as opened:
            self._check_current(_read_pragma(opened, "user_version"))
            yield opened.connection
        self._limit_wal()

    def _limit_wal(self) -> None:
        """Empty SQLite's log when it has grown: while readers come and go there would else never be a moment to begin it again.

        Readers are waited for, but not long; while one holds an old snapshot, that is tried again each time the log has doubled.
        """
        with suppress(StorageError):
            if self.wal_bytes > self._wal_limit:
                self.run_outside_transaction(
                    _BUSY_TIMEOUT.format(WAL_CHECKPOINT_WAIT_MS), _CHECKPOINT_WAL, _BUSY_TIMEOUT.format(self.timeout * 1000)
                )
                self._wal_limit = max(WAL_CHECKPOINT_BYTES, 2 * self.wal_bytes)

    def checkpoint_wal(self) -> None:
        """Copy all of SQLite's log into its file, as far as readers of an older state let it."""
        self.run_outside_transaction(_CHECKPOINT_WAL)

    @property
    def wal_bytes(self) -> int:
        """Return the size of SQLite's log in bytes; 0 where there is none."""
        return _measure_wal(self.folder)

    def run_outside_transaction(self, *statements: str) -> None:
        """Run statements that SQLite refuses or ignores inside a transaction: checkpoints and vacuums."""
        pool = self._pool
        with translate_errors(self.folder):
            opened = pool.acquire()
            try:
                for statement in statements:
                    opened.driver.executescript(statement)
            except BaseException:
                opened.close()  # the statements may have been half-way through settings that are to hold for them alone
                raise
            pool.release(opened)

    def _read_version(self) -> int:
        """Return the schema version of what is there, negative while what is derived is being rebuilt after an upgrade.

        Raises NotADatabaseError, SchemaVersionError for what this program cannot read.
        """
        with translate_errors(self.folder), self._pool.begin(write=False) as opened:
            application, version = _read_pragma(opened, "application_id"), _read_pragma(opened, "user_version")
        if application != APPLICATION_ID or version == 0:
            raise NotADatabaseError(f"{self.folder / DATABASE_FILE} is an SQLite file of another program, not of vecsearch")
        if not SCHEMA_VERSION_MIN <= abs(version) <= SCHEMA_VERSION:
            raise make_version_error(self.folder, abs(version))
        return version

    def _check_current(self, version: int) -> None:
        """Raise SchemaVersionError where the database is of another format than this program's, or only half upgraded."""
        if version == SCHEMA_VERSION:
            return
        if SCHEMA_VERSION_MIN <= abs(version) <= SCHEMA_VERSION:
            raise make_outdated_error(self.folder)
        raise make_version_error(self.folder, abs(version))

    def upgrade(self) -> bool:
        """Bring a database of an older format up to date, now; returns whether there was anything to do."""
        outdated = self.is_outdated
        if outdated:
            with self.hold_write_lock():  # which upgrades
                pass
        return outdated

    def _upgrade_if_outdated(self) -> None:
        """Bring it to this program's format, in place, after a copy of what was there. Only inside the lock."""
        version = self._read_version()
        if version != SCHEMA_VERSION:
            from vecsearch.stores.sqlite.engine import migration
            from vecsearch.stores.sqlite.write.upgrade import rebuild_derived

            if version > 0:  # else another process was killed after the copy
                self.copy_to(self.folder / f"backup-of-format-{version}.db")
            if abs(version) != SCHEMA_VERSION:
                with self.begin_upgrade() as connection:
                    migration.migrate(connection)
            rebuild_derived(self)
        self.is_outdated = False

    @contextmanager
    def begin_upgrade(self) -> Iterator[Connection]:
        """Begin one write to a database whose format need not be this program's; else as `begin_write`."""
        with translate_errors(self.folder), self._pool.begin(write=True) as opened:
            yield opened.connection
        self._limit_wal()

    def copy_into(self, file: Path) -> None:
        """Write what one read transaction sees, compact, into an empty file, while others go on; durable once it is synced."""
        quoted = str(file).replace("'", "''")
        self.run_outside_transaction(f"VACUUM INTO '{quoted}'")

    def copy_to(self, target: Path) -> None:
        """Make a whole and durable copy of the SQLite file, or none."""
        with atomic_files.write_atomically(target) as file:
            self.copy_into(Path(file.name))


def make_outdated_error(folder: Path) -> SchemaVersionError:
    """Return what to raise for a database that the next write upgrades."""
    return SchemaVersionError(
        f"{folder} has an older format than version {SCHEMA_VERSION}, which vecsearch reads now, or its upgrade was interrupted; "
        f"the next write upgrades it, after a backup: vecsearch optimize --db {folder}"
    )


def make_version_error(path: Path, version: int) -> SchemaVersionError:
    """Return what to raise for a database, or a backup, of a format that this program does not know yet, or no longer."""
    if version < SCHEMA_VERSION_MIN:
        return SchemaVersionError(
            f"{path} has format version {version}, which this vecsearch no longer reads; export it with the vecsearch that wrote "
            "it (vecsearch export FILE), and import that file here (vecsearch import FILE)"
        )
    return SchemaVersionError(
        f"{path} has format version {version}, this vecsearch reads version {SCHEMA_VERSION}; "
        "upgrade vecsearch: pip install --upgrade vecsearch"
    )


def _read_pragma(connection: PooledConnection, name: str) -> int:
    return int(connection.driver.execute(f"PRAGMA {name}").fetchone()[0])


def is_database(folder: Path) -> bool:
    """Return whether the folder holds a vecsearch database."""
    return (folder / DATABASE_FILE).is_file()


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Translate the driver's errors into ours, with what to do next."""
    try:
        yield
    except UnicodeDecodeError as error:  # the driver's own, where what SQLite complains of is no text
        raise DatabaseCorruptedError(
            f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`"
        ) from error
    except Exception as error:
        if (cause := get_driver_error(error)) is None:
            if isinstance(inner := getattr(error, "orig", None), Exception):  # as a lack of memory, which SQLAlchemy wraps
                raise inner from error
            raise
        raise _translate_sqlite_error(folder, cause) from error


def _translate_sqlite_error(folder: Path, error: sqlite3.Error) -> VecsearchError:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatabaseLockedError(f"{folder} is locked by {write_lock.describe_owner(folder)}; try again when it has finished")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        is_full = name == "SQLITE_FULL" or (name in _GROWING_FAILED and _is_out_of_room(folder))
        return _make_disk_full_error(folder, error) if is_full else _make_io_error(folder, error)
    if name.startswith("SQLITE_READONLY"):
        return ReadOnlyError(f"{folder} is read-only for this user: it can be searched, not written")
    if name.startswith("SQLITE_CANTOPEN"):
        return StorageError(f"cannot open {folder / DATABASE_FILE}: {error}; are the folder and its files readable?")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return DatabaseCorruptedError(f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`")
    return StorageError(f"{folder / DATABASE_FILE}: {error}")


def _make_disk_full_error(folder: Path, reason: object) -> DiskFullError:
    return DiskFullError(f"no room to write {folder}: {reason}; what was committed before is kept: free some space, run again")


def _make_io_error(folder: Path, reason: object) -> StorageIOError:
    return StorageIOError(
        f"the system could not read or write a file of {folder}: {reason}; what was committed before is kept: check the disk or "
        "the connection to it (see the system's log), then run `vecsearch doctor`"
    )


def _is_out_of_room(folder: Path) -> bool:
    """Return whether the disk is full, or the size of files limited: SQLite does not tell either from a disk that fails."""
    with suppress(OSError):
        if shutil.disk_usage(folder).free < _MIN_FREE_BYTES:
            return True
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def describe_missing_database(folder: Path) -> str:
    """Return what to say where there is no database."""
    if folder.is_dir():
        return f"{folder} is no vecsearch database (it holds no {DATABASE_FILE}); give the folder that `vecsearch index` made"
    if folder.exists():
        return f"{folder} is a file, not a vecsearch database folder"
    return f"no database at {folder}; make one with: vecsearch index PATH --db {folder}"


def _create_pool(folder: Path, *, readonly: bool, timeout: float) -> Pool:
    file = folder / DATABASE_FILE
    if not os.access(file, os.R_OK):
        raise ReadOnlyError(f"{file} cannot be read by this user")
    query = "mode=ro" if readonly or not os.access(file, os.W_OK) else "mode=rw"
    if _needs_immutable(folder):
        query = "immutable=1"
    return Pool(
        lambda: open_connection(file, query, timeout=timeout), max_idle=0 if "immutable" in query else IDLE_CONNECTIONS_MAX
    )


def _needs_immutable(folder: Path) -> bool:
    """Return whether to open as immutable: where readers cannot make their -shm file and no log waits, nothing can change."""
    return not os.access(folder, os.W_OK) and not _measure_wal(folder)


def _measure_wal(folder: Path) -> int:
    try:
        return (folder / f"{DATABASE_FILE}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def open_connection(file: Path, query: str, *, timeout: float) -> PooledConnection:
    """Open a new connection to a file that is there, for any thread, with a query such as mode=rw."""
    opened = connect(file, query, timeout=timeout)
    try:
        for statement in _CONNECTION_PRAGMAS:
            opened.driver.execute(statement)
    except BaseException:
        opened.close()
        raise
    return opened
