"""Bring the schema to its newest version, with Alembic.

Alembic keeps the connection that it works on in a global variable of its module: two threads at a time would migrate each other's
databases. So one lock stands around it, whatever the database.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Text, func, inspect, select, table
from sqlalchemy import column as sql_column

from vecsearch.core.errors import DatabaseCorruptedError, StorageError
from vecsearch.core.settings import SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.stores.sqlite.engine.tables import metadata, rebuilds

_REVISIONS = table("alembic_version", sql_column("version_num", Text))


class _AlembicLock:
    """The lock around Alembic; a child process has one of its own, since a thread that it has not may hold its parent's."""

    def __init__(self) -> None:
        self.lock = Lock()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.lock = Lock()


_ALEMBIC = _AlembicLock()


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, in the transaction that the connection is in.

    Raises DatabaseCorruptedError where it is not known from which, StorageError where Alembic did not.
    """
    true_revision = _find_unrecorded_revision(connection)
    with _ALEMBIC.lock:
        if true_revision is not None:
            command.stamp(build_alembic_config(connection), true_revision, purge=True)
        command.upgrade(build_alembic_config(connection), "head")
    if (revisions := read_revisions(connection)) != [format_revision(SCHEMA_VERSION)]:
        raise StorageError(f"the migration ended at {', '.join(revisions) or 'no version'}, not at {SCHEMA_VERSION}: try again")
    record_version(connection)


def _find_unrecorded_revision(connection: Connection) -> str | None:
    """Return which version the tables are of, where Alembic's record of it is lost; None where there are none, or it is not."""
    known = [format_revision(version) for version in range(SCHEMA_VERSION_MIN, SCHEMA_VERSION + 1)]
    revisions, columns = read_revisions(connection), read_columns(connection)
    if not columns or (len(revisions) == 1 and revisions[0] in known):
        return None
    if not list_missing_columns(connection):
        return known[-1]
    recorded = format_revision(abs(connection.exec_driver_sql("PRAGMA user_version").scalar_one()))
    if recorded not in known:
        names = ", ".join(revisions) or "nothing"
        raise DatabaseCorruptedError(
            f"the database is damaged: the format is recorded as {names} and as {recorded} (user_version), and it is neither; "
            "restore a backup: vecsearch restore FILE"
        )
    return recorded


def list_missing_columns(connection: Connection) -> list[tuple[str, str]]:
    """Return what the format has and the database lacks: tables, each with its columns."""
    return sorted(list_expected_columns() - read_columns(connection))


def list_expected_columns() -> set[tuple[str, str]]:
    """Return the tables of the format, each with its columns."""
    return {(table.name, column.name) for table in metadata.sorted_tables for column in table.columns}


def read_columns(connection: Connection) -> set[tuple[str, str]]:
    """Return the tables that are there, each with its columns; not SQLite's own, nor Alembic's."""
    inspector = inspect(connection)
    names = [name for name in inspector.get_table_names() if name != _REVISIONS.name and not name.startswith("sqlite_")]
    return {(name, str(column["name"])) for name in names for column in inspector.get_columns(name)}


def record_revision(connection: Connection) -> None:
    """Record the newest version of a schema that has all its tables."""
    with _ALEMBIC.lock:
        command.stamp(build_alembic_config(connection), "head", purge=True)
    record_version(connection)


def read_revisions(connection: Connection) -> list[str]:
    """Return which migrations Alembic has recorded as done: the newest, as a rule one; none where there is no record."""
    if not inspect(connection).has_table(_REVISIONS.name):
        return []
    return list(map(str, connection.scalars(select(_REVISIONS.c.version_num))))


def format_revision(version: int) -> str:
    """Return Alembic's name for a version of the schema."""
    return f"{version:04}"


def record_version(connection: Connection) -> None:
    """Set `user_version`, which is negative as long as something that is derived waits to be rebuilt, so that nobody reads it."""
    waiting = connection.scalar(select(func.count()).select_from(rebuilds))
    connection.exec_driver_sql(f"PRAGMA user_version = {-SCHEMA_VERSION if waiting else SCHEMA_VERSION}")


def build_alembic_config(connection: Connection) -> Config:
    """Tell Alembic where its scripts are, and in whose transaction they run."""
    config = Config()
    config.set_main_option("script_location", str(_find_migrations_folder()))
    config.attributes["connection"] = connection
    return config


def _find_migrations_folder() -> Path:
    """Return the folder of the scripts: inside the installed package, or at the top of the repository where that is used."""
    package = Path(__file__).parents[3]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
