"""A copy of a database in the format of an older program."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command

from vecsearch.core.errors import InputError
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION
from vecsearch.persistence import files
from vecsearch.persistence.creation import create
from vecsearch.persistence.database import INDEX_FOLDER, Database
from vecsearch.persistence.lock import LOCK_FILE
from vecsearch.persistence.migrating import alembic_config


def copy(database: Database, folder: Path, *, version: int) -> None:
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
        files.make_folder(workplace / INDEX_FOLDER)
        files.created(workplace / DATABASE_FILE).close()
        database.copy_into(workplace / DATABASE_FILE)
        _downgrade(workplace, version)

    create(folder, fill=fill)


def _downgrade(workplace: Path, version: int) -> None:
    older = Database(workplace)
    try:
        older.run_outside_transaction("PRAGMA journal_mode = WAL")
        with older.locked(), older.transaction() as connection:
            command.downgrade(alembic_config(connection), f"{version:04}")
        older.empty_log()
    finally:
        older.close()
        files.remove(workplace / LOCK_FILE)
