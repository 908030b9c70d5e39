"""The first format: collections, sources, documents, chunks, vectors, tombstones, staged vectors."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE collections (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        encoder TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        precision TEXT NOT NULL,
        revision INTEGER NOT NULL DEFAULT 0,
        generation INTEGER NOT NULL DEFAULT 0,
        covers INTEGER NOT NULL DEFAULT 0,
        index_rows INTEGER NOT NULL DEFAULT 0,
        checksum TEXT,
        created_at TEXT NOT NULL)""",
    """CREATE TABLE sources (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        path TEXT NOT NULL,
        digest TEXT NOT NULL,
        split TEXT NOT NULL,
        error TEXT,
        mounted BOOLEAN NOT NULL,
        indexed_at TEXT NOT NULL,
        UNIQUE (collection_id, path))""",
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        source_id INTEGER REFERENCES sources (id),
        key TEXT NOT NULL,
        title TEXT,
        text TEXT NOT NULL,
        metadata TEXT NOT NULL,
        digest TEXT NOT NULL,
        indexed_at TEXT NOT NULL,
        UNIQUE (collection_id, key))""",
    "CREATE INDEX ix_documents_source_id ON documents (source_id)",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        document_id INTEGER NOT NULL REFERENCES documents (id),
        ordinal INTEGER NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        UNIQUE (document_id, ordinal))""",
    "CREATE INDEX chunks_of_collection ON chunks (collection_id, id)",
    """CREATE TABLE vectors (
        chunk_id INTEGER NOT NULL PRIMARY KEY REFERENCES chunks (id),
        vector BLOB NOT NULL)""",
    """CREATE TABLE tombstones (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        chunk_id INTEGER NOT NULL PRIMARY KEY)""",
    """CREATE TABLE staged (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        digest TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (collection_id, digest))""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first format has nothing before it")
