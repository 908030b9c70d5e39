"""The database folder: opened with the right PRAGMAs, one transaction at a time.

Translates the driver's errors into ours. Knows no table's columns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import (
    DatabaseLockedError,
    NotADatabaseError,
    ReadOnlyError,
    SchemaVersionError,
    StorageError,
    StorageIOError,
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
from vecsearch.core.source_paths import make_absolute
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.connections import PooledConnection
from vecsearch.stores.sqlite.engine.database_file import DatabaseFile, is_database, measure_wal
from vecsearch.stores.sqlite.engine.source_root import find_source_root
from vecsearch.stores.sqlite.engine.sqlite_errors import translate_errors, translate_os_error

if TYPE_CHECKING:
    from sqlalchemy import Connection

INDEX_FOLDER: Final = "index"
_CHECKPOINT_WAL: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
_BUSY_TIMEOUT: Final = "PRAGMA busy_timeout = {:.0f}"


class DatabaseFolder:
    """An open database folder. Close it, or use it in `with`."""

    def __init__(self, folder: Path, *, readonly: bool = False, timeout: float = LOCK_TIMEOUT_S) -> None:
        """Open an existing database. One of an older format is upgraded by its first write; reading it raises SchemaVersionError
        until then, and so does this where it is `readonly`.

        Raises NotADatabaseError, SchemaVersionError, DatabaseCorruptedError.
        """
        self.folder = make_absolute(folder)  # a symbolic link stays the name the user gave: it may lead elsewhere one day
        self.readonly = readonly
        self.timeout = timeout
        self._wal_limit = WAL_CHECKPOINT_BYTES
        if not is_database(self.folder):
            raise NotADatabaseError(describe_missing_database(self.folder))
        self._file = DatabaseFile(self.folder, readonly=readonly, timeout=timeout)
        self._held = threading.local()  # what this thread has locked
        try:
            self.is_outdated = self._read_version() != SCHEMA_VERSION
            if self.is_outdated and readonly:
                raise make_outdated_error(self.folder)
            with translate_errors(self.folder), self._file.pool.begin(write=False) as opened:
                self.parent = find_source_root(opened.driver, self.folder)
        except BaseException:
            self.close()
            raise

    @property
    def index_folder(self) -> Path:
        """Return the folder of the FAISS files."""
        return self.folder / INDEX_FOLDER

    def check_open(self) -> None:
        """Raise DatabaseClosedError where it was closed, as every transaction does then."""
        self._file.check_open()

    def close(self) -> None:
        """Give the file handles back."""
        self._file.close()

    @contextmanager
    def begin_driver_read(self) -> Iterator[PooledConnection]:
        """Begin one consistent snapshot of the database.

        Raises SchemaVersionError where it is to be upgraded first, or another program has upgraded it since it was opened,
        DatabaseReplacedError where it does not lie at its path any more.
        """
        with translate_errors(self.folder), self._file.pool.begin(write=False) as opened:
            self._file.check_in_place()
            self._check_current(_read_pragma(opened, "user_version"))
            self._file.check_log(opened)
            yield opened

    @contextmanager
    def begin_read(self) -> Iterator[Connection]:
        """Begin the same for statements that SQLAlchemy writes."""
        with self.begin_driver_read() as opened:
            yield opened.connection

    @contextmanager
    def hold_write_lock(self) -> Iterator[None]:
        """Become the one writer; a database of an older format is upgraded first."""
        self.check_open()
        if self.readonly:
            raise ReadOnlyError(f"{self.folder} was opened read-only: it can be searched, not written")
        self._file.check_in_place()  # before the lock, whose file would be made in another's folder
        with self._translate_os_errors(), write_lock.hold_write_lock(self.folder, timeout=self.timeout) as lock:
            self._held.lock = lock
            try:
                self._file.check_in_place()  # it may have gone while the lock was waited for
                self._upgrade_if_outdated()
                yield
            finally:
                self._held.lock = None

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        try:
            yield
        except StorageIOError:
            self._file.check_in_place()  # which says more, where it is the reason
            raise
        except OSError as error:
            if (translated := translate_os_error(self.folder, error)) is None:
                raise
            raise translated from error

    @contextmanager
    def begin_write(self) -> Iterator[Connection]:
        """Begin one write, all of it or nothing; durable on return. Only inside the write lock.

        Raises DatabaseReplacedError where the database does not lie at its path any more, so that it would be lost.
        """
        with self.begin_upgrade() as connection:
            self._check_current(int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()))
            yield connection

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
        return measure_wal(self.folder)

    def run_outside_transaction(self, *statements: str) -> None:
        """Run statements that SQLite refuses or ignores inside a transaction: checkpoints and vacuums."""
        self._file.check_in_place()
        pool = self._file.pool
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
        with translate_errors(self.folder), self._file.pool.begin(write=False) as opened:
            application, version = _read_pragma(opened, "application_id"), _read_pragma(opened, "user_version")
        if application != APPLICATION_ID:
            raise NotADatabaseError(f"{self.folder / DATABASE_FILE} is an SQLite file of another program, not of vecsearch")
        if not _can_be_upgraded(version):
            raise make_version_error(self.folder, abs(version))
        return version

    def _check_current(self, version: int) -> None:
        """Raise SchemaVersionError where the database is of another format than this program's, or only half upgraded."""
        if version == SCHEMA_VERSION:
            return
        if _can_be_upgraded(version):
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

            if version >= 0:  # else another process was killed after the copy
                self.copy_to(self.folder / f"backup-of-format-{version}.db")
            if abs(version) != SCHEMA_VERSION:
                with self.begin_upgrade() as connection:
                    migration.migrate(connection)
            rebuild_derived(self)
        self.is_outdated = False

    @contextmanager
    def begin_upgrade(self) -> Iterator[Connection]:
        """Begin one write to a database whose format need not be this program's; else as `begin_write`."""
        with translate_errors(self.folder), self._file.pool.begin(write=True) as opened:
            self._file.check_in_place()
            self._file.check_log(opened)
            self._check_lock()
            yield opened.connection
            self._file.check_log(opened)
        self._file.check_in_place()  # what was committed to a file that went meanwhile does not count as written
        self._limit_wal()

    def _check_lock(self) -> None:
        """Raise DatabaseLockedError where the file that this thread has locked is not the one that others would lock."""
        lock = getattr(self._held, "lock", None)
        if lock is not None and not write_lock.is_in_place(self.folder, lock):
            raise DatabaseLockedError(
                f"{self.folder / write_lock.LOCK_FILE} was deleted or replaced while this process held it, so that another may "
                "write: what was committed before is kept; leave that file alone, and run again"
            )

    def copy_into(self, file: Path) -> None:
        """Write what one read transaction sees, compact, into an empty file, while others go on; durable once it is synced."""
        quoted = str(file).replace("'", "''")
        self.run_outside_transaction(f"VACUUM INTO '{quoted}'")

    def copy_to(self, target: Path) -> None:
        """Make a whole and durable copy of the SQLite file, or none."""
        with atomic_files.write_atomically(target) as file:
            self.copy_into(Path(file.name))


def _can_be_upgraded(version: int) -> bool:
    """Return whether a database of this `user_version` can: that of an older format, half upgraded or not, or 0: lost."""
    return version == 0 or SCHEMA_VERSION_MIN <= abs(version) <= SCHEMA_VERSION


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
        "it was made by a newer vecsearch: upgrade vecsearch"
    )


def _read_pragma(connection: PooledConnection, name: str) -> int:
    return int(connection.driver.execute(f"PRAGMA {name}").fetchone()[0])


def make_workplace_prefix(folder: Path) -> str:
    """Return how the names of folders begin in which a database is made, or a backup of it unpacked."""
    return f".{folder.name.lstrip('.')}-new-"


def describe_missing_database(folder: Path) -> str:
    """Return what to say where there is no database."""
    if folder.is_dir():
        return f"{folder} is no vecsearch database (it holds no {DATABASE_FILE}); give the folder that `vecsearch index` made"
    if folder.exists():
        return f"{folder} is a file, not a vecsearch database folder"
    return f"no database at {folder}; make one with: vecsearch index PATH --db {folder}"
