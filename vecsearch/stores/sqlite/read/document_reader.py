"""Read what a collection holds besides what answers need: documents and files for users, and all that a write compares with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Select, bindparam, case, exists, func, or_, select

from vecsearch.core.batched import batched
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.roots import RootList
from vecsearch.core.row_options import ROW_MARK
from vecsearch.core.source_paths import to_shown_path
from vecsearch.core.types import (
    ChunkId,
    ChunkLocation,
    Document,
    DocumentSummary,
    Metadata,
    Source,
    SourceState,
    Split,
    VectorOrigin,
)
from vecsearch.stores.base import EncodedChunks, Matrix, PendingChunk, StoredDocument, StoredSource, StoredVector, Vector
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.stored_values import parse_location, parse_payload, parse_stored_json
from vecsearch.stores.sqlite.engine.tables import (
    CHUNK_TEXT,
    CONTENT_BEGINNING,
    CONTENT_PREFIX,
    HAS_MADE_VECTORS,
    IS_PENDING,
    build_whole_text,
    chunks,
    documents,
    pending_vectors,
    sources,
    vectors,
)
from vecsearch.stores.sqlite.read import document_lists, root_rows, source_rows
from vecsearch.stores.sqlite.read.document_lists import ListSelection
from vecsearch.stores.sqlite.read.full_documents import parse_chunk_span
from vecsearch.stores.sqlite.read.source_rows import build_path_filter
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype

_IDS_TOGETHER: Final = 10_000  # fetched
_IN_VALUES_MAX: Final = 10_000  # values in one IN (…); SQLite takes 32,766
_CONTENT_DIGEST: Final = case((HAS_MADE_VECTORS, documents.c.digest), else_=None)  # what the vectors follow from
_HAS_PENDING: Final = exists().where(  # a document with a vector that is still to be made
    chunks.c.document_id == documents.c.id, pending_vectors.c.chunk_id == chunks.c.id, IS_PENDING
)
_HAS_VECTOR: Final = exists().where(chunks.c.document_id == documents.c.id, vectors.c.chunk_id == chunks.c.id)
_SAME, _CUT = documents.alias(), chunks.alias()  # a document of the same content, and its chunk of the same number
_PAIRS: Final = func.json_each(bindparam("pairs")).table_valued("value")  # [a chunk's id, the id of a document]
_COPIED_VECTORS: Final = (
    select(chunks.c.id, vectors.c.vector)
    .select_from(_PAIRS)
    .join(chunks, chunks.c.id == func.json_extract(_PAIRS.c.value, "$[0]"))
    .join(
        _SAME,
        (_SAME.c.collection_id == chunks.c.collection_id)
        & (_SAME.c.external_id == func.json_extract(_PAIRS.c.value, "$[1]")),
    )
    .join(_CUT, (_CUT.c.document_id == _SAME.c.id) & (_CUT.c.ordinal == chunks.c.ordinal))
    .join(vectors, vectors.c.chunk_id == _CUT.c.id)
    .where(
        _CUT.c.start == chunks.c.start, _CUT.c.end == chunks.c.end,
        _CUT.c.context.is_not_distinct_from(chunks.c.context),
    )
)  # fmt: skip
_PATHS_MAX: Final = 100  # conditions on paths in one statement


class DocumentReader:
    """A collection's documents and files, as one snapshot sees them."""

    def __init__(self, connection: Connection, state: CollectionState, parent: Path) -> None:
        self._connection, self.state, self._parent = connection, state, parent

    # -- for users

    def load_documents(self, ids: Sequence[str], *, include_vectors: bool = False) -> list[Document]:
        """Return documents in the order of `ids`, each once; what is not there is left out. Two statements for thousands."""
        loaded: dict[str, Document] = {}
        for batch in batched(dict.fromkeys(ids), _IN_VALUES_MAX):
            rows = self._connection.execute(self._select_documents(batch)).all()
            locations = self._load_locations([row.id for row in rows])
            embeddings = self._load_vectors([row.id for row in rows]) if include_vectors else {}
            loaded.update({row.external_id: self._build_document(row, locations, embeddings) for row in rows})
        return [loaded[key] for key in dict.fromkeys(ids) if key in loaded]

    def _select_documents(self, ids: Sequence[str]) -> Select[Any]:
        return (
            select(
                documents.c.id,
                documents.c.external_id,
                sources.c.path,
                documents.c.title,
                build_whole_text(),
                documents.c.metadata,
                documents.c.payload,
            )
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == self.state.id, documents.c.external_id.in_(ids))
        )

    def _build_document(
        self, row: Any, locations: Mapping[int, list[ChunkLocation]], embeddings: Mapping[int, Matrix]
    ) -> Document:
        metadata, source = parse_stored_json(row.metadata), self._resolve_source(row.path)
        spans, payload = tuple(locations.get(row.id, ())), parse_payload(row.payload)
        return Document(row.external_id, source, row.title, row.text, metadata, spans, payload, embeddings.get(row.id))

    def _load_locations(self, rows: Sequence[int]) -> dict[int, list[ChunkLocation]]:
        """Return where the chunks of documents stand, by the document's row."""
        query = select(chunks.c.document_id, chunks.c.ordinal, chunks.c.start, chunks.c.end, chunks.c.location)
        locations: dict[int, list[ChunkLocation]] = {}
        for document, ordinal, start, end, location in self._connection.execute(_restrict_to_documents(query, rows)):
            locations.setdefault(document, []).append(ChunkLocation(ordinal, start, end, parse_location(location)))
        return locations

    def _load_vectors(self, rows: Sequence[int]) -> dict[int, Matrix]:
        """Return the vectors of documents, one row for each chunk, by the document's row; zeros where there is none."""
        query = select(chunks.c.document_id, vectors.c.vector).outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
        none = bytes(self.state.dimension * get_dtype(self.state.precision).itemsize)
        blobs: dict[int, list[bytes]] = {}
        for document, blob in self._connection.execute(_restrict_to_documents(query, rows)):
            blobs.setdefault(document, []).append(none if blob is None else blob)
        return {document: self._parse_vectors(stored) for document, stored in blobs.items()}

    def _parse_vectors(self, blobs: Sequence[bytes]) -> Matrix:
        rows = np.frombuffer(b"".join(blobs), get_dtype(self.state.precision)).astype(np.float32)
        return rows.reshape(len(blobs), self.state.dimension)

    def list_ids(self, selection: ListSelection) -> list[str]:
        """Return ids of documents."""
        return document_lists.list_ids(self._connection, self.state, self._parent, selection)

    def count_metadata(self, among: Sequence[str] | None) -> list[tuple[Metadata, int]]:
        """Return the different metadata of all documents, or of some, with how many documents have them."""
        return document_lists.count_metadata(self._connection, self.state, among)

    def summarize(self, ids: Sequence[str]) -> list[DocumentSummary]:
        """Return a line about each document, in the order of `ids`; what is not there is left out."""
        return document_lists.summarize(self._connection, self.state, self._parent, ids)

    def _resolve_source(self, path: str | None) -> str | None:
        return None if path is None else to_shown_path(self._parent, path)

    def list_sources(self, *, source_state: SourceState | None = None, limit: int | None = None, offset: int = 0) -> list[Source]:
        """Return a page of the files by path: those in a state, by default all but those that were skipped."""
        return source_rows.list_sources(
            self._connection, self.state, self._parent, source_state=source_state, limit=limit, offset=offset
        )

    def count_sources(self, source_state: SourceState | None = None) -> int:
        """Return how many files are in a state, by default in all but that of those that were skipped."""
        return source_rows.count_sources(self._connection, self.state, source_state)

    def load_roots(self) -> RootList:
        """Return what was given to be indexed, and what is kept away from it."""
        return root_rows.load_roots(self._connection, self.state, self._parent)

    # -- for the write path

    def load_sources(self, *, below: Sequence[Path] | None = None) -> dict[str, StoredSource]:
        """Return files by stored path: all, or those at or below these absolute paths."""
        amount = select(func.count()).where(documents.c.source_id == sources.c.id).scalar_subquery()
        query = select(
            sources.c.path,
            sources.c.digest,
            sources.c.split,
            sources.c.error,
            sources.c.mounted,
            sources.c.loader_version,
            amount,
            sources.c.skipped,
        ).where(sources.c.collection_id == self.state.id)
        if below is None:
            queries = [query]
        else:
            queries = [
                query.where(or_(*(build_path_filter(self._parent, path) for path in paths)))
                for paths in batched(dict.fromkeys(below), _PATHS_MAX)
            ]
        rows = (row for each_query in queries for row in self._connection.execute(each_query))
        return {
            path: StoredSource(path, digest, Split(split or Split.TOKENS), error, bool(mounted), version, count, skipped)
            for path, digest, split, error, mounted, version, count, skipped in rows
        }

    def load_stored_documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Return what is there under these ids."""
        stored: dict[str, StoredDocument] = {}
        for batch in batched(dict.fromkeys(ids), _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(documents.c.external_id, sources.c.path, _CONTENT_DIGEST, documents.c.metadata, documents.c.vector_origin)
                .outerjoin(sources, sources.c.id == documents.c.source_id)
                .where(documents.c.collection_id == self.state.id, documents.c.external_id.in_(batch))
            )
            stored.update(
                (key, StoredDocument(key, path, digest, parse_stored_json(data), VectorOrigin(origin)))
                for key, path, digest, data, origin in rows
            )
        return stored

    def find_row_ids(self, key: str) -> list[str]:
        """Return the ids that rows have under a key within their files: one look-up a file."""
        query = (
            select(documents.c.external_id)
            .select_from(sources)
            .join(documents, documents.c.external_id == sources.c.path + f"{ROW_MARK}{key}")
            .where(sources.c.collection_id == self.state.id, documents.c.collection_id == self.state.id)
        )
        return sorted(self._connection.execute(query).scalars())

    def iterate_source_document_ids(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the stored path and the id of each document of these files."""
        for batch in batched(dict.fromkeys(paths), _IN_VALUES_MAX):
            query = select(sources.c.path, documents.c.external_id).join(documents, documents.c.source_id == sources.c.id)
            rows = self._connection.execute(
                query.where(sources.c.collection_id == self.state.id, sources.c.path.in_(batch)),
                execution_options={"yield_per": _IDS_TOGETHER},
            )
            yield from ((path, key) for path, key in rows)

    def iterate_vectors(self, ids: Sequence[str], *, start: int = 0) -> Iterator[StoredVector]:
        """Yield every chunk, from a character on, of these documents whose vectors follow from the text."""
        dtype = get_dtype(self.state.precision)
        for batch in batched(ids, _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(documents.c.title, chunks.c.context, CHUNK_TEXT, vectors.c.vector)
                .join_from(documents, chunks, chunks.c.document_id == documents.c.id)
                .join(vectors, vectors.c.chunk_id == chunks.c.id)
                .where(
                    documents.c.collection_id == self.state.id,
                    documents.c.external_id.in_(batch),
                    HAS_MADE_VECTORS,
                    chunks.c.start >= start,
                )
            )
            for title, context, body, row in rows:
                yield StoredVector(title, context or "", body, np.frombuffer(row, dtype).astype(np.float32))

    def find_duplicates(self, digests: Sequence[str], *, partial: bool = False) -> dict[str, str]:
        """Return the id of a document for each of these contents that is there with vectors that follow from it.

        All of its vectors are there; with `partial` it may also be one of which only some are, where there is no other.
        """
        ids: dict[str, str] = {}
        is_usable = _HAS_VECTOR if partial else ~_HAS_PENDING
        for batch in batched({digest[:CONTENT_PREFIX] for digest in digests}, _IN_VALUES_MAX):
            query = select(documents.c.digest, documents.c.external_id).where(
                documents.c.collection_id == self.state.id, CONTENT_BEGINNING.in_(batch), HAS_MADE_VECTORS, is_usable
            )
            query = query.order_by(_HAS_PENDING.desc()) if partial else query  # the last counts
            ids.update((digest, key) for digest, key in self._connection.execute(query))
        return {digest: ids[digest] for digest in digests if digest in ids}

    def load_encoded_chunks(self, digests_by_id: Mapping[str, str]) -> dict[str, EncodedChunks]:
        """Return the chunks and float32 vectors of documents, {id: digest}; one whose content is another by now is left out."""
        encoded: dict[str, EncodedChunks] = {}
        for batch in batched(digests_by_id, _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(
                    documents.c.external_id,
                    _CONTENT_DIGEST,
                    chunks.c.start,
                    chunks.c.end,
                    chunks.c.location,
                    chunks.c.context,
                    vectors.c.vector,
                )
                .join_from(documents, chunks, chunks.c.document_id == documents.c.id)
                .join(vectors, vectors.c.chunk_id == chunks.c.id)
                .where(documents.c.collection_id == self.state.id, documents.c.external_id.in_(batch), ~_HAS_PENDING)
                .order_by(chunks.c.document_id, chunks.c.ordinal)
            )
            spans: dict[str, tuple[list[ChunkSpan], list[bytes]]] = {}
            for key, digest, start, end, location, context, blob in rows:
                if digests_by_id[key] == digest:
                    of_document = spans.setdefault(key, ([], []))
                    of_document[0].append(parse_chunk_span(start, end, location, context))
                    of_document[1].append(blob)
            encoded.update({key: EncodedChunks(tuple(cut), self._parse_vectors(blobs)) for key, (cut, blobs) in spans.items()})
        return encoded

    def load_pending_chunks(self, limit: int, exclude: Collection[ChunkId] = ()) -> list[PendingChunk]:
        """Return up to `limit` chunks whose vectors are still to be made, the newest first, without those excluded."""
        query = (
            select(
                chunks.c.id, documents.c.external_id, documents.c.digest, chunks.c.ordinal, documents.c.title,
                func.coalesce(chunks.c.context, ""), CHUNK_TEXT, sources.c.path, chunks.c.location,
            )
            .join_from(pending_vectors, chunks, chunks.c.id == pending_vectors.c.chunk_id)
            .join(documents, documents.c.id == chunks.c.document_id)
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(pending_vectors.c.collection_id == self.state.id, IS_PENDING)
            .where(pending_vectors.c.chunk_id.not_in(select(func.json_each(json.dumps(list(exclude))).table_valued("value").c.value)))
            .order_by(pending_vectors.c.chunk_id.desc())
            .limit(limit)
        )  # fmt: skip
        rows = self._connection.execute(query)
        return [PendingChunk(*row[:-1], parse_location(row[-1])) for row in rows]

    def load_copied_vectors(self, waiting: Sequence[PendingChunk]) -> dict[ChunkId, Vector]:
        """Return the vectors of those of the chunks of which a document of the same content has the same one, with its vector."""
        same = self.find_duplicates(list({chunk.digest for chunk in waiting}), partial=True)
        pairs = json.dumps([(chunk.id, same[chunk.digest]) for chunk in waiting if chunk.digest in same])
        dtype = get_dtype(self.state.precision)
        rows = self._connection.execute(_COPIED_VECTORS, {"pairs": pairs})
        return {chunk: np.frombuffer(row, dtype).astype(np.float32) for chunk, row in rows}


def _restrict_to_documents(query: Select[Any], rows: Sequence[int]) -> Select[Any]:
    """Restrict a query to the documents in these rows, each document's chunks in order."""
    values = select(func.json_each(json.dumps(list(rows))).table_valued("value").c.value)
    return query.where(chunks.c.document_id.in_(values)).order_by(chunks.c.document_id, chunks.c.ordinal)
