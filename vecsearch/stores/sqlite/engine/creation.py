"""Create a database folder, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import NotADatabaseError, ignore_os_errors, is_read_only, raise_foreign, wrap_write_error
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, LOCK_TIMEOUT_S
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.connections import Pool
from vecsearch.stores.sqlite.engine.database_file import is_database, open_connection
from vecsearch.stores.sqlite.engine.database_folder import INDEX_FOLDER, describe_missing_database, make_workplace_prefix
from vecsearch.stores.sqlite.engine.read_only import make_read_only_error
from vecsearch.stores.sqlite.engine.sqlite_errors import translate_errors

_CREATION_PRAGMAS: Final = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    f"PRAGMA application_id = {APPLICATION_ID}",
)


def create_database(folder: Path, *, fill: Callable[[Path], object] | None = None) -> None:
    """Create an empty database, or the one that `fill` makes in a folder: under a temporary name, then renamed, so that no half
    of one is ever there. A symbolic link stays, and leads to it."""
    given, folder = folder, Path(os.path.realpath(folder))
    if not can_become_database(folder):
        if is_database(folder) and fill is None:  # another was quicker, and its database is as good
            return
        raise NotADatabaseError(describe_missing_database(Path(os.path.abspath(given))))
    is_inside = folder.is_dir()  # it may be a mount, or somebody's current folder: it stays, and is filled
    place = folder if is_inside else folder.parent
    try:
        atomic_files.make_parents(folder)
        workplace = Path(mkdtemp(prefix=make_workplace_prefix(folder), dir=place))
    except OSError as error:
        if is_read_only(error):
            raise make_read_only_error(place, can_be_searched=False) from error
        raise wrap_write_error(f"cannot create {folder}", error) from error
    try:
        (fill or _fill)(workplace)
        atomic_files.sync_folder(workplace)
        if is_inside:
            _move_up(workplace, folder)
        else:
            workplace.rename(folder)
        atomic_files.sync_folder(place)
    except OSError as error:
        raise_foreign(error)
        if fill is not None or not is_database(folder):
            raise wrap_write_error(f"cannot create {folder}", error) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def can_become_database(folder: Path) -> bool:
    """Return whether there is nothing at a path, or a folder that holds only what an unfinished creation leaves, or a writer
    whose database was deleted."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(map(_is_leftover, folder.iterdir()))


def _is_leftover(path: Path) -> bool:
    names = (write_lock.LOCK_FILE, write_lock.OWNER_FILE, write_lock.FILL_LOCK_FILE.format("*"))
    if any(path.match(name) for name in names) or path.name.startswith(make_workplace_prefix(path.parent)):
        return True
    return path.name == INDEX_FOLDER and path.is_dir() and not any(path.iterdir())


def _move_up(workplace: Path, folder: Path) -> None:
    """Give a folder that is there what was made in it: the database file last, and under the lock, since others may do the same.

    Raises OSError where one is there by now.
    """
    with ignore_os_errors():  # another user's
        folder.chmod(atomic_files.FOLDER_MODE)
    with write_lock.hold_write_lock(folder, timeout=LOCK_TIMEOUT_S):
        if is_database(folder):
            raise FileExistsError(errno.EEXIST, "a database was made there meanwhile")
        with suppress(FileNotFoundError):
            (folder / INDEX_FOLDER).rmdir()
        (workplace / INDEX_FOLDER).rename(folder / INDEX_FOLDER)
        (workplace / DATABASE_FILE).rename(folder / DATABASE_FILE)
        atomic_files.sync_folder(folder)


def _fill(workplace: Path) -> None:
    from vecsearch.stores.sqlite.engine.migration import migrate

    atomic_files.make_folder(workplace / INDEX_FOLDER)
    file = workplace / DATABASE_FILE
    atomic_files.create_private_file(file).close()  # whose mode SQLite keeps, and gives its log too
    with translate_errors(workplace):
        raw = sqlite3.connect(file, isolation_level=None)
        try:
            for statement in _CREATION_PRAGMAS:
                raw.execute(statement)
        finally:
            raw.close()
        pool = Pool(lambda: open_connection(file, "mode=rw", timeout=LOCK_TIMEOUT_S))
        try:
            with pool.begin(write=True) as opened:
                migrate(opened.connection)
        finally:
            pool.close()
