"""Put a backup back: as a new database, or in the place of all that one holds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from vecsearch.core.errors import DatabaseCorruptedError, InputError, NotADatabaseError
from vecsearch.core.settings import DATABASE_FILE, LOCK_TIMEOUT_S
from vecsearch.stores.sqlite.backup import backup_file
from vecsearch.stores.sqlite.engine.creation import create_database
from vecsearch.stores.sqlite.engine.database_file import is_database
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder


def restore_backup(file: Path, folder: Path, *, replace: bool) -> dict[str, Any]:
    """Create the database of a backup, or `replace` all that a database holds; returns what it holds."""
    if not replace and is_database(folder):
        raise InputError(f"{folder} holds a database; restore to another folder, or put the backup in its place: --replace")
    if not is_database(folder):
        manifests: list[backup_file.Manifest] = []
        create_database(folder, fill=lambda workplace: manifests.append(backup_file.unpack_into_new_folder(file, workplace)))
        _publish(folder)
        return backup_file.to_dict(manifests[0])
    try:
        database = DatabaseFolder(folder)
    except (DatabaseCorruptedError, NotADatabaseError) as error:  # what cannot be opened cannot be written to either
        if isinstance(error, NotADatabaseError) and (folder / DATABASE_FILE).stat().st_size:  # another program's
            raise
        manifest = backup_file.replace_damaged_database(folder, file, timeout=LOCK_TIMEOUT_S)
        _publish(folder)
        return backup_file.to_dict(manifest)
    with closing(database), database.hold_write_lock():
        return backup_file.to_dict(backup_file.replace_database(database, file))


def _publish(folder: Path) -> None:
    with closing(DatabaseFolder(folder)) as database, database.hold_write_lock():
        backup_file.publish_all(database)
