"""The database folder: what an interrupted write left, who else can read it, how long SQLite's log has grown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from vecsearch.core.atomic_files import FILE_MODE, FOLDER_MODE
from vecsearch.core.errors import ignore_os_errors
from vecsearch.core.settings import WAL_CHECKPOINT_BYTES
from vecsearch.core.types import format_count, format_names
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder, make_workplace_prefix
from vecsearch.stores.sqlite.integrity.problems import OPTIMIZE_COMMAND, Problem, ProblemKind, make_note
from vecsearch.stores.sqlite.write.compaction import list_index_files

_LOG_BYTES_MAX: Final = 4 * WAL_CHECKPOINT_BYTES  # it is emptied long before, unless a reader holds an old state
_OTHERS: Final = 0o077


def find_leftovers(connection: Connection, database: DatabaseFolder) -> Iterator[Problem]:
    """Find files that an interrupted write left; nothing where this user could not remove them."""
    if not os.access(database.folder, os.W_OK):
        return
    named = list_index_files(connection, database)
    leftovers = [path for path in database.index_folder.glob("*") if path not in named]
    if leftovers:
        what = f"{format_count(len(leftovers), 'leftover file')} in {database.index_folder}: {leftovers[0].name}"
        yield make_note(what, "an interrupted write left it; nothing reads it", OPTIMIZE_COMMAND, kind=ProblemKind.LEFTOVERS)
    if files := list_unfinished_files(database):
        what = f"{format_count(len(files), 'unfinished file')} in {database.folder}: {files[0].name}"
        yield make_note(what, "an interrupted write left it; nothing reads it", kind=ProblemKind.LEFTOVERS)
    for path in list_unfinished_databases(database):
        what = f"an unfinished database lies beside this one: {path}"
        yield make_note(
            what, "an interrupted creation or restore left it, with texts in it", "remove it, if nothing is being restored"
        )


def list_unfinished_files(database: DatabaseFolder) -> list[Path]:
    """Return files under temporary names, but for those among the index files, which are checked apart."""
    return sorted(path for path in database.folder.glob("*.tmp*") if path.is_file())


def list_unfinished_databases(database: DatabaseFolder) -> list[Path]:
    """Return folders in which it, or a backup, was being made, beside the database and inside; see `create_database`."""
    folder = Path(os.path.realpath(database.folder))
    start, found = make_workplace_prefix(folder), list[Path]()
    for place in (folder.parent, folder):
        with ignore_os_errors():  # a folder that may be passed through, not looked into
            found += [path for path in place.iterdir() if path.name.startswith(start) and path.is_dir()]
    return sorted(found)


def check_files(database: DatabaseFolder) -> Iterator[Problem]:
    """Check modes, and the size of the log."""
    if not os.access(database.folder, os.W_OK):
        return
    if readable := list_files_open_to_others(database):
        what = f"open to other users: {format_names([str(path) for path in readable], limit=3)}"
        yield make_note(
            what, "whoever can reach it can read your texts", f"chmod -R go= {database.folder}", kind=ProblemKind.MODES
        )
    if (size := database.wal_bytes) > _LOG_BYTES_MAX:
        what = f"SQLite's log has grown to {size / 1e6:,.0f} MB"
        yield make_note(what, "answers are right; a long read keeps it from being emptied", kind=ProblemKind.LOG)


def list_files_open_to_others(database: DatabaseFolder) -> list[Path]:
    """Return the folder, and what lies in it, as far as other users may do anything with it."""
    if os.name != "posix":
        return []
    inside = [Path(folder, name) for folder, folders, files in os.walk(database.folder) for name in (*folders, *files)]
    return [path for path in (database.folder, *sorted(inside)) if _read_mode(path) & _OTHERS]


def _read_mode(path: Path) -> int:
    """Return a path's mode; 0 for a symbolic link, and for what a writer has removed meanwhile."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return 0
    return 0 if stat.S_ISLNK(mode) else stat.S_IMODE(mode)


def close_to_others(path: Path) -> None:
    """Leave a file or folder to its owner. Raises OSError."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & (FOLDER_MODE if path.is_dir() else FILE_MODE))


def find_old_copies(database: DatabaseFolder) -> list[Path]:
    """Return copies of the database as it was once, which hold what has been deleted since."""
    patterns = ("backup-of-format-*.db", "backup-before-fix-*.db*", "damaged.db*")
    return sorted(path for pattern in patterns for path in database.folder.glob(pattern))
