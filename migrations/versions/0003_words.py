"""The text index holds stems of the collection's language, and word forms beside them; both are made anew from the texts."""

from __future__ import annotations

from alembic import op

from vecsearch.persistence import fulltext
from vecsearch.persistence.state import all_states

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE collections ADD COLUMN language TEXT NOT NULL DEFAULT 'en'")
    connection = op.get_bind()
    for state in all_states(connection):
        op.execute(f"DROP TABLE chunks_fts_{state.id}")
        fulltext.rebuild(connection, state)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that the upgrade made")
