"""How paths of sources are stored: relative to the database's parent folder when below it, so that both can move together.

A file, a folder and a database are known by their real paths, whatever symbolic links led there: a file has one name.

A name on the disk is bytes, and those that are no UTF-8 have no character. In what is stored and shown such a byte is written
`\\xe9`, and a backslash that would begin the like `\\x5c`, so that every name has one form and gets its bytes back.
"""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path
from typing import Final

_TO_ESCAPE: Final = re.compile(r"[\ud800-\udfff]|\\(?=x(?:5c|[89a-f][0-9a-f]))")
_ESCAPED: Final = re.compile(r"\\x(5c|[89a-f][0-9a-f])")
_BYTE_ZERO: Final = 0xDC00  # what a byte that is no UTF-8 is counted from in a name that the system gives


def format_path(path: str | PathLike[str]) -> str:
    """Return a path as it is stored and shown."""
    return _TO_ESCAPE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", os.fspath(path))


def parse_path(path: str) -> str:
    """Return the path on the disk of one that is stored or shown."""
    return _ESCAPED.sub(lambda match: "\\" if match[1] == "5c" else chr(_BYTE_ZERO + int(match[1], 16)), path)


def read_given_path(path: str | PathLike[str]) -> str:
    """Return the path that somebody means: as it is shown, unless a file has that very name."""
    path = os.fspath(path)
    return parse_path(path) if "\\x" in path and not os.path.lexists(path) else path


def resolve_path(path: str | PathLike[str]) -> str:
    """Return the real path of a file or folder; a link that leads nowhere keeps its own name, in its real folder."""
    path = read_given_path(path)
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
    whole, above = path.as_posix(), f"{parent.as_posix().rstrip('/')}/"  # as texts: each file of a folder is asked for
    return format_path(whole[len(above) :] if whole.startswith(above) else "." if path == parent else whole)


def to_absolute_path(parent: Path, path: str) -> Path:
    """Return the absolute path of a stored one."""
    return parent / parse_path(path)


def to_shown_path(parent: Path, path: str) -> str:
    """Return the absolute path of a stored one, as it is shown."""
    return format_path(to_absolute_path(parent, path).as_posix())
