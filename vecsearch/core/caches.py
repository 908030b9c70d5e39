"""Where this user's caches lie: prepared models, collections of data sets. Losing them costs time alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "VECSEARCH_CACHE"


def cache_folder(kind: str) -> Path:
    """The part of $VECSEARCH_CACHE, or of the place that the system has for such files, that holds this kind of thing."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser() / kind
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("vecsearch")) / kind
