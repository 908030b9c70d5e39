"""A collection keeps profiles: which of its documents somebody likes, and which not."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE preferences (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        profile TEXT NOT NULL,
        external_id TEXT NOT NULL,
        weight FLOAT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (collection_id, profile, external_id)) WITHOUT ROWID""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
