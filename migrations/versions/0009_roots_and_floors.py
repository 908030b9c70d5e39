"""Roots keep their options, skipped files are known, documents can be kept away, and a collection keeps its noise floor.

A floor is kept with how many vectors it was estimated from, and how many have changed since.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE roots (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        path TEXT NOT NULL,
        options TEXT NOT NULL,
        indexed_at TEXT NOT NULL,
        PRIMARY KEY (collection_id, path)) WITHOUT ROWID""",
    """CREATE TABLE ignored_documents (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        path TEXT NOT NULL,
        external_id TEXT NOT NULL,
        PRIMARY KEY (collection_id, path, external_id)) WITHOUT ROWID""",
    "ALTER TABLE sources ADD COLUMN skipped TEXT",
    "ALTER TABLE collections ADD COLUMN noise_floor FLOAT",
    "ALTER TABLE collections ADD COLUMN noise_floor_vectors INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE collections ADD COLUMN vectors_changed INTEGER DEFAULT '0' NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
