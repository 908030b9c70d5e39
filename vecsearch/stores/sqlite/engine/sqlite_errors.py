"""Translate the errors of SQLite, and of the system below it, into ours, with what to do next."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vecsearch.core.errors import (
    DatabaseCorruptedError,
    DatabaseLockedError,
    DiskFullError,
    StorageError,
    StorageIOError,
    VecsearchError,
    ignore_os_errors,
    is_disk_full,
    is_read_only,
)
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.connections import get_driver_error
from vecsearch.stores.sqlite.engine.read_only import make_read_only_error

_MIN_FREE_BYTES: Final = 1 << 16  # with less, a write that SQLite could not make failed for want of room
_GROWING_FAILED: Final = frozenset({"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE"})


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
        return _make_disk_full_error(folder, error) if is_full else make_io_error(folder, error)
    if name.startswith("SQLITE_READONLY"):
        file = folder / DATABASE_FILE
        return make_read_only_error(folder if os.access(file, os.W_OK) else file)
    if name.startswith("SQLITE_CANTOPEN"):
        return StorageError(f"cannot open {folder / DATABASE_FILE}: {error}; are the folder and its files readable?")
    if _is_of_another_schema(str(error)) or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return DatabaseCorruptedError(f"{folder / DATABASE_FILE} is damaged: {error}; see `vecsearch doctor --db {folder}`")
    return StorageError(f"{folder / DATABASE_FILE}: {error}")


def _is_of_another_schema(message: str) -> bool:
    """Return whether SQLite lacks what the format has, or has what a migration was to make."""
    return message.startswith(("no such table", "no such column", "duplicate column name")) or message.endswith("already exists")


def translate_os_error(folder: Path, error: OSError) -> StorageError | None:
    """Return what to raise for what the system said while a database was written; None where it was not about the database."""
    if is_disk_full(error):
        return _make_disk_full_error(folder, error.strerror or error)
    path = Path(os.fsdecode(error.filename or ""))
    if folder not in path.parents and error.errno != errno.EIO:
        return None
    return make_read_only_error(path) if is_read_only(error) else make_io_error(folder, error.strerror or error)


def _make_disk_full_error(folder: Path, reason: object) -> DiskFullError:
    return DiskFullError(f"no room to write {folder}: {reason}; what was committed before is kept: free some space, run again")


def make_io_error(folder: Path, reason: object) -> StorageIOError:
    """Return what to raise where the system failed at a file of a database."""
    return StorageIOError(
        f"the system could not read or write a file of {folder}: {reason}; what was committed before is kept: check the disk or "
        "the connection to it (see the system's log), then run `vecsearch doctor`"
    )


def _is_out_of_room(folder: Path) -> bool:
    """Return whether the disk is full, or the size of files limited: SQLite does not tell either from a disk that fails."""
    with ignore_os_errors():
        if shutil.disk_usage(folder).free < _MIN_FREE_BYTES:
            return True
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
