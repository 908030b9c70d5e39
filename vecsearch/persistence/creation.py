"""A new database folder: made whole, or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from vecsearch.core.errors import NotADatabase, ReadOnly, StorageError
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, LOCK_TIMEOUT_S
from vecsearch.persistence import files
from vecsearch.persistence.database import INDEX_FOLDER, connected, is_database, no_database, transaction, translated, uri_of

_CREATING: Final = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    f"PRAGMA application_id = {APPLICATION_ID}",
)


def create(folder: Path, *, fill: Callable[[Path], object] | None = None) -> None:
    """Make an empty database, or the one that `fill` makes in a folder: under a temporary name beside its place, then renamed, so
    that no half of one is ever there."""
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise NotADatabase(no_database(folder))
    try:
        files.make_parents(folder)
        workplace = Path(mkdtemp(prefix=f".{folder.name.lstrip('.')}-new-", dir=folder.parent))
    except PermissionError as error:
        raise ReadOnly(f"cannot create {folder}: {folder.parent} is read-only for this user") from error
    except OSError as error:
        raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    try:
        (fill or _fill)(workplace)
        files.sync_folder(workplace)
        workplace.rename(folder)
        files.sync_folder(folder.parent)
    except OSError as error:
        if fill is not None or not is_database(folder):  # else another process was quicker, and its database is as good
            raise StorageError(f"cannot create {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _fill(workplace: Path) -> None:
    from vecsearch.persistence.migrating import migrate

    files.make_folder(workplace / INDEX_FOLDER)
    file = workplace / DATABASE_FILE
    files.created(file).close()  # whose mode SQLite keeps, and gives its log too
    with translated(workplace):
        raw = sqlite3.connect(file, isolation_level=None)
        try:
            for statement in _CREATING:
                raw.execute(statement)
        finally:
            raw.close()
        opened = connected(uri_of(file, "mode=rw"), timeout=LOCK_TIMEOUT_S)
        try:
            with transaction(opened, write=True):
                migrate(opened.connection)
        finally:
            opened.close()
