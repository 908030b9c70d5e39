"""Bring the schema to its newest version, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select

from vecsearch.core.settings import SCHEMA_VERSION
from vecsearch.stores.sqlite.engine.tables import rebuilds


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, in the transaction that the connection is in."""
    command.upgrade(build_alembic_config(connection), "head")
    record_version(connection)


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
