"""The text index lies in tables of its own instead of FTS5's; the first writer fills them from the texts."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE term_segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        first_chunk INTEGER NOT NULL,
        last_chunk INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        ids BLOB,
        lengths BLOB NOT NULL,
        first_block INTEGER NOT NULL,
        blocks INTEGER NOT NULL,
        block_terms TEXT NOT NULL)""",
    "CREATE INDEX term_segments_of_collection ON term_segments (collection_id, first_chunk)",
    """CREATE TABLE term_blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        data BLOB NOT NULL)""",
    """CREATE TABLE position_blocks (
        id INTEGER NOT NULL PRIMARY KEY,
        data BLOB NOT NULL)""",
    """CREATE TABLE term_tombstones (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        chunks BLOB NOT NULL)""",
    "CREATE INDEX ix_term_tombstones_collection_id ON term_tombstones (collection_id)",
    "CREATE INDEX hidden_collections ON collections (role) WHERE role <> 'live'",
    "INSERT OR REPLACE INTO rebuilds (collection_id, structure, progress) SELECT id, 'text_index', 0 FROM collections",
)


def upgrade() -> None:
    connection = op.get_bind()
    names = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' AND name GLOB '*_fts_[0-9]*'"
    )
    for (name,) in names.all():
        op.execute(f'DROP TABLE "{name}"')
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
