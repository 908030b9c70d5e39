"""A copy of a database in the format of an older program."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command

from vecsearch.core import atomic_files
from vecsearch.core.errors import InputError
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION
from vecsearch.stores.sqlite.engine.creation import create_database
from vecsearch.stores.sqlite.engine.database_folder import INDEX_FOLDER, DatabaseFolder
from vecsearch.stores.sqlite.engine.migration import build_alembic_config
from vecsearch.stores.sqlite.engine.write_lock import LOCK_FILE


def copy(database: DatabaseFolder, folder: Path, *, version: int) -> None:
    """Make a database of format `version` at `folder`, which must not be there, with all that it can hold of this one.

    Texts, metadata, vectors and files are kept; index files are left out, and made anew by the older program. Raises InputError,
    StorageError.
    """
    folder = Path(os.path.abspath(folder))
    if not 1 <= version < SCHEMA_VERSION:
        raise InputError(f"an older format is a number from 1 to {SCHEMA_VERSION - 1}, got {version!r}")
    if folder.exists():
        raise InputError(f"{folder} is there already; name a new folder for the copy")

    def fill(workplace: Path) -> None:
        atomic_files.make_folder(workplace / INDEX_FOLDER)
        atomic_files.create_private_file(workplace / DATABASE_FILE).close()
        database.copy_into(workplace / DATABASE_FILE)
        _downgrade(workplace, version)

    create_database(folder, fill=fill)


def _downgrade(workplace: Path, version: int) -> None:
    older = DatabaseFolder(workplace)
    try:
        older.run_outside_transaction("PRAGMA journal_mode = WAL")
        with older.hold_write_lock(), older.begin_write() as connection:
            command.downgrade(build_alembic_config(connection), f"{version:04}")
        older.checkpoint_wal()
    finally:
        older.close()
        atomic_files.remove(workplace / LOCK_FILE)
