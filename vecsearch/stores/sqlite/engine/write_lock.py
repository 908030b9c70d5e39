"""One writer: an operating-system lock beside the database, which dies with its process, and a note of who holds it."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import DatabaseLockedError, ReadOnlyError, VecsearchError, wrap_write_error
from vecsearch.core.file_lock import LockTimeoutError, hold_file_lock
from vecsearch.core.nesting import load_json

LOCK_FILE = "write.lock"
OWNER_FILE = "write.owner.json"
FILL_LOCK_FILE: Final = "fill-{}.lock"  # of the collection of this row
_SILENT_WAIT_S: Final = 1.0
_log = logging.getLogger("vecsearch")


@contextmanager
def hold_write_lock(folder: Path, *, timeout: float) -> Iterator[None]:
    """Hold the database's write lock.

    Waits up to `timeout` seconds, and after the first of them logs for whom; then raises DatabaseLockedError naming the owner.
    """
    process = os.getpid()
    with ExitStack() as stack:
        try:
            _acquire(stack, folder, timeout)
        except LockTimeoutError as error:
            raise DatabaseLockedError(
                f"{folder} is being written by {describe_owner(folder)}; waited {timeout:g} s: try again when it has finished"
            ) from error
        except OSError as error:
            raise _wrap_lock_error(folder, "nothing was changed", error) from error
        try:
            _write_owner(folder)
            yield
        finally:
            if os.getpid() == process:  # else the lock is the parent's
                atomic_files.remove(folder / OWNER_FILE)


@contextmanager
def claim_filling(folder: Path, collection: int) -> Iterator[bool]:
    """Claim to be the one who makes a collection's pending vectors; gives False, at once, where another does.

    A claim is a lock of its own beside the write lock, which others need meanwhile. Raises ReadOnlyError.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_file_lock(get_claim_path(folder, collection), timeout=0))
            claimed = True
        except LockTimeoutError:
            claimed = False
        except OSError as error:
            raise _wrap_lock_error(folder, "no vectors were made", error) from error
        yield claimed


def get_claim_path(folder: Path, collection: int) -> Path:
    """Return the file that is locked by whoever makes a collection's pending vectors."""
    return folder / FILL_LOCK_FILE.format(collection)


def list_claim_paths(folder: Path) -> list[Path]:
    """Return those of all collections, also of some that are no more."""
    return list(folder.glob(FILL_LOCK_FILE.format("*")))


def _wrap_lock_error(folder: Path, outcome: str, error: OSError) -> VecsearchError:
    if isinstance(error, PermissionError):
        return ReadOnlyError(f"{folder} is read-only for this user: it can be searched, not written")
    return wrap_write_error(f"{outcome}: no lock file was made in {folder}", error)


def _acquire(stack: ExitStack, folder: Path, timeout: float) -> None:
    try:
        stack.enter_context(hold_file_lock(folder / LOCK_FILE, timeout=min(timeout, _SILENT_WAIT_S)))
    except LockTimeoutError:
        if timeout <= _SILENT_WAIT_S:
            raise
        _log.info("waiting for %s, which writes %s", describe_owner(folder), folder)
        stack.enter_context(hold_file_lock(folder / LOCK_FILE, timeout=timeout - _SILENT_WAIT_S))


def describe_owner(folder: Path) -> str:
    """Return who holds the lock, as far as the note beside it says."""
    try:
        note = load_json((folder / OWNER_FILE).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']} ({note['command']}, since {note['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _write_owner(folder: Path) -> None:
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with (
        suppress(OSError),
        atomic_files.create_private_file(folder / OWNER_FILE) as file,
    ):  # a courtesy: the lock itself holds without it
        file.write(json.dumps(note).encode())
