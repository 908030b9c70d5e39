"""Create a database folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import NotADatabaseError, ReadOnlyError, StorageError
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, LOCK_TIMEOUT_S
from vecsearch.stores.sqlite.engine.connections import Pool
from vecsearch.stores.sqlite.engine.database_folder import (
    INDEX_FOLDER,
    describe_missing_database,
    is_database,
    open_connection,
    translate_errors,
)

_CREATION_PRAGMAS: Final = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    f"PRAGMA application_id = {APPLICATION_ID}",
)


def create_database(folder: Path, *, fill: Callable[[Path], object] | None = None) -> None:
    """Create an empty database, or the one that `fill` makes in a folder: under a temporary name beside its place, then renamed,
    so that no half of one is ever there."""
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise NotADatabaseError(describe_missing_database(folder))
    try:
        atomic_files.make_parents(folder)
        workplace = Path(mkdtemp(prefix=f".{folder.name.lstrip('.')}-new-", dir=folder.parent))
    except PermissionError as error:
        raise ReadOnlyError(f"cannot create {folder}: {folder.parent} is read-only for this user") from error
    except OSError as error:
        raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    try:
        (fill or _fill)(workplace)
        atomic_files.sync_folder(workplace)
        workplace.rename(folder)
        atomic_files.sync_folder(folder.parent)
    except OSError as error:
        if fill is not None or not is_database(folder):  # else another process was quicker, and its database is as good
            raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


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
