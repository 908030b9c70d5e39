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

from vecsearch.core.errors import StorageError
from vecsearch.core.settings import SCHEMA_VERSION
from vecsearch.stores.sqlite.engine.tables import rebuilds

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

    Raises StorageError where Alembic did not.
    """
    with _ALEMBIC.lock:
        command.upgrade(build_alembic_config(connection), "head")
    if (revisions := read_revisions(connection)) != [format_revision(SCHEMA_VERSION)]:
        raise StorageError(f"the migration ended at {', '.join(revisions) or 'no version'}, not at {SCHEMA_VERSION}: try again")
    record_version(connection)


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
