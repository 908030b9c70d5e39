"""The database folder: opened with the right PRAGMAs, one transaction at a time.

Translates the driver's errors into ours. Knows no table's columns.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from vecsearch.core.errors import Damaged, Locked, NotADatabase, ReadOnly, StorageError, StorageFull, VecsearchError, WrongVersion
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, LOCK_TIMEOUT_S, LOG_BYTES, LOG_PATIENCE_MS, SCHEMA_VERSION
from vecsearch.persistence import files, lock
from vecsearch.persistence.connections import KEPT, Driver, Opened, Pool, drivers_error

if TYPE_CHECKING:
    from sqlalchemy import Connection

INDEX_FOLDER: Final = "index"
_OPENING: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
_EMPTY_LOG: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
_PATIENCE: Final = "PRAGMA busy_timeout = {:.0f}"
_INHERITED: Final[list[Pool]] = []  # kept, so that nobody closes them


class Database:
    """An open database folder. Close it, or use it in `with`."""

    def __init__(self, folder: Path, *, readonly: bool = False, timeout: float = LOCK_TIMEOUT_S) -> None:
        """Open an existing database; one of an older format is upgraded, unless `readonly`. Raises NotADatabase, WrongVersion,
        Damaged."""
        self.folder = Path(os.path.abspath(folder))  # a symbolic link stays the name the user gave
        self.readonly = readonly
        self.timeout = timeout
        self._log_limit = LOG_BYTES
        if not is_database(self.folder):
            raise NotADatabase(no_database(self.folder))
        self._connections, self._process = _pool(self.folder, readonly=readonly, timeout=timeout), os.getpid()
        try:
            version = self._version()
            if version < SCHEMA_VERSION:
                self._upgrade(version)
        except BaseException:
            self.close()
            raise

    @property
    def parent(self) -> Path:
        """The folder that the database lies in; paths of sources below it are stored relative to it."""
        return self.folder.parent

    @property
    def index_folder(self) -> Path:
        """Where the FAISS files lie."""
        return self.folder / INDEX_FOLDER

    def close(self) -> None:
        """Give the file handles back."""
        self._pool.close()

    @property
    def _pool(self) -> Pool:
        """Of this process: SQLite's handles must not be carried across a fork, nor closed by the child."""
        if self._process != os.getpid():
            _INHERITED.append(self._connections)
            self._connections, self._process = _pool(self.folder, readonly=self.readonly, timeout=self.timeout), os.getpid()
        return self._connections

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """One consistent snapshot of the truth. Raises WrongVersion where another program has upgraded it since it was opened."""
        with self._begun() as opened:
            self._check_version(_pragma(opened, "user_version"))
            yield opened

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As `opened`, for statements that SQLAlchemy writes."""
        with self.opened() as opened:
            yield opened.connection

    @contextmanager
    def _begun(self, *, write: bool = False) -> Iterator[Opened]:
        pool = self._pool
        with translated(self.folder):
            opened = pool.take()
            try:
                with transaction(opened, write=write):
                    yield opened
            finally:
                pool.give(opened)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one writer."""
        if self.readonly:
            raise ReadOnly(f"{self.folder} was opened read-only: it can be searched, not written")
        with lock.writing(self.folder, timeout=self.timeout):
            try:
                yield
            except OSError as error:
                if error.errno in _FULL or self.folder in Path(os.fsdecode(error.filename or "")).parents:
                    raise _full(self.folder, error.strerror or error) from error
                raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One write, all of it or nothing; durable on return. Only inside `locked()`."""
        with self._begun(write=True) as opened:
            self._check_version(_pragma(opened, "user_version"))
            yield opened.connection
        self._bound_log()

    def _bound_log(self) -> None:
        """Empty SQLite's log when it has grown: with readers coming and going there is else never a moment to begin it anew.

        Readers are waited for, but not long; while one holds an old snapshot, that is tried again each time the log has doubled.
        """
        with suppress(StorageError):
            if self.log_bytes > self._log_limit:
                self.run_outside_transaction(_PATIENCE.format(LOG_PATIENCE_MS), _EMPTY_LOG, _PATIENCE.format(self.timeout * 1000))
                self._log_limit = max(LOG_BYTES, 2 * self.log_bytes)

    def empty_log(self) -> None:
        """Take all of SQLite's log over into its file, as far as readers of an older state let it."""
        self.run_outside_transaction(_EMPTY_LOG)

    @property
    def log_bytes(self) -> int:
        """How large SQLite's log is; 0 where there is none."""
        return _log_bytes(self.folder)

    def run_outside_transaction(self, *statements: str) -> None:
        """Statements that SQLite refuses or ignores inside a transaction: checkpoints and vacuums."""
        pool = self._pool
        with translated(self.folder):
            opened = pool.take()
            try:
                for statement in statements:
                    opened.driver.executescript(statement)
            except BaseException:
                opened.close()  # the statements may have been half-way through settings that are to hold for them alone
                raise
            pool.give(opened)

    def _version(self) -> int:
        """The schema version of what is there. Raises NotADatabase, WrongVersion for what this program cannot read."""
        with self._begun() as opened:
            application, version = _pragma(opened, "application_id"), _pragma(opened, "user_version")
        if application != APPLICATION_ID or version < 1:
            raise NotADatabase(f"{self.folder / DATABASE_FILE} is an SQLite file of another program, not of vecsearch")
        self._check_version(version)
        return version

    def _check_version(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise newer(self.folder, version)

    def _upgrade(self, version: int) -> None:
        """To this program's format, in place, in one transaction, after a copy of what was there."""
        if self.readonly:
            raise WrongVersion(
                f"{self.folder} has format version {version}, this vecsearch reads version {SCHEMA_VERSION}; "
                f"the next write upgrades it, after a backup: vecsearch optimize --db {self.folder}"
            )
        with self.locked():
            version = self._version()  # another process may have been quicker
            if version == SCHEMA_VERSION:
                return
            from vecsearch.persistence.migrating import migrate

            self.copy_to(self.folder / f"backup-of-format-{version}.db")
            with self.transaction() as connection:
                migrate(connection)

    def copy_into(self, file: Path) -> None:
        """Write what one read transaction sees, compact, into an empty file, while others go on; durable once it is synced."""
        quoted = str(file).replace("'", "''")
        self.run_outside_transaction(f"VACUUM INTO '{quoted}'")

    def copy_to(self, copy: Path) -> None:
        """A whole and durable copy of the SQLite file, or none."""
        with files.written(copy) as file:
            self.copy_into(Path(file.name))


def newer(what: Path, version: int) -> WrongVersion:
    """What to raise for a database, or a backup, of a format that this program does not know yet."""
    return WrongVersion(
        f"{what} has format version {version}, this vecsearch reads version {SCHEMA_VERSION}; "
        "upgrade vecsearch: pip install --upgrade vecsearch"
    )


@contextmanager
def transaction(opened: Opened, *, write: bool) -> Iterator[None]:
    """All of it or nothing; for errors see `translated`."""
    opened.begin(write=write)
    try:
        yield
        opened.commit()
    except BaseException:
        opened.roll_back()
        raise


def _pragma(opened: Opened, name: str) -> int:
    return int(opened.driver.execute(f"PRAGMA {name}").fetchone()[0])


def is_database(folder: Path) -> bool:
    """Whether the folder holds a vecsearch database."""
    return (folder / DATABASE_FILE).is_file()


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, with what to do next."""
    try:
        yield
    except UnicodeDecodeError as error:  # the driver's own, where what SQLite complains of is no text
        raise Damaged(f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`") from error
    except Exception as error:
        if (said := drivers_error(error)) is None:
            raise
        raise _ours(folder, said) from error


def _ours(folder: Path, error: sqlite3.Error) -> VecsearchError:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Locked(f"{folder} is locked by {lock.owner(folder)}; try again when it has finished")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")):
        return _full(folder, error)
    if name.startswith("SQLITE_READONLY"):
        return ReadOnly(f"{folder} is read-only for this user: it can be searched, not written")
    if name.startswith("SQLITE_CANTOPEN"):
        return StorageError(f"cannot open {folder / DATABASE_FILE}: {error}; are the folder and its files readable?")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Damaged(f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`")
    return StorageError(f"{folder / DATABASE_FILE}: {error}")


def _full(folder: Path, reason: object) -> StorageFull:
    return StorageFull(f"no room to write {folder}: {reason}; what was committed before is kept: free some space, run again")


def no_database(folder: Path) -> str:
    """What to say where there is none."""
    if folder.is_dir():
        return f"{folder} is no vecsearch database (it holds no {DATABASE_FILE}); give the folder that `vecsearch index` made"
    if folder.exists():
        return f"{folder} is a file, not a vecsearch database folder"
    return f"no database at {folder}; make one with: vecsearch index PATH --db {folder}"


def _pool(folder: Path, *, readonly: bool, timeout: float) -> Pool:
    file = folder / DATABASE_FILE
    if not os.access(file, os.R_OK):
        raise ReadOnly(f"{file} cannot be read by this user")
    query = "mode=ro" if readonly or not os.access(file, os.W_OK) else "mode=rw"
    if _needs_immutable(folder):
        query = "immutable=1"
    uri = uri_of(file, query)
    return Pool(lambda: connected(uri, timeout=timeout), kept=0 if "immutable" in query else KEPT)


def _needs_immutable(folder: Path) -> bool:
    """Readers of a WAL database make a -shm file beside it; where they cannot and no log waits, nothing can change either."""
    return not os.access(folder, os.W_OK) and not _log_bytes(folder)


def _log_bytes(folder: Path) -> int:
    try:
        return (folder / f"{DATABASE_FILE}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def uri_of(file: Path, how: str) -> str:
    """What SQLite opens a file by; `how` is a query such as mode=ro. Any name that the file system has will do."""
    return f"file:{quote(os.fsencode(file))}?{how}"


def connected(uri: str, *, timeout: float) -> Opened:
    """A new connection, for any thread."""
    opened = Opened(
        sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=timeout, factory=Driver)
    )
    try:
        for statement in _OPENING:
            opened.driver.execute(statement)
    except BaseException:
        opened.close()
        raise
    return opened
