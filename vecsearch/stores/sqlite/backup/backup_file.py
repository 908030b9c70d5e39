"""One file that holds a whole database: taken while it is in use, verified before anything is touched, put back at one stroke.

It is a ZIP archive of the SQLite file, compact, and a manifest with its checksum. Index files are not in it: they are derived.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy import Connection, NullPool, create_engine, func, select, table
from sqlalchemy import column as sql_column

from vecsearch.core import atomic_files
from vecsearch.core.errors import (
    DatabaseCorruptedError,
    DatabaseLockedError,
    DiskFullError,
    InputError,
    StorageError,
    StorageIOError,
    UnreadableFileError,
    ignore_os_errors,
    raise_foreign,
    wrap_write_error,
)
from vecsearch.core.nesting import load_json
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.core.timestamps import get_timestamp
from vecsearch.stores.sqlite.backup.counters import (
    NO_COUNTERS,
    CounterState,
    make_unknown_counters,
    raise_counters,
    read_counters,
)
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.collections import list_visible_states
from vecsearch.stores.sqlite.engine.connections import get_driver
from vecsearch.stores.sqlite.engine.database_folder import INDEX_FOLDER, DatabaseFolder, make_version_error
from vecsearch.stores.sqlite.engine.migration import migrate
from vecsearch.stores.sqlite.engine.sqlite_errors import translate_errors
from vecsearch.stores.sqlite.engine.tables import chunks, documents
from vecsearch.stores.sqlite.write import compaction
from vecsearch.stores.sqlite.write.upgrade import rebuild_batch

_SCHEMA: Final = table("sqlite_master", sql_column("type"))
MANIFEST: Final = "manifest.json"
_LAYOUT: Final = 1  # of the archive and its manifest
_MANIFEST_BYTES_MAX: Final = 10_000_000
_BLOCK: Final = 1 << 20
_PAGE_BYTES: Final = 8_192
_PAGES_AT_ONCE: Final = 4_096
_CHECKPOINT_WAIT_MS: Final = 1_000
_RESTORING_FILE: Final = "restoring.db"  # among the index files, where the next writer clears away what a kill left
_DAMAGED_FILE: Final = "damaged.db"  # what a restored database took the place of, where that could not be read


@dataclass(frozen=True, slots=True)
class BackedUpCollection:
    """A collection in a backup, and how much of it there is."""

    name: str
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `format` is the database's, `layout` the file's own; `created_at` is UTC in ISO 8601."""

    layout: int
    program: str
    created_at: str
    format: int
    sha256: str
    bytes: int
    collections: tuple[BackedUpCollection, ...]


def write_backup(database: DatabaseFolder, file: Path, *, replace: bool = False) -> Manifest:
    """Back a database up while it is in use. Raises InputError where the file may not lie there, DiskFullError."""
    file = Path(os.path.abspath(file))
    _check_target(database, file, replace)
    with database.begin_driver_read():  # raises SchemaVersionError where it has to be upgraded first
        snapshot = file.with_name(f"{file.name}.snapshot.tmp")
    try:
        atomic_files.create_private_file(snapshot).close()
        database.copy_into(snapshot)
        with atomic_files.write_atomically(file) as archive:
            return _write_archive(snapshot, archive)
    except DiskFullError as error:
        raise DiskFullError(f"no room to write {file}: {error}") from error
    except StorageIOError as error:
        raise StorageIOError(f"no backup was written at {file}: {error}") from error
    except OSError as error:
        raise wrap_write_error(f"no backup was written at {file}", error) from error
    finally:
        atomic_files.remove(snapshot)


def unpack_into_new_folder(file: Path, folder: Path) -> Manifest:
    """Create the database of a backup in an empty folder.

    Raises UnreadableFileError, DatabaseCorruptedError, SchemaVersionError, DiskFullError.
    """
    atomic_files.make_folder(folder / INDEX_FOLDER)
    manifest = _prepare(file, folder / DATABASE_FILE, NO_COUNTERS)
    _enable_wal(folder / DATABASE_FILE)
    return manifest


def replace_database(database: DatabaseFolder, file: Path) -> Manifest:
    """Put a backup in the place of all that a database holds. Only inside the write lock.

    Readers in any process see the old content until the new one is committed, all of it at once; a kill leaves the old one.
    Raises as `unpack_into_new_folder` does, and DatabaseLockedError.
    """
    copy = database.index_folder / _RESTORING_FILE
    try:
        counters = read_counters(database)
    except DatabaseCorruptedError:
        counters = make_unknown_counters()
    try:
        atomic_files.make_folder(database.index_folder)
        manifest = _prepare(file, copy, counters)
        with translate_errors(database.folder):
            _copy_in(copy, database)
    finally:
        _remove_copy(copy)
    publish_all(database)
    return manifest


