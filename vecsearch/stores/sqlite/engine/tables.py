"""The format of the truth, column by column. A change here is a new migration, whose number `settings.SCHEMA_VERSION` is.

The text index lies in tables for all collections together: its terms are counted for each collection alone all the same.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    ScalarSelect,
    Table,
    Text,
    UniqueConstraint,
    case,
    exists,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.types import NullType

from vecsearch.core.types import VectorOrigin

metadata = MetaData()

collections = Table(
    "collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # see `collections.CollectionRole`
    Column("model", Text, nullable=False),  # what loads the encoder again: a hub name, a folder, or the bundled name
    Column("fingerprint", Text, nullable=False),  # weights, tokenizer, pooling, prompts, normalisation
    Column("dimension", Integer, nullable=False),
    Column("precision", Text, nullable=False),  # float16 | float32
    Column("data_version", Integer, nullable=False, server_default="0"),  # goes up with every committed change of rows
    Column("index_version", Integer, nullable=False, server_default="0"),  # goes up with every change of the index files
    Column("indexed_up_to", Integer, nullable=False, server_default="0"),  # the highest chunk id in the index files
    Column("created_at", Text, nullable=False),
    Column("stemmer", Text, nullable=False),  # makes the terms of the text index; see `text.analyzer`
    Column("metadata", Text, nullable=False, server_default="{}"),  # a JSON object of the user's
    Column("restored_version", Integer, nullable=False, server_default="0"),  # the data_version that a restore began with
    Column("pending_vectors", Integer, nullable=False, server_default="0"),  # chunks whose vector is still to be made
    Column("vectorless_chunks", Integer, nullable=False, server_default="0"),  # those of documents that are to have no vectors
    Column("public_id", Text, nullable=False, server_default=""),  # a UUID, the same for as long as users take it for the same
    Column("noise_floor", Float),  # see `stores.noise_floor`; NULL where there were too few documents
    Column("noise_floor_vectors", Integer, nullable=False, server_default="0"),  # it was estimated from; 0: not yet
    Column("vectors_changed", Integer, nullable=False, server_default="0"),  # added or deleted since
    Index("collections_by_name", "name", "role", unique=True, sqlite_where=text("role <> 'replaced'")),
    Index("hidden_collections", "role", sqlite_where=text("role <> 'live'")),  # each writer looks for those
    sqlite_autoincrement=True,
)

rebuilds = Table(  # what a migration left to be derived again, by the first writer; see `write.upgrade`
    "rebuilds",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("structure", Text, primary_key=True),  # upgrade.DerivedStructure
    Column("progress", Integer, nullable=False, server_default="0"),  # the last row that is done
)

sources = Table(  # files; documents added from code or a pipe have none
    "sources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),  # relative to the database's parent folder when below it, else absolute
    Column("digest", Text),  # sha256 of the bytes; NULL until every document of it is stored
    Column("split", Text, nullable=False),
    Column("error", Text),  # why the newest attempt failed; its documents are then those of the last good one
    Column("mounted", Boolean, nullable=False),  # lay on another device than the root it was found under
    Column("indexed_at", Text, nullable=False),
    Column("loader_version", Integer, nullable=False),  # settings.LOADER_VERSION of the loaders that read it
    Column("skipped", Text),  # why a walk passed it over; such a file has no documents
    UniqueConstraint("collection_id", "path"),
    sqlite_autoincrement=True,
)

roots = Table(  # what `index` was given, with the options that hold for it from then on
    "roots",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),  # of a file, a folder or a glob pattern, stored as in sources
    Column("options", Text, nullable=False),  # a JSON object; see `core.roots.RootOptions`
    Column("indexed_at", Text, nullable=False),
    sqlite_with_rowid=False,
)

ignored_documents = Table(  # deleted to be kept away: not indexed again from that file
    "ignored_documents",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),  # of its file, as in sources
    Column("external_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)

preferences = Table(  # what is saved of users' likes and dislikes; see `core.preferences`
    "preferences",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("profile", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),  # of a document, which may be gone: it may come back
    Column("weight", Float, nullable=False),
    Column("at", Text, nullable=False),
    sqlite_with_rowid=False,
)

query_maps = Table(  # a linear map of the vectors of questions; see `search.query_maps`
    "query_maps",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("matrix", LargeBinary, nullable=False),  # (dimension, dimension) float32, little-endian, row by row
    Column("checksum", Text, nullable=False),  # of the matrix; another map has another
    Column("record", Text, nullable=False),  # a JSON object: what it was learned from, and the proof
)

documents = Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ForeignKey("sources.id"), index=True),
    Column("external_id", Text, nullable=False),  # the id that users see
    Column("title", Text),
    Column("text", Text, nullable=False),  # of a long one its first part; the others are in text_parts
    Column("metadata", Text, nullable=False),  # a JSON object
    Column("digest", Text, nullable=False),  # sha256 of what is encoded: title, text, split, sections
    Column("vector_origin", Integer, nullable=False),  # types.VectorOrigin
    Column("indexed_at", Text, nullable=False),
    Column("payload", Text),  # a JSON value that is kept and not searched; NULL for none
    UniqueConstraint("collection_id", "external_id"),
    sqlite_autoincrement=True,
)

metadata_index_table = Table(  # derived from documents.metadata: a row for every value at every key
    "metadata_index",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),  # a top-level key, or a path of nested ones
    Column("kind", Integer, primary_key=True),  # metadata_values.Kind
    Column("value", NullType, primary_key=True),  # a number or text, as SQLite compares them
    Column("document_id", Integer, primary_key=True),  # no foreign key, which would need an index of its own
    sqlite_with_rowid=False,
)

CONTENT_PREFIX: Final = 16  # characters of a digest that its index holds, which as SQL takes no parameters
CONTENT_BEGINNING: Final = func.substr(documents.c.digest, literal_column("1"), literal_column("16"))
Index("documents_of_content", documents.c.collection_id, CONTENT_BEGINNING)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True),  # also the row of its vector; never reused
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start", Integer, nullable=False),  # characters of the document's text, half open
    Column("end", Integer, nullable=False),
    Column("location", Text),  # a JSON object: page, lines, heading …; NULL where nothing is known
    Column("context", Text),  # encoded and indexed with the chunk besides the title; NULL for none
    Column("part_id", Integer),  # of text_parts, where its text lies; NULL: in documents.text. No foreign key, which would
    # need an index of its own
    UniqueConstraint("document_id", "ordinal"),
    Index("chunks_of_collection", "collection_id", "id"),
    sqlite_autoincrement=True,
)

text_parts = Table(  # the text of a long document after its first part, which documents.text holds
    "text_parts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("start", Integer, nullable=False),  # characters of the document before it; no chunk crosses it
    Column("text", Text, nullable=False),
    UniqueConstraint("document_id", "start"),
    sqlite_autoincrement=True,
)

_LENGTH: Final = chunks.c.end - chunks.c.start
CHUNK_TEXT: Final = case(  # where chunks and documents are joined. SQLite loads all of the value that it takes a piece of
    (chunks.c.part_id.is_(None), func.substr(documents.c.text, chunks.c.start + 1, _LENGTH)),
    else_=select(func.substr(text_parts.c.text, chunks.c.start + 1 - text_parts.c.start, _LENGTH))
    .where(text_parts.c.id == chunks.c.part_id)
    .correlate(chunks)
    .scalar_subquery(),
)


def build_whole_text(document: FromClause = documents) -> ColumnElement[str]:
    """Return all of the text of documents; its parts are read in order, by their index as by their rows."""
    following = _compute_of_parts(document, func.group_concat(text_parts.c.text, ""))
    return (document.c.text + func.coalesce(following, "")).label("text")


def build_text_length(document: FromClause = documents) -> ColumnElement[int]:
    """Return how many characters that is."""
    return func.length(document.c.text) + func.coalesce(_compute_of_parts(document, func.sum(func.length(text_parts.c.text))), 0)


def _compute_of_parts(document: FromClause, value: ColumnElement[Any]) -> ScalarSelect[Any]:
    return select(value).where(text_parts.c.document_id == document.c.id).correlate(document).scalar_subquery()


vectors = Table(  # apart from chunks, so that reading locations does not page through vectors
    "vectors",
    metadata,
    Column("chunk_id", ForeignKey("chunks.id"), primary_key=True, autoincrement=False),
    Column("vector", LargeBinary, nullable=False),  # unit row, little-endian, in the collection's precision
)

segments = Table(  # the index files of a collection: disjoint ranges of its chunks, of which they hold those that have vectors
    "segments",
    metadata,
    Column("id", Integer, primary_key=True),  # never used again, so that a file of this name holds these rows or is damaged
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("after_id", Integer, nullable=False),  # it holds the chunks with ids above this …
    Column("last_id", Integer, nullable=False),  # … up to this
    Column("rows", Integer, nullable=False),
    Column("checksum", Text, nullable=False),
    sqlite_autoincrement=True,
)

tombstones = Table(  # chunks deleted since the segment that holds them was written
    "tombstones",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("chunk_id", Integer, primary_key=True, autoincrement=False),
)

term_segments = Table(  # the text index: postings of adjacent chunks; see `fulltext.term_segment`. Never changed once written
    "term_segments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("first_chunk", Integer, nullable=False),  # the segments of a collection are disjoint ranges of chunks
    Column("last_chunk", Integer, nullable=False),
    Column("rows", Integer, nullable=False),  # chunks
    Column("ids", LargeBinary),  # of the chunks, ascending, int64; NULL where they follow each other without a gap
    Column("lengths", LargeBinary, nullable=False),  # stems of each chunk, uint16 or uint32; sealed with the row
    Column("first_block", Integer, nullable=False),  # its blocks, of postings and of positions, have consecutive ids
    Column("blocks", Integer, nullable=False),
    Column("block_terms", Text, nullable=False),  # the first term of each block, a line break between
    Index("term_segments_of_collection", "collection_id", "first_chunk"),
    sqlite_autoincrement=True,
)

term_blocks = Table(  # postings, some terms a row; see `fulltext.term_blocks`
    "term_blocks",
    metadata,
    Column("id", Integer, primary_key=True),  # never used again, so that what was read of a block stays right
    Column("data", LargeBinary, nullable=False),  # sealed: a checksum at its end
    sqlite_autoincrement=True,
)

position_blocks = Table(  # where the terms of the block of the same id stand: phrases and merges alone read that
    "position_blocks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

term_tombstones = Table(  # chunks deleted since the term segment that holds them was written
    "term_tombstones",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("chunks", LargeBinary, nullable=False),  # their ids, ascending, int64
    sqlite_autoincrement=True,
)

pending_vectors = Table(  # chunks that were committed before their vectors
    "pending_vectors",
    metadata,
    Column("chunk_id", ForeignKey("chunks.id"), primary_key=True, autoincrement=False),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("filled", Integer),  # NULL: still to be made; else the data version it came with, kept until an index file holds it
    Index("pending_vectors_of_collection", "collection_id", "filled", "chunk_id"),
)

IS_PENDING: Final = pending_vectors.c.filled.is_(None)  # the vector of the chunk of a row is still to be made
HAS_MADE_VECTORS: Final = documents.c.vector_origin == int(VectorOrigin.TEXT)  # a document whose vectors follow from its text
IS_VECTORLESS: Final = documents.c.vector_origin == int(VectorOrigin.NONE)  # a document without vectors
IS_CHUNK_PENDING: Final = exists().where(pending_vectors.c.chunk_id == chunks.c.id, IS_PENDING)
