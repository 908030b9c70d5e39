"""A document may be without vectors, and have a payload; a collection has an id that outlives its names and its vectors."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE documents RENAME COLUMN provided_vectors TO vector_origin",  # 0 and 1 mean what they meant; 2 is new
    "ALTER TABLE documents ADD COLUMN payload TEXT",
    "ALTER TABLE collections ADD COLUMN public_id TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE collections ADD COLUMN vectorless_chunks INTEGER DEFAULT '0' NOT NULL",
    "UPDATE collections SET public_id = lower(hex(randomblob(16)))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
