"""One writer: an operating-system lock beside the database, which dies with its process, and a note of who holds it."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import (
    DatabaseLockedError,
    VecsearchError,
    ignore_os_errors,
    is_read_only,
    raise_foreign,
    wrap_write_error,
)
from vecsearch.core.file_lock import LockFile, LockTimeoutError, hold_file_lock
from vecsearch.core.nesting import load_json
from vecsearch.core.timestamps import get_timestamp
from vecsearch.stores.sqlite.engine.file_identity import FileIdentity, read_identity
from vecsearch.stores.sqlite.engine.read_only import make_read_only_error

LOCK_FILE = "write.lock"
OWNER_FILE = "write.owner.json"
FILL_LOCK_FILE: Final = "fill-{}.lock"  # of the collection of this row
_SILENT_WAIT_S: Final = 1.0
_log = logging.getLogger("vecsearch")
_told_of: Final[dict[tuple[Path, int], str]] = {}  # who makes the vectors of a collection, as was logged last


@contextmanager
def hold_write_lock(folder: Path, *, timeout: float) -> Iterator[FileIdentity | None]:
    """Hold the database's write lock; gives the identity of its file, which is nobody's lock any more once another lies there.

    Waits up to `timeout` seconds, and after the first of them logs for whom; then raises DatabaseLockedError naming the owner.
    """
    try:
        lock = _acquire(folder, timeout)
    except LockTimeoutError as error:
        raise DatabaseLockedError(
            f"{folder} is being written by {describe_owner(folder)}; waited {timeout:g} s: try again when it has finished"
        ) from error
    except OSError as error:
        raise _wrap_lock_error(folder, "nothing was changed", error) from error
    with lock:
        process, identity = os.getpid(), read_identity(folder / LOCK_FILE)
        try:
            _write_owner(folder)
            yield identity
        finally:
            if os.getpid() == process and identity is not None and is_in_place(folder, identity):  # else the note is another's
                atomic_files.remove(folder / OWNER_FILE)


def is_in_place(folder: Path, lock: FileIdentity) -> bool:
    """Return whether the lock that is held is still the one that others find."""
    try:
        return read_identity(folder / LOCK_FILE) == lock
    except OSError as error:
        raise_foreign(error)
        return False


@contextmanager
def claim_filling(folder: Path, collection: int) -> Iterator[bool]:
    """Claim to be the one who makes a collection's pending vectors; gives False, at once, where another does.

    A claim is a lock of its own beside the write lock, which others need meanwhile. Raises ReadOnlyError.
    """
    lock = None
    try:
        lock = hold_file_lock(get_claim_path(folder, collection), timeout=0)
    except LockTimeoutError:
        _tell_of_filler(folder, collection)
    except OSError as error:
        raise _wrap_lock_error(folder, "no vectors were made", error) from error
    with lock or nullcontext():
        if lock is not None:
            with ignore_os_errors():  # a courtesy, as below
                lock.truncate(0)
                lock.write(str(os.getpid()).encode())
        yield lock is not None


def _tell_of_filler(folder: Path, collection: int) -> None:
    """Log, once for each process, who makes a collection's pending vectors: whoever claims them too waits for that."""
    owner = "another process"
    with ignore_os_errors(), suppress(ValueError):
        owner = f"process {int(get_claim_path(folder, collection).read_text(encoding='ascii'))}"
    if _told_of.get((folder, collection)) != owner:
        _told_of[folder, collection] = owner
        _log.info("waiting for %s, which makes vectors in %s", owner, folder)


def get_claim_path(folder: Path, collection: int) -> Path:
    """Return the file that is locked by whoever makes a collection's pending vectors."""
    return folder / FILL_LOCK_FILE.format(collection)


def list_claim_paths(folder: Path) -> list[Path]:
    """Return those of all collections, also of some that are no more."""
    return list(folder.glob(FILL_LOCK_FILE.format("*")))


def _wrap_lock_error(folder: Path, outcome: str, error: OSError) -> VecsearchError:
    if is_read_only(error):
        return make_read_only_error(folder)
    return wrap_write_error(f"{outcome}: no lock file was made in {folder}", error)


def _acquire(folder: Path, timeout: float) -> LockFile:
    try:
        return hold_file_lock(folder / LOCK_FILE, timeout=min(timeout, _SILENT_WAIT_S))
    except LockTimeoutError:
        if timeout <= _SILENT_WAIT_S:
            raise
    _log.info("waiting for %s, which writes %s", describe_owner(folder), folder)
    return hold_file_lock(folder / LOCK_FILE, timeout=timeout - _SILENT_WAIT_S)


def describe_owner(folder: Path) -> str:
    """Return who holds the lock, as far as the note beside it says."""
    try:
        note = load_json((folder / OWNER_FILE).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']} ({note['command']}, since {note['since']})"
    except OSError as error:
        raise_foreign(error)
    except (ValueError, KeyError, TypeError):
        pass
    return "another process"


def _write_owner(folder: Path) -> None:
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
        "since": get_timestamp(),
    }
    with (
        ignore_os_errors(),
        atomic_files.create_private_file(folder / OWNER_FILE) as file,
    ):  # a courtesy: the lock itself holds without it
        file.write(json.dumps(note).encode())
