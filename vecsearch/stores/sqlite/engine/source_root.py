"""Find the folder that paths of sources are stored relative to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

_RELATIVE_PATHS: Final = "SELECT path FROM sources WHERE path < '/' OR path >= '0' ORDER BY id LIMIT 100"


def find_source_root(connection: sqlite3.Connection, folder: Path) -> Path:
    """Return the folder that the database really lies in.

    One that was filled through a symbolic link before real paths were stored keeps the folder that the link lies in, as long as
    files are there and none is in the other.
    """
    real, linked = Path(os.path.realpath(folder)).parent, Path(os.path.realpath(folder.parent))
    if real == linked:
        return real
    names: list[str] = []
    with suppress(sqlite3.OperationalError):  # a database without its tables, which `doctor` tells of
        names = [str(path) for (path,) in connection.execute(_RELATIVE_PATHS)]
    for root in (real, linked):
        if any(os.path.lexists(root / name) for name in names):
            return root
    return real
