"""A copy of a database in the format of an older program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from vecsearch.core.errors import InputError, StorageError
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.persistence import files
from vecsearch.persistence.database import INDEX_FOLDER, Database, migrations_folder
from vecsearch.persistence.lock import LOCK_FILE
from vecsearch.persistence.tables import SCHEMA_VERSION


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
    try:
        workplace = Path(mkdtemp(prefix=f".{folder.name.lstrip('.')}-new-", dir=folder.parent))
        try:
            _copied(database, workplace)
            _downgrade(workplace, version)
            files.sync_folder(workplace)
            workplace.rename(folder)
            files.sync_folder(folder.parent)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror or error}") from error


def _copied(database: Database, workplace: Path) -> None:
    files.make_folder(workplace / INDEX_FOLDER)
    file = workplace / DATABASE_FILE
    files.created(file).close()  # whose mode SQLite keeps
    quoted = str(file).replace("'", "''")
    database.run_outside_transaction(f"VACUUM INTO '{quoted}'")


def _downgrade(workplace: Path, version: int) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    older = Database(workplace)
    try:
        older.run_outside_transaction("PRAGMA journal_mode = WAL")
        with older.locked(), older.transaction() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, f"{version:04}")
        older.run_outside_transaction("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        older.close()
        files.remove(workplace / LOCK_FILE)