def replace_damaged_database(folder: Path, file: Path, *, timeout: float) -> Manifest:
    """Put a backup in the place of a database that is too damaged to be opened, which is kept beside it as `damaged.db`."""
    copy, live = folder / INDEX_FOLDER / _RESTORING_FILE, folder / DATABASE_FILE
    with write_lock.hold_write_lock(folder, timeout=timeout):
        try:
            atomic_files.make_folder(copy.parent)
            manifest = _prepare(file, copy, make_unknown_counters())
            _enable_wal(copy)
            _set_aside(folder, live)
            copy.replace(live)
            atomic_files.sync_folder(folder)
        finally:
            _remove_copy(copy)
    return manifest


def publish_all(database: DatabaseFolder) -> None:
    """Write index files for every collection, without those of before. Only inside the write lock."""
    compaction.clear_leftovers(database)
    with database.begin_read() as connection:
        names = [state.name for state in list_visible_states(connection)]
    for name in names:
        compaction.publish_if_possible(database, name)


# -- writing one


def _check_target(database: DatabaseFolder, file: Path, replace: bool) -> None:
    if file.resolve().is_relative_to(database.folder.resolve()):
        raise InputError(f"{file} lies inside the database that it is to back up; name a file outside of {database.folder}")
    if not file.parent.is_dir():
        raise InputError(f"no folder {file.parent} to write {file.name} to; make it first")
    if file.is_dir():
        raise InputError(f"{file} is a folder; name a file in it")
    if file.exists() and not replace:
        raise InputError(f"{file} is there already; name another file, or write over it: --force")


def _write_archive(snapshot: Path, target: BinaryIO) -> Manifest:
    with _open_copy(snapshot, snapshot) as connection:
        summaries = tuple(_read_collections(connection))
    checksum, size = hashlib.sha256(), 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # vectors hardly compress
        with snapshot.open("rb") as source, archive.open(DATABASE_FILE, "w", force_zip64=True) as member:
            while block := source.read(_BLOCK):
                member.write(block)
                checksum.update(block)
                size += len(block)
        now = get_timestamp()
        manifest = Manifest(
            _LAYOUT, import_module("vecsearch").__version__, now, SCHEMA_VERSION, checksum.hexdigest(), size, summaries
        )
        archive.writestr(MANIFEST, json.dumps(asdict(manifest), ensure_ascii=False, indent=2))
    return manifest


def _read_collections(connection: Connection) -> Iterator[BackedUpCollection]:
    for state in list_visible_states(connection):
        amounts = (
            connection.scalar(select(func.count()).where(table.c.collection_id == state.id)) for table in (documents, chunks)
        )
        yield BackedUpCollection(state.name, *(amount or 0 for amount in amounts))


# -- reading one


def _prepare(file: Path, copy: Path, minimum: CounterState) -> Manifest:
    """Unpack the database of a backup, verify and upgrade it, and give it counters that no reader has seen."""
    manifest = _extract_database(file, copy)
    with _open_copy(copy, file) as connection:
        _verify_copy(connection, file)
        raw = get_driver(connection)
        raw.execute("BEGIN IMMEDIATE")
        migrate(connection)
        while rebuild_batch(connection):
            pass
        raise_counters(connection, minimum)
        raw.execute("COMMIT")
    return manifest


def _extract_database(file: Path, copy: Path) -> Manifest:
    """Take out the two members that are known, and no more bytes than were announced."""
    checksum, size = hashlib.sha256(), 0
    with _open_archive(file) as archive, atomic_files.create_private_file(copy) as target:
        manifest = _read_manifest(archive, file)
        with archive.open(DATABASE_FILE) as member:
            while block := member.read(_BLOCK):
                size += len(block)
                if size > manifest.bytes:
                    raise DatabaseCorruptedError(
                        f"{file} is damaged: its database is larger than the {manifest.bytes:,} bytes announced"
                    )
                checksum.update(block)
                _write_block(target, block, copy)
    if (size, checksum.hexdigest()) != (manifest.bytes, manifest.sha256):
        raise DatabaseCorruptedError(
            f"{file} is damaged: its database does not have the checksum that its manifest says; restore another backup"
        )
    return manifest


def _write_block(target: BinaryIO, block: bytes, copy: Path) -> None:
    try:
        target.write(block)
    except OSError as error:
        raise wrap_write_error(f"the backup could not be unpacked at {copy}", error) from error


