"""Collections as rows: created, described, renamed and dropped."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.types import Metadata, Precision
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.sqlite.engine.collections import (
    CollectionName,
    CollectionRole,
    CollectionState,
    find_state,
    get_ref,
    get_replacement_ref,
    get_state,
)
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.stored_values import format_stored_json
from vecsearch.stores.sqlite.engine.tables import (
    chunks,
    collections,
    documents,
    ignored_documents,
    pending_vectors,
    preferences,
    query_maps,
    roots,
    sources,
    text_parts,
    vectors,
)
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables


def create(
    connection: Connection, name: CollectionName, encoder: EncoderSpec, *, precision: Precision, stemmer: str, metadata: Metadata
) -> CollectionState:
    """Create an empty collection."""
    ref = get_ref(name)
    connection.execute(
        insert(collections).values(
            name=ref.name, role=ref.role.value, model=encoder.model, fingerprint=encoder.fingerprint,
            dimension=encoder.dimension, precision=precision.value, created_at=get_timestamp(),
            stemmer=stemmer, metadata=format_stored_json(metadata), public_id=uuid4().hex,
        )
    )  # fmt: skip
    return get_state(connection, name)


def set_metadata(connection: Connection, state: CollectionState, metadata: Metadata) -> None:
    """Replace the metadata of a collection itself."""
    row = collections.c.id == state.id
    connection.execute(update(collections).where(row).values(metadata=format_stored_json(metadata)))


def drop_collection(database: DatabaseFolder, name: str) -> None:
    """Delete a collection with everything in it, and its replacement. Raises CollectionNotFoundError."""
    with database.begin_write() as connection:
        for state in (get_state(connection, name), find_state(connection, get_replacement_ref(name))):
            if state is not None:
                drop(connection, state)


def drop(connection: Connection, state: CollectionState) -> None:
    """Delete a collection with everything in it; its index files are leftovers then."""
    of = select(chunks.c.id).where(chunks.c.collection_id == state.id)
    connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(of)))
    connection.execute(delete(pending_vectors).where(pending_vectors.c.collection_id == state.id))
    metadata_index.drop(connection, state.id)
    term_tables.drop(connection, state)
    of_texts = select(documents.c.id).where(documents.c.collection_id == state.id)
    connection.execute(delete(text_parts).where(text_parts.c.document_id.in_(of_texts)))
    for table in (chunks, documents, sources, roots, ignored_documents, preferences, query_maps):
        connection.execute(delete(table).where(table.c.collection_id == state.id))
    connection.execute(delete(collections).where(collections.c.id == state.id))


def rename_collection(database: DatabaseFolder, old: str, new: str) -> None:
    """Rename a collection and its replacement. Raises CollectionNotFoundError. The caller has checked that `new` is free."""
    with database.begin_write() as connection:
        get_state(connection, old)
        renamed = collections.c.role != CollectionRole.REPLACED.value
        connection.execute(update(collections).where(collections.c.name == old, renamed).values(name=new))
