"""Where this user's caches lie: prepared models, collections of data sets. Losing them costs time alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "VECSEARCH_CACHE"


def get_cache_folder(kind: str) -> Path:
    """Return the part of $VECSEARCH_CACHE, or of the system's cache folder, that holds this kind of thing."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser() / kind
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("vecsearch")) / kind


def create_private_folder(folder: Path) -> None:
    """Create a folder that only its owner can look into, whatever the umask; an existing one stays as it is. Raises OSError."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
