"""Chunks know their place in the source and what stands above it; equal contents are found; loaders have a version."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE chunks ADD COLUMN place TEXT",
    "ALTER TABLE chunks ADD COLUMN context TEXT",
    "ALTER TABLE sources ADD COLUMN reading INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX documents_of_content ON documents (collection_id, substr(digest, 1, 16))",
)


FILL = """INSERT INTO {} (rowid, title, body)
    SELECT chunks.id, coalesce(documents.title, ''), substr(documents.text, chunks.start + 1, chunks."end" - chunks.start)
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.collection_id = {}"""
BACK = (
    "DROP INDEX documents_of_content",
    "ALTER TABLE sources DROP COLUMN reading",
    "ALTER TABLE chunks DROP COLUMN context",
    "ALTER TABLE chunks DROP COLUMN place",
    "PRAGMA user_version = 1",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for collection in op.get_bind().scalars(text("SELECT id FROM collections")).all():
        name = f"chunks_fts_{collection}"  # without what stands above a chunk
        op.execute(f"INSERT INTO {name} ({name}) VALUES ('delete-all')")
        op.execute(FILL.format(name, collection))
    for statement in BACK:
        op.execute(statement)
