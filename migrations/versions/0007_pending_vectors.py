"""A chunk may be there before its vector, and the text of a long document lies in parts."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE collections ADD COLUMN pending_vectors INTEGER DEFAULT '0' NOT NULL",
    """CREATE TABLE pending_vectors (
        chunk_id INTEGER NOT NULL PRIMARY KEY REFERENCES chunks (id),
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        filled INTEGER)""",
    "CREATE INDEX pending_vectors_of_collection ON pending_vectors (collection_id, filled, chunk_id)",
    """CREATE TABLE text_parts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        document_id INTEGER NOT NULL REFERENCES documents (id),
        start INTEGER NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (document_id, start))""",
    "ALTER TABLE chunks ADD COLUMN part_id INTEGER",
    "DROP TABLE staged_vectors",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