@contextmanager
def _open_archive(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except FileNotFoundError as error:
        raise UnreadableFileError(f"no backup at {file}") from error
    except OSError as error:
        raise_foreign(error)
        raise UnreadableFileError(f"cannot read {file}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(f"{file} is no backup of vecsearch, or is damaged: {error}") from error
    except (zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise DatabaseCorruptedError(f"{file} is damaged: {error}; restore another backup") from error


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    if missing := {MANIFEST, DATABASE_FILE} - set(archive.namelist()):
        raise UnreadableFileError(f"{file} is no backup of vecsearch: it holds no {min(missing)}")
    with archive.open(MANIFEST) as member:
        text = member.read(_MANIFEST_BYTES_MAX)
    try:
        value = load_json(text)
        summaries = tuple(
            BackedUpCollection(str(entry["name"]), int(entry["documents"]), int(entry["chunks"]))
            for entry in value["collections"]
        )
        numbers = {key: int(value[key]) for key in ("layout", "format", "bytes")}
        texts = {key: str(value[key]) for key in ("program", "created_at", "sha256")}
    except (ValueError, TypeError, KeyError) as error:
        raise DatabaseCorruptedError(
            f"{file} is damaged: its manifest cannot be read ({error}); restore another backup"
        ) from error
    if numbers["layout"] > _LAYOUT or not SCHEMA_VERSION_MIN <= numbers["format"] <= SCHEMA_VERSION:
        raise make_version_error(file, numbers["format"])
    return Manifest(collections=summaries, **numbers, **texts)  # type: ignore[arg-type]


def _verify_copy(connection: Connection, file: Path) -> None:
    raw = get_driver(connection)
    numbers = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version", "page_size")}
    if numbers["application_id"] != APPLICATION_ID or numbers["user_version"] == 0:
        raise UnreadableFileError(f"{file} is no backup of vecsearch: it holds an SQLite file of another program")
    if not SCHEMA_VERSION_MIN <= abs(numbers["user_version"]) <= SCHEMA_VERSION:
        raise make_version_error(file, abs(numbers["user_version"]))
    messages = [row[0] for row in raw.execute("PRAGMA integrity_check(3)")]
    active = select(func.count()).select_from(_SCHEMA).where(_SCHEMA.c.type.in_(("trigger", "view")))
    if messages != ["ok"] or numbers["page_size"] != _PAGE_BYTES or connection.scalar(active):
        reason = messages[0] if messages != ["ok"] else "its database was not made by vecsearch"
        raise DatabaseCorruptedError(f"{file} is damaged: {reason}; restore another backup")


@contextmanager
def _open_copy(copy: Path, file: Path) -> Iterator[Connection]:
    """Open a database that is nobody's yet; the backup file is to blame for what is wrong with it."""

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(copy, isolation_level=None)
        for statement in ("PRAGMA trusted_schema = OFF", "PRAGMA foreign_keys = ON", "PRAGMA temp_store = MEMORY"):
            raw.execute(statement)
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with translate_errors(copy.parent), engine.connect() as connection:
            yield connection
    except DiskFullError as error:
        raise DiskFullError(f"no room to restore {file}: {error}") from error
    except StorageIOError as error:
        raise StorageIOError(f"{file} could not be restored: {error}") from error
    except StorageError as error:
        if error.__cause__ is None:  # said here, not by SQLite
            raise
        raise DatabaseCorruptedError(f"{file} is damaged: {error.__cause__}; restore another backup") from error
    finally:
        engine.dispose()


# -- putting it in place


def _copy_in(copy: Path, database: DatabaseFolder) -> None:
    """Copy by SQLite's online backup: one write transaction of the live file, committed with its last page."""
    deadline = time.monotonic() + database.timeout

    def progress(status: int, _: int, __: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise DatabaseLockedError(
                f"{database.folder} is locked by {write_lock.describe_owner(database.folder)}; try again when it has finished"
            )

    source, live = sqlite3.connect(copy), sqlite3.connect(database.folder / DATABASE_FILE, isolation_level=None)
    try:
        live.execute("PRAGMA synchronous = FULL")
        source.backup(live, pages=_PAGES_AT_ONCE, progress=progress)
        live.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # as far as readers of the old content let it
    finally:
        source.close()
        live.close()


def _enable_wal(file: Path) -> None:
    """Let a database that nobody has open keep a write-ahead log, as those do that were created empty."""
    raw = sqlite3.connect(file, isolation_level=None)
    try:
        with translate_errors(file.parent):
            raw.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        raw.close()


def _set_aside(folder: Path, live: Path) -> None:
    """Keep what was there, the log first: a restored database must never be given that of another."""
    log = Path(f"{live}-wal")
    for name in (_DAMAGED_FILE, f"{_DAMAGED_FILE}-wal"):
        atomic_files.remove(folder / name)
    atomic_files.remove(Path(f"{live}-shm"))
    with suppress(FileNotFoundError):
        log.replace(folder / f"{_DAMAGED_FILE}-wal")
    with ignore_os_errors():  # not every file system has links
        os.link(live, folder / _DAMAGED_FILE)
    atomic_files.sync_folder(folder)


def _remove_copy(copy: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        atomic_files.remove(Path(f"{copy}{suffix}"))


def to_dict(manifest: Manifest) -> dict[str, Any]:
    """Return the fields of the shell's JSON."""
    return {**asdict(manifest), "collections": [asdict(summary) for summary in manifest.collections]}
