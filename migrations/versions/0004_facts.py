"""Metadata is looked up, not read through: a row for every value under every key. The index lies in several files, which are
written anew from the vectors by the first write."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from vecsearch.stores.sqlite.engine.collections import list_states
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.write.writer import drop

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE facts (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind INTEGER NOT NULL,
        value NOT NULL,
        document_id INTEGER NOT NULL,
        PRIMARY KEY (collection_id, key, kind, value, document_id)) WITHOUT ROWID""",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        after INTEGER NOT NULL,
        covers INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        checksum TEXT NOT NULL)""",
    "CREATE INDEX ix_segments_collection_id ON segments (collection_id)",
    "UPDATE collections SET covers = 0, generation = generation + 1, revision = revision + 1",
    "DELETE FROM tombstones",
    "ALTER TABLE collections DROP COLUMN index_rows",
    "ALTER TABLE collections DROP COLUMN checksum",
)


BACK = (
    "DROP TABLE facts",
    "DROP TABLE segments",
    "ALTER TABLE collections ADD COLUMN index_rows INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE collections ADD COLUMN checksum TEXT",  # NULL: no index file yet
    "UPDATE collections SET covers = 0, generation = generation + 1, revision = revision + 1",
    "DELETE FROM tombstones",
    "PRAGMA user_version = 3",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    connection = op.get_bind()
    for collection in connection.scalars(text("SELECT id FROM collections")).all():
        metadata_index.rebuild(connection, collection)


def downgrade() -> None:
    connection = op.get_bind()
    for state in list_states(connection):
        if state.is_hidden:  # half made, or replaced: format 3 would show it
            drop(connection, state)
    for statement in BACK:
        op.execute(statement)
