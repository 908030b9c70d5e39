"""The first format that this program reads; it refuses those before it, 1 to 4, which were never released.

A migration is DDL with frozen SQL and imports nothing of the package. Where what is derived changes, it marks that as absent in
the table `rebuilds`; see `stores.sqlite.write.upgrade`.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE collections (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        precision TEXT NOT NULL,
        data_version INTEGER NOT NULL DEFAULT 0,
        index_version INTEGER NOT NULL DEFAULT 0,
        indexed_up_to INTEGER NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL,
        stemmer TEXT NOT NULL,
        metadata TEXT NOT NULL DEFAULT '{}',
        restored_version INTEGER NOT NULL DEFAULT 0)""",
    "CREATE UNIQUE INDEX collections_by_name ON collections (name, role) WHERE role <> 'replaced'",
    """CREATE TABLE rebuilds (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        structure TEXT NOT NULL,
        progress INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (collection_id, structure))""",
    """CREATE TABLE sources (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        path TEXT NOT NULL,
        digest TEXT,
        split TEXT NOT NULL,
        error TEXT,
        mounted BOOLEAN NOT NULL,
        indexed_at TEXT NOT NULL,
        loader_version INTEGER NOT NULL,
        UNIQUE (collection_id, path))""",
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        source_id INTEGER REFERENCES sources (id),
        external_id TEXT NOT NULL,
        title TEXT,
        text TEXT NOT NULL,
        metadata TEXT NOT NULL,
        digest TEXT NOT NULL,
        provided_vectors BOOLEAN NOT NULL,
        indexed_at TEXT NOT NULL,
        UNIQUE (collection_id, external_id))""",
    "CREATE INDEX ix_documents_source_id ON documents (source_id)",
    "CREATE INDEX documents_of_content ON documents (collection_id, substr(digest, 1, 16))",
    """CREATE TABLE metadata_index (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind INTEGER NOT NULL,
        value NOT NULL,
        document_id INTEGER NOT NULL,
        PRIMARY KEY (collection_id, key, kind, value, document_id)) WITHOUT ROWID""",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        document_id INTEGER NOT NULL REFERENCES documents (id),
        ordinal INTEGER NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        location TEXT,
        context TEXT,
        UNIQUE (document_id, ordinal))""",
    "CREATE INDEX chunks_of_collection ON chunks (collection_id, id)",
    """CREATE TABLE vectors (
        chunk_id INTEGER NOT NULL PRIMARY KEY REFERENCES chunks (id),
        vector BLOB NOT NULL)""",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        after_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        checksum TEXT NOT NULL)""",
    "CREATE INDEX ix_segments_collection_id ON segments (collection_id)",
    """CREATE TABLE tombstones (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        chunk_id INTEGER NOT NULL PRIMARY KEY)""",
    """CREATE TABLE staged_vectors (
        collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        digest TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (collection_id, digest))""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an older format is never made; restore the backup that the upgrade left")
