"""The text index holds stems of the collection's language, and word forms beside them; both are made anew from the texts."""

from __future__ import annotations

from alembic import op

from vecsearch.stores.sqlite.engine.collections import list_states
from vecsearch.stores.sqlite.fulltext import term_tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = "CREATE VIRTUAL TABLE {} USING fts5(title, body, content='', tokenize='porter unicode61 remove_diacritics 2')"
FILL = """INSERT INTO {} (rowid, title, body)
    SELECT chunks.id, coalesce(documents.title, '') || ' ' || coalesce(chunks.context, ''),
        substr(documents.text, chunks.start + 1, chunks."end" - chunks.start)
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.collection_id = {}"""


def upgrade() -> None:
    op.execute("ALTER TABLE collections ADD COLUMN language TEXT NOT NULL DEFAULT 'en'")
    connection = op.get_bind()
    for state in list_states(connection):
        op.execute(f"DROP TABLE chunks_fts_{state.id}")
        term_tables.rebuild(connection, state)


def downgrade() -> None:
    connection = op.get_bind()
    for state in list_states(connection):
        term_tables.drop(connection, state)
        op.execute(TABLE.format(f"chunks_fts_{state.id}"))
        op.execute(FILL.format(f"chunks_fts_{state.id}", state.id))
    op.execute("ALTER TABLE collections DROP COLUMN language")
    op.execute("PRAGMA user_version = 2")
