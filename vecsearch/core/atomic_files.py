"""Our own files beside SQLite's: made whole, durable and private, or not at all. Every write of ours goes through here.

A name is durable once its folder is synced, a file's bytes once the file is; so the bytes go first, then the name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from vecsearch.core.errors import ignore_os_errors
from vecsearch.core.undisturbed import run_undisturbed

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write under a temporary name, which takes the place of `path` once the block ends well. Raises OSError."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with create_private_file(temporary) as file:
            yield file
            sync(file)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        remove(temporary)
        raise


def create_private_file(path: Path) -> BinaryIO:
    """Open a new or emptied file, for its owner's eyes alone, to write. Raises OSError."""
    return open(path, "wb", opener=open_private)


def open_private(name: str | bytes | os.PathLike[str], flags: int) -> int:
    """Open a file, made where it is not there, for its owner's eyes alone: an `opener` of `open`. Raises OSError."""
    return os.open(name, flags, FILE_MODE)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, with a durable name; nothing where it is there. Raises OSError."""
    with suppress(FileExistsError):
        path.mkdir(mode=FOLDER_MODE)
        sync_folder(path.parent)


def make_parents(path: Path) -> None:
    """Make the folders above a path, each with a durable name; those that are there stay as they are. Raises OSError."""
    for folder in reversed([parent for parent in path.parents if not parent.exists()]):
        with suppress(FileExistsError):
            folder.mkdir()
            sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Take a file away where it is there and can be."""
    with ignore_os_errors():
        path.unlink()


def sync(file: BinaryIO) -> None:
    """Make what was written to a file durable. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError.

    No interruption reaches the thread that does it: a folder has no file object, whose handle would be given back wherever one
    comes.
    """

    def sync_names() -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    run_undisturbed(sync_names)
