"""The database folder: created whole or not at all, opened with the right PRAGMAs, one transaction at a time.

Translates the driver's errors into ours. Knows no table's columns.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from vecsearch.core.errors import Damaged, Locked, NotADatabase, ReadOnly, StorageError, StorageFull, VecsearchError, WrongVersion
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, LOCK_TIMEOUT_S, LOG_BYTES, LOG_PATIENCE_MS
from vecsearch.persistence import files, lock
from vecsearch.persistence.statements import driver
from vecsearch.persistence.tables import SCHEMA_VERSION

if TYPE_CHECKING:
    from alembic.config import Config

INDEX_FOLDER: Final = "index"
_CREATING: Final = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
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
_INHERITED: Final[list[Engine]] = []  # kept, so that nobody closes them
_POOL: Final = {"pool_size": 8, "max_overflow": -1, "pool_use_lifo": True}  # so many are kept


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
            raise NotADatabase(_no_database(self.folder))
        self._opened, self._process = _engine(self.folder, readonly=readonly, timeout=timeout), os.getpid()
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
        self._engine.dispose()

    @property
    def _engine(self) -> Engine:
        """Of this process: SQLite's handles must not be carried across a fork, nor closed by the child."""
        if self._process != os.getpid():
            _INHERITED.append(self._opened)
            self._opened, self._process = _engine(self.folder, readonly=self.readonly, timeout=self.timeout), os.getpid()
        return self._opened

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent snapshot of the truth. Raises WrongVersion where another program has upgraded it since it was opened."""
        with self._begun() as connection:
            self._check_version(_pragma(connection, "user_version"))
            yield connection

    @contextmanager
    def _begun(self, *, write: bool = False) -> Iterator[Connection]:
        with translated(self.folder), self._engine.connect() as connection:
            if write:
                connection.execution_options(vecsearch_write=True)
            with connection.begin():
                yield connection

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
        with self._begun(write=True) as connection:
            self._check_version(_pragma(connection, "user_version"))
            yield connection
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
        with translated(self.folder):
            raw = self._engine.raw_connection()
            try:
                for statement in statements:
                    raw.driver_connection.executescript(statement)  # type: ignore[union-attr]
            except BaseException:
                raw.invalidate()  # the statements may have been half-way through settings that are to hold for them alone
                raise
            finally:
                raw.close()

    def _version(self) -> int:
        """The schema version of what is there. Raises NotADatabase, WrongVersion for what this program cannot read."""
        with self._begun() as connection:
            application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
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


def _pragma(connection: Connection, name: str) -> int:
    return int(driver(connection).execute(f"PRAGMA {name}").fetchone()[0])


def is_database(folder: Path) -> bool:
    """Whether the folder holds a vecsearch database."""
    return (folder / DATABASE_FILE).is_file()


def create(folder: Path, *, fill: Callable[[Path], object] | None = None) -> None:
    """Make an empty database, or the one that `fill` makes in a folder: under a temporary name beside its place, then renamed, so
    that no half of one is ever there."""
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise NotADatabase(_no_database(folder))
    try:
        files.make_parents(folder)
        workplace = Path(mkdtemp(prefix=f".{folder.name.lstrip('.')}-new-", dir=folder.parent))
    except PermissionError as error:
        raise ReadOnly(f"cannot create {folder}: {folder.parent} is read-only for this user") from error
    except OSError as error:
        raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    try:
        (fill or _fill)(workplace)
        files.sync_folder(workplace)
        workplace.rename(folder)
        files.sync_folder(folder.parent)
    except OSError as error:
        if fill is not None or not is_database(folder):  # else another process was quicker, and its database is as good
            raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, with what to do next."""
    try:
        yield
    except DBAPIError as error:
        raise _ours(folder, error.orig) from error
    except sqlite3.Error as error:
        raise _ours(folder, error) from error
    except UnicodeDecodeError as error:  # the driver's own, where what SQLite complains of is no text
        raise Damaged(f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`") from error


def _ours(folder: Path, error: BaseException | None) -> VecsearchError:
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


def _no_database(folder: Path) -> str:
    if folder.is_dir():
        return f"{folder} is no vecsearch database (it holds no {DATABASE_FILE}); give the folder that `vecsearch index` made"
    if folder.exists():
        return f"{folder} is a file, not a vecsearch database folder"
    return f"no database at {folder}; make one with: vecsearch index PATH --db {folder}"


def _engine(folder: Path, *, readonly: bool, timeout: float) -> Engine:
    file = folder / DATABASE_FILE
    if not os.access(file, os.R_OK):
        raise ReadOnly(f"{file} cannot be read by this user")
    query = "mode=ro" if readonly or not os.access(file, os.W_OK) else "mode=rw"
    if _needs_immutable(folder):
        query = "immutable=1"
    return _engine_of(uri_of(file, query), timeout=timeout)


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


def _engine_of(uri: str, *, timeout: float) -> Engine:
    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=timeout)
        try:
            for statement in _OPENING:
                raw.execute(statement)
        except BaseException:
            raw.close()
            raise
        return raw

    # any number of threads, each with a connection of its own while it needs one
    pool: dict[str, Any] = {"poolclass": NullPool} if "immutable" in uri else {"poolclass": QueuePool, **_POOL}
    engine = create_engine("sqlite://", creator=connect, **pool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # the driver opens no transaction by itself (isolation_level=None)
        write = connection.get_execution_options().get("vecsearch_write")
        driver(connection).execute("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _fill(workplace: Path) -> None:
    files.make_folder(workplace / INDEX_FOLDER)
    file = workplace / DATABASE_FILE
    files.created(file).close()  # whose mode SQLite keeps, and gives its log too
    with translated(workplace):
        raw = sqlite3.connect(file, isolation_level=None)
        try:
            for statement in _CREATING:
                raw.execute(statement)
        finally:
            raw.close()
    engine = _engine_of(uri_of(file, "mode=rw"), timeout=LOCK_TIMEOUT_S)
    try:
        with translated(workplace), engine.connect() as connection:
            writer = connection.execution_options(vecsearch_write=True)
            with writer.begin():
                migrate(writer)
    finally:
        engine.dispose()


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, in the transaction that the connection is in."""
    from alembic import command

    command.upgrade(alembic_config(connection), "head")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def alembic_config(connection: Connection) -> Config:
    """What Alembic is to know: where its scripts are, and in whose transaction they run."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations_folder()))
    config.attributes["connection"] = connection
    return config


def _migrations_folder() -> Path:
    """Alembic's scripts: inside the installed package, or at the top of the repository for an editable install."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
