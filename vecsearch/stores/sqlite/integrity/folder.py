"""The database folder: what an interrupted write left, who else can read it, how long SQLite's log has grown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from vecsearch.core.atomic_files import FILE_MODE, FOLDER_MODE
from vecsearch.core.settings import WAL_CHECKPOINT_BYTES
from vecsearch.core.types import format_count, format_names
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity.problems import Kind, Trouble, note
from vecsearch.stores.sqlite.write.compaction import list_index_files

_LOG_BYTES_MAX: Final = 4 * WAL_CHECKPOINT_BYTES  # it is emptied long before, unless a reader holds an old state
_OTHERS: Final = 0o077


def leftovers(connection: Connection, database: DatabaseFolder) -> Iterator[Trouble]:
    """Files that an interrupted write left; nothing where this user could not remove them."""
    if not os.access(database.folder, os.W_OK):
        return
    named = list_index_files(connection, database)
    extra = [path for path in database.index_folder.glob("*") if path not in named]
    if extra:
        what = f"{format_count(len(extra), 'leftover file')} in {database.index_folder}: {extra[0].name}"
        yield note(what, "an interrupted write left it; nothing reads it", "vecsearch optimize", kind=Kind.LEFTOVERS)
    if half := half_written(database):
        what = f"{format_count(len(half), 'half-written file')} in {database.folder}: {half[0].name}"
        yield note(what, "an interrupted write left it; nothing reads it", kind=Kind.LEFTOVERS)
    for path in half_made_databases(database):
        what = f"a half-made database lies beside this one: {path}"
        yield note(
            what, "an interrupted creation or restore left it, with texts in it", "remove it, if nothing is being restored"
        )


def half_written(database: DatabaseFolder) -> list[Path]:
    """Files under temporary names, but for the index files', which are looked at apart."""
    return sorted(path for path in database.folder.glob("*.tmp*") if path.is_file())


def half_made_databases(database: DatabaseFolder) -> list[Path]:
    """Folders beside the database in which it, or a backup, was being made; see `database.create`."""
    start = f".{database.folder.name.lstrip('.')}-new-"
    try:
        return sorted(path for path in database.parent.iterdir() if path.name.startswith(start) and path.is_dir())
    except OSError:  # a folder that may be passed through, not looked into
        return []


def files_of(database: DatabaseFolder) -> Iterator[Trouble]:
    """Modes, and the size of the log."""
    if not os.access(database.folder, os.W_OK):
        return
    if readable := open_to_others(database):
        what = f"open to other users: {format_names([str(path) for path in readable], limit=3)}"
        yield note(what, "who can reach it can read your texts", f"chmod -R go= {database.folder}", kind=Kind.MODES)
    if (size := database.wal_bytes) > _LOG_BYTES_MAX:
        what = f"SQLite's log has grown to {size / 1e6:,.0f} MB"
        yield note(what, "answers are right; who has read for long keeps it from being emptied", kind=Kind.LOG)


def open_to_others(database: DatabaseFolder) -> list[Path]:
    """The folder, and what lies in it, as far as other users may do anything with it."""
    if os.name != "posix":
        return []
    inside = sorted(path for path in database.folder.rglob("*") if not path.is_symlink())
    return [path for path in (database.folder, *inside) if stat.S_IMODE(path.stat().st_mode) & _OTHERS]


def close_to_others(path: Path) -> None:
    """Leave a file or folder to its owner. Raises OSError."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & (FOLDER_MODE if path.is_dir() else FILE_MODE))


def old_copies(database: DatabaseFolder) -> list[Path]:
    """Copies of the database as it was once, which hold what has been deleted since."""
    patterns = ("backup-of-format-*.db", "backup-before-fix-*.db*", "damaged.db*")
    return sorted(path for pattern in patterns for path in database.folder.glob(pattern))
