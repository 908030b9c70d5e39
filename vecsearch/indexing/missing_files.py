"""Which files are no more: what may be removed, and what is kept in case a drive is only not mounted."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

from vecsearch.core.errors import raise_foreign
from vecsearch.core.files import FailedFile, Scan
from vecsearch.core.source_paths import format_path, resolve_path, to_absolute_path, to_stored_path
from vecsearch.core.stop_signal import StopSignal
from vecsearch.core.types import format_count
from vecsearch.stores.base import StoredSource


def find_missing_files(
    sources: Mapping[str, StoredSource], scan: Scan, source_root: Path, *, allow_empty: bool, stop: StopSignal
) -> tuple[set[str], list[FailedFile]]:
    """Return the stored paths of files whose documents are to be removed, and a failure for each root where doubt remains.

    A file is missing when it was indexed below a root that was read completely and is not there any more, or when an ignore file
    now names it. Raises RunStoppedError.
    """
    paths = {name: to_absolute_path(source_root, name) for name in sources}
    missing = _find_ignored(paths, scan)
    doubts: list[FailedFile] = []
    for root in scan.fully_scanned:
        below = ((name, path) for name, path in paths.items() if path.is_relative_to(root))
        gone = {name: path for name, path in stop.check_each(below) if is_gone(path)}
        unmounted = {name for name, path in gone.items() if sources[name].mounted and not is_mounted(path, source_root)}
        if root in scan.empty_roots and gone and not allow_empty:
            doubts.append(FailedFile(format_path(root), _explain_not_removed("the folder is empty", len(gone))))
        elif unmounted and not allow_empty:
            doubts.append(FailedFile(format_path(root), _explain_not_removed("a file system is gone", len(unmounted))))
            missing |= gone.keys() - unmounted
        else:
            missing |= gone.keys()
    return missing, doubts


def find_renamed_files(sources: Iterable[str], scan: Scan, source_root: Path, *, stop: StopSignal) -> dict[str, str]:
    """Return stored paths that lead through a symbolic link to a file that was scanned, each with the one it is stored by now.

    They were stored before files were known by their real paths. Raises RunStoppedError.
    """
    scanned, real_folders, renamed = {file.path for file in scan.files}, dict[Path, Path](), dict[str, str]()
    for name in stop.check_each(sources):
        path = to_absolute_path(source_root, name)
        if path in scanned:
            continue
        if path.parent not in real_folders:
            real_folders[path.parent] = Path(resolve_path(path.parent))
        real = real_folders[path.parent] / path.name
        if os.path.islink(real):  # noqa: PTH114 (as in `resolve_path`)
            real = Path(resolve_path(real))
        if real != path and real in scanned:
            renamed[name] = to_stored_path(source_root, real)
    return renamed


def make_missing_check(
    scan: Scan, source_root: Path, renamed: Mapping[str, str], errors: Container[str]
) -> Callable[[str], bool]:
    """Return whether a file (stored path) is still to be removed: not there, ignored, or found without text by the run itself.

    One that was `renamed` is, unless reading it by its new stored path is among the `errors`.
    """
    ignored, read = set(scan.ignored), {file.path for file in scan.files}

    def is_still_missing(name: str) -> bool:
        if name in renamed:
            return renamed[name] not in errors
        path = to_absolute_path(source_root, name)
        return is_gone(path) or path in read or not ignored.isdisjoint((path, *path.parents))

    return is_still_missing


def is_gone(path: Path) -> bool:
    """Return whether the system says that there is nothing; one that only refuses to tell does not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise_foreign(error)
        return False
    return False


def is_mounted(path: Path, source_root: Path) -> bool:
    """Return whether a file, or the nearest folder above it that is there, lies on another device than the source root."""
    device = find_device(source_root)
    found = next((there for place in (path, *path.parents) if (there := find_device(place)) is not None), None)
    return found != device and None not in (found, device)


def find_device(path: Path) -> int | None:
    """Return the number of the file system that a file or folder lies on; None where it cannot be seen."""
    try:
        return path.stat().st_dev
    except OSError as error:
        raise_foreign(error)
        return None


def _find_ignored(paths: Mapping[str, Path], scan: Scan) -> set[str]:
    if not scan.ignored:
        return set()
    ignored, scanned_paths = set(scan.ignored), {file.path for file in scan.files}
    return {name for name, path in paths.items() if path not in scanned_paths and not ignored.isdisjoint((path, *path.parents))}


def _explain_not_removed(reason: str, count: int) -> str:
    return (
        f"{reason}, {format_count(count, 'file')} had been indexed from there: nothing was removed, in case a drive is not "
        "mounted; if they are really gone, run again with --allow-empty"
    )
