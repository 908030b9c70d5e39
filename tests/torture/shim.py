"""The library between a process and its files (`shim.c`): built when it is needed, spoken to from here."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import subprocess
from enum import IntEnum
from pathlib import Path
from shutil import which

SOURCE = Path(__file__).with_name("shim.c")


class Kind(IntEnum):
    """What changes a file."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    RENAME = 5
    UNLINK = 6
    MKDIR = 7
    RMDIR = 8
    NOTE = 9


class What(IntEnum):
    """What happens at the chosen point."""

    WATCH = 0
    KILL = 1
    KILL_HALF = 2  # half of a write is done
    FAIL = 3
    FAIL_HALF = 4  # a write does half of what it should
    FULL = 5  # and from there on nothing more can be written
    TRACE = 6


def can_build() -> bool:
    """Whether there is a C compiler, on a Linux that would load what it makes."""
    return which("cc") is not None and os.uname().sysname == "Linux"


def build(folder: Path) -> Path:
    """The library, made once for each state of its source."""
    made = folder / f"shim-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", unfinished, SOURCE, "-ldl", "-lpthread"], check=True)
        unfinished.replace(made)
    return made


class Shim:
    """The library that this process was started with; what it has reached is seen by the process that forked this one."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._library = library
        library.torture_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        library.torture_note.argtypes = [ctypes.c_char_p]
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._seen = (ctypes.c_long * 16).from_buffer(self._shared)
        library.torture_share(ctypes.byref(self._seen))

    def arm(self, folder: Path, what: What, at: int = 0, *, kind: int = 0, error: int = 0, trace: int = -1) -> None:
        """Begin to count what happens below a folder; at the `at`th point, of a kind or of any (0), do as `what` says."""
        self._library.torture_arm(os.fsencode(folder), what, at, kind, error, trace)

    def disarm(self) -> None:
        """Leave everything alone again."""
        self._library.torture_disarm()

    def note(self, said: str) -> None:
        """Put a word between the records of a trace."""
        self._library.torture_note(said.encode())

    def forget(self) -> None:
        """Forget what was reached and counted, before another process is armed."""
        for place in range(len(self._seen)):
            self._seen[place] = 0

    @property
    def reached(self) -> Kind | None:
        """The kind of the point at which it happened; None while it has not."""
        return Kind(self._seen[0]) if self._seen[0] else None

    @property
    def counts(self) -> dict[Kind, int]:
        """The points passed since `forget`, by kind."""
        return {kind: self._seen[kind] for kind in Kind if self._seen[kind]}
