"""Chunks know their place in the source and what stands above it; equal contents are found; loaders have a version."""

from __future__ import annotations

from alembic import op

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


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that the upgrade made")
