"""A lock on a file that orders processes and threads, and ends with its process.

It also ends when nobody refers to it any more, so that no interruption, wherever it comes, leaves it held. For that it is never
put into an ExitStack: one that is interrupted refers to itself, and holds what it held until Python collects such cycles.
"""

from __future__ import annotations

import fcntl
import gc
import math
import os
from io import FileIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final
from weakref import WeakSet

from vecsearch.core.atomic_files import open_private
from vecsearch.core.forks import sleep

_LOOK_SECONDS: Final = 0.05
_COLLECT_SECONDS: Final = 1.0  # of waiting, after which what this process itself has lost is looked for
_open_files: Final[WeakSet[LockFile]] = WeakSet()


class LockTimeoutError(Exception):
    """Another holds the lock."""


class LockFile(FileIO):
    """A lock file that is open; its lock ends with a `with` block, or when nobody refers to it.

    A child that is forked inside the block does not hold it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "ab", opener=lambda name, flags: open_private(name, flags | os.O_NOFOLLOW))
        _open_files.add(self)

    def __del__(self) -> None:
        self.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.closed:  # else this is a child
            fcntl.flock(self, fcntl.LOCK_UN)  # closing alone would leave it to a child that has not closed its own yet
            self.close()

    def is_at(self, path: Path) -> bool:
        """Return whether it is still the file at its path: who locks one that was removed locks out nobody."""
        try:
            return os.path.samestat(os.fstat(self.fileno()), path.stat())
        except FileNotFoundError:
            return False


def hold_file_lock(path: Path, *, timeout: float = math.inf) -> LockFile:
    """Lock a file, which is made where it is not there; for use in `with`.

    Raises LockTimeoutError after so many seconds, OSError.
    """
    start = monotonic()
    has_collected = False
    while (file := _try_file(path)) is None:
        waited = monotonic() - start
        if not has_collected and waited >= _COLLECT_SECONDS:
            has_collected = True
            gc.collect()  # an error may refer to itself by its traceback, and to a lock that nobody holds any more
            continue
        if waited >= timeout:
            raise LockTimeoutError(f"{path} is locked by another process")
        sleep(min(_LOOK_SECONDS, timeout - waited))
    return file


def _try_file(path: Path) -> LockFile | None:
    file = LockFile(path)
    try:
        if _try_lock(file) and file.is_at(path):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


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
