"""Which files are no more: what may be removed, and what is kept in case a drive is only not mounted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vecsearch.core.types import Failure, Scan, plural
from vecsearch.persistence import paths
from vecsearch.persistence.catalogue import StoredSource


def vanished(known: Mapping[str, StoredSource], scan: Scan, parent: Path, *, allow_empty: bool) -> tuple[set[str], list[Failure]]:
    """Stored paths of files whose documents are to be removed, and a failure for each root where doubt remains.

    A file is gone when it was indexed below a root that was read completely and is not there any more, or when an ignore file
    now names it.
    """
    places = {name: paths.absolute(parent, name) for name in known}
    gone = _ignored(places, scan)
    kept: list[Failure] = []
    for root in scan.complete:
        missing = {name: path for name, path in places.items() if path.is_relative_to(root) and _is_gone(path)}
        lost = {name for name, path in missing.items() if known[name].mounted and not is_mounted(path, parent)}
        if root in scan.empty and missing and not allow_empty:
            kept.append(Failure(root.as_posix(), _kept("the folder is empty", len(missing))))
        elif lost and not allow_empty:
            kept.append(Failure(root.as_posix(), _kept("a file system is gone", len(lost))))
            gone |= missing.keys() - lost
        else:
            gone |= missing.keys()
    return gone, kept


def _is_gone(path: Path) -> bool:
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


def _ignored(places: Mapping[str, Path], scan: Scan) -> set[str]:
    if not scan.ignored:
        return set()
    ignored, taken = set(scan.ignored), {found.path for found in scan.files}
    return {name for name, path in places.items() if path not in taken and not ignored.isdisjoint((path, *path.parents))}


def _kept(why: str, missing: int) -> str:
    return (
        f"{why}, {plural(missing, 'file')} had been indexed from there: nothing was removed, in case a drive is not mounted; "
        "if they are really gone, run again with --allow-empty"
    )
