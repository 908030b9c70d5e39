"""How paths of sources are stored: relative to the database's parent folder when below it, so that both can move together.

A file, a folder and a database are known by their real paths, whatever symbolic links led there: a file has one name.
"""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path


def resolve_path(path: str | PathLike[str]) -> str:
    """Return the real path of a file or folder; a link that leads nowhere keeps its own name, in its real folder."""
    try:
        real = os.path.realpath(path)
    except ValueError:  # a NUL character, which no path has
        return os.path.abspath(path)
    if os.path.lexists(real) or not os.path.islink(path):  # noqa: PTH114 (Path's raises an error for what may not be looked at)
        return real
    return str(Path(os.path.realpath(Path(path).parent)) / Path(path).name)


def make_absolute(path: str | PathLike[str]) -> Path:
    """Return an absolute path that leads to the same place; symbolic links stay in it, unless it goes up from one (`link/..`)."""
    return Path(os.path.realpath(path) if ".." in Path(path).parts else os.path.abspath(path))


def to_stored_path(parent: Path, path: Path) -> str:
    """Return the stored form of an absolute path, POSIX style; it is the id of a file's document too."""
    return (path.relative_to(parent) if path.is_relative_to(parent) else path).as_posix()


def to_absolute_path(parent: Path, path: str) -> Path:
    """Return the absolute path of a stored one."""
    return parent / path
