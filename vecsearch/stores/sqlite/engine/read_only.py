"""Say of a place that cannot be written why, and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from vecsearch.core.errors import ReadOnlyError, ignore_os_errors


def make_read_only_error(path: Path, *, can_be_searched: bool = True) -> ReadOnlyError:
    """Return what to raise where a database, one of its files, or the folder that it was to lie in, cannot be written."""
    if _is_on_read_only_file_system(path):
        reason, remedy = "lies on a read-only file system", "mount that to be written"
    else:
        reason, remedy = "is read-only for this user", f"let this user write there (see ls -ld {quote(str(path))})"
    if can_be_searched:
        return ReadOnlyError(f"{path} {reason}: it can be searched, not written; {remedy}, or copy the database to another place")
    return ReadOnlyError(f"{path} {reason}: nothing was made there; {remedy}, or name another place")


def _is_on_read_only_file_system(path: Path) -> bool:
    for place in (path, *path.parents):
        with ignore_os_errors():
            return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    return False
