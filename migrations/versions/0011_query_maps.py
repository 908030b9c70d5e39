"""A collection keeps a linear map of its questions, which `tune` learned."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE query_maps (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        matrix BLOB NOT NULL,
        checksum TEXT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (collection_id))""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
