"""Which files are no more: what may be removed, and what is kept in case a drive is only not mounted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vecsearch.core import source_paths
from vecsearch.core.types import FailedFile, Scan, format_count
from vecsearch.stores.sqlite.read.document_reader import StoredSource


def find_missing_files(
    known: Mapping[str, StoredSource], scan: Scan, parent: Path, *, allow_empty: bool
) -> tuple[set[str], list[FailedFile]]:
    """Stored paths of files whose documents are to be removed, and a failure for each root where doubt remains.

    A file is gone when it was indexed below a root that was read completely and is not there any more, or when an ignore file
    now names it.
    """
    places = {name: source_paths.to_absolute_path(parent, name) for name in known}
    gone = _find_ignored(places, scan)
    kept: list[FailedFile] = []
    for root in scan.fully_scanned:
        missing = {name: path for name, path in places.items() if path.is_relative_to(root) and _is_missing(path)}
        lost = {name for name, path in missing.items() if known[name].mounted and not is_mounted(path, parent)}
        if root in scan.empty_roots and missing and not allow_empty:
            kept.append(FailedFile(root.as_posix(), _explain_not_removed("the folder is empty", len(missing))))
        elif lost and not allow_empty:
            kept.append(FailedFile(root.as_posix(), _explain_not_removed("a file system is gone", len(lost))))
            gone |= missing.keys() - lost
        else:
            gone |= missing.keys()
    return gone, kept


def _is_missing(path: Path) -> bool:
    """Whether the system says that there is nothing; one that only refuses to tell does not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_mounted(path: Path, parent: Path) -> bool:
    """Whether a file, or the nearest folder above it that is there, lies on another device than the database's parent folder."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_dev != parent.stat().st_dev
        except OSError:
            continue
    return False


def _find_ignored(path_by_name: Mapping[str, Path], scan: Scan) -> set[str]:
    if not scan.ignored:
        return set()
    ignored, taken = set(scan.ignored), {found.path for found in scan.files}
    return {name for name, path in path_by_name.items() if path not in taken and not ignored.isdisjoint((path, *path.parents))}


def _explain_not_removed(reason: str, missing: int) -> str:
    return (
        f"{reason}, {format_count(missing, 'file')} had been indexed from there: nothing was removed, in case a drive is not mounted; "
        "if they are really gone, run again with --allow-empty"
    )
