"""A lock on a file that orders processes and threads, and ends with its process.

It also ends when nobody refers to it any more, so that no interruption, wherever it comes, leaves it held.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import Final
from weakref import WeakSet

from vecsearch.core.atomic_files import FILE_MODE
from vecsearch.core.forks import sleep

_LOOK_SECONDS: Final = 0.05
_open_files: Final[WeakSet[_LockFile]] = WeakSet()


class LockTimeoutError(Exception):
    """Another holds the lock."""


class _LockFile(FileIO):
    """A lock file that is open, and closes when nobody refers to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "ab", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, FILE_MODE))
        _open_files.add(self)

    def __del__(self) -> None:
        self.close()

    def is_at(self, path: Path) -> bool:
        """Return whether it is still the file at its path: who locks one that was removed locks out nobody."""
        try:
            return os.path.samestat(os.fstat(self.fileno()), path.stat())
        except FileNotFoundError:
            return False


@contextmanager
def hold_file_lock(path: Path, *, timeout: float = math.inf) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is not there. Raises LockTimeoutError after so many seconds, OSError.

    A child that is forked inside the block does not hold it.
    """
    file = _lock_file(path, monotonic() + timeout)
    try:
        yield
    finally:
        if not file.closed:  # else this is a child
            fcntl.flock(file, fcntl.LOCK_UN)  # closing alone would leave it to a child that has not closed its own yet
            file.close()


def _lock_file(path: Path, end: float) -> _LockFile:
    while True:
        file = _LockFile(path)
        with ExitStack() as stack:
            stack.callback(file.close)
            if _try_lock(file) and file.is_at(path):
                stack.pop_all()
                return file
        left = end - monotonic()
        if left <= 0:
            raise LockTimeoutError(f"{path} is locked by another process")
        sleep(min(_LOOK_SECONDS, left))


def _try_lock(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _close_in_child() -> None:
    """Close what a child has inherited: the lock ends with the parent, however long a child lives."""
    for file in list(_open_files):
        file.close()


os.register_at_fork(after_in_child=_close_in_child)
