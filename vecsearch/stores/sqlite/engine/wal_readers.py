"""Find the processes whose read transactions block a WAL checkpoint (Linux, /proc/locks)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vecsearch.core.errors import raise_foreign
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder

_LOCKS: Final = Path("/proc/locks")
_READ_MARKS: Final = range(123, 128)  # bytes of the -shm file that readers lock (SQLite's file format, "WAL Read Locks")


def describe_holders(database: DatabaseFolder) -> str:
    """Name the processes that kept a checkpoint from emptying the log; empty where it was emptied. Only inside the write lock."""
    if not database.wal_bytes:
        return ""
    return (
        " and ".join(map(_describe_process, sorted(set(_find_readers(database.folder / f"{DATABASE_FILE}-shm")))))
        or "another process"
    )


def _find_readers(shared: Path) -> Iterator[int]:
    """Yield the processes with a read lock on one of the marks, by Linux's list of locks."""
    try:
        status, lines = shared.stat(), _LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise_foreign(error)
        return
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        parts = line.split()  # 1: POSIX  ADVISORY  READ 4711 fd:01:1234 124 124
        if len(parts) == 8 and parts[3] == "READ" and parts[5] == file and parts[6].isdigit() and int(parts[6]) in _READ_MARKS:
            yield int(parts[4])


def _describe_process(process: int) -> str:
    if process == os.getpid():
        return "this process itself"
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError as error:
        raise_foreign(error)
        command = ""
    command = " ".join(command.split())  # a script may be part of it
    return f"process {process} ({command[:100]})" if command else f"process {process}"
