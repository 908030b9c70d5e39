"""What a collection holds besides what answers need: documents and files for users, and all that a write compares with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, func, select

from vecsearch.core.batched import batched
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.core.types import ChunkLocation, ChunkSpan, Document, DocumentSummary, Metadata, Source, SourceState
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.stored_values import parse_chunk_span, parse_location, parse_stored_json
from vecsearch.stores.sqlite.engine.tables import CHUNK_TEXT, CONTENT_PREFIX, chunks, documents, sources, staged, vectors
from vecsearch.stores.sqlite.read import source_rows
from vecsearch.stores.sqlite.read.source_rows import build_path_filter
from vecsearch.stores.sqlite.vectors.faiss_segment import Vector, get_dtype

_IN_VALUES_MAX: Final = 10_000  # values in one IN (…); SQLite takes 32,766


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A file as the newest run left it; `digest` is empty until all of it is stored."""

    id: int
    path: str
    digest: str
    split: str
    error: str | None
    mounted: bool
    loader_version: int
    document_count: int


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What tells whether a document has changed."""

    row: int
    key: str
    source: str | None
    digest: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A chunk's vector, unit float32, and what was encoded: the document's title, the chunk's context and its text."""

    title: str | None
    context: str
    text: str
    vector: Vector


class DocumentReader:
    """As one snapshot sees it."""

    def __init__(self, connection: Connection, state: CollectionState, parent: Path) -> None:
        self._connection, self.state, self._parent = connection, state, parent

    # -- for users

    def load_documents(self, keys: Sequence[str] | None = None, *, source: Path | None = None) -> list[Document]:
        """Documents by id in the order asked for, or those of a file or folder by id; what is not there is left out."""
        rows = [
            row
            for where in self._build_document_filters(keys, source)
            for row in self._connection.execute(self._select_documents(where))
        ]
        found = {row.key: self._build_document(row) for row in rows}
        return [found[key] for key in (dict.fromkeys(keys) if keys is not None else sorted(found)) if key in found]

    def _build_document_filters(self, keys: Sequence[str] | None, source: Path | None) -> list[ColumnElement[bool]]:
        if keys is None:
            return [build_path_filter(self._parent, source)] if source is not None else []
        return [documents.c.key.in_(some) for some in batched(keys, _IN_VALUES_MAX)]

    def _select_documents(self, where: ColumnElement[bool]) -> Select[Any]:
        return (
            select(documents, sources.c.path)
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == self.state.id, where)
        )

    def _build_document(self, row: Any) -> Document:
        query = select(chunks.c.ordinal, chunks.c.start, chunks.c.end, chunks.c.place).where(chunks.c.document_id == row.id)
        rows = self._connection.execute(query.order_by(chunks.c.ordinal))
        cut = tuple(ChunkLocation(ordinal, start, end, parse_location(place)) for ordinal, start, end, place in rows)
        return Document(row.key, self._resolve_source(row.path), row.title, row.text, parse_stored_json(row.metadata), cut)

    def list_documents(self, *, limit: int, offset: int) -> list[DocumentSummary]:
        """Documents by id, a page of them."""
        amount = select(func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery()
        rows = self._connection.execute(
            select(
                documents.c.key, sources.c.path, documents.c.title, amount, documents.c.indexed_at, source_rows.SOURCE_STATE,
                sources.c.error,
            )
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == self.state.id)
            .order_by(documents.c.key)
            .limit(limit)
            .offset(offset)
        )  # fmt: skip
        return [
            DocumentSummary(key, self._resolve_source(path), title, count, at, SourceState(kind), error)
            for key, path, title, count, at, kind, error in rows
        ]

    def list_document_ids(self, *, source: Path | None = None) -> list[str]:
        """Ids of documents, ascending: all, or those of a file or folder."""
        query = select(documents.c.key).where(documents.c.collection_id == self.state.id).order_by(documents.c.key)
        if source is not None:
            query = query.join(sources, sources.c.id == documents.c.source_id).where(build_path_filter(self._parent, source))
        return list(self._connection.scalars(query))

    def _resolve_source(self, path: str | None) -> str | None:
        return None if path is None else to_absolute_path(self._parent, path).as_posix()

    # -- for the write path

    def load_sources(self) -> dict[str, StoredSource]:
        """Every file that documents came from, by stored path."""
        amount = select(func.count()).where(documents.c.source_id == sources.c.id).scalar_subquery()
        rows = self._connection.execute(
            select(
                sources.c.id, sources.c.path, sources.c.digest, sources.c.split, sources.c.error, sources.c.mounted,
                sources.c.reading, amount,
            ).where(sources.c.collection_id == self.state.id)
        )  # fmt: skip
        return {row.path: StoredSource(*row) for row in rows}

    def list_sources(self, *, limit: int | None = None, offset: int = 0, failed: bool = False) -> list[Source]:
        """A page of the files by path, all or those whose newest attempt failed."""
        return source_rows.list_sources(self._connection, self.state, self._parent, failed=failed, limit=limit, offset=offset)

    def count_sources(self, *, failed: bool = False) -> int:
        """How many files there are, or have failed."""
        return source_rows.count_sources(self._connection, self.state, failed=failed)

    def list_source_paths(self, root: Path) -> list[str]:
        """Stored paths of the file at an absolute path, or of those below it."""
        query = select(sources.c.path).where(sources.c.collection_id == self.state.id, build_path_filter(self._parent, root))
        return list(self._connection.scalars(query))

    def load_stored_documents(self, keys: Sequence[str]) -> dict[str, StoredDocument]:
        """What is there under these ids."""
        found = {}
        for some in batched(list(keys), _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(documents.c.id, documents.c.key, sources.c.path, documents.c.digest, documents.c.metadata)
                .outerjoin(sources, sources.c.id == documents.c.source_id)
                .where(documents.c.collection_id == self.state.id, documents.c.key.in_(some))
            )
            found.update({key: StoredDocument(i, key, path, digest, parse_stored_json(m)) for i, key, path, digest, m in rows})
        return found

    def list_source_document_ids(self, path: str) -> set[str]:
        """Ids of the documents of one file, by stored path."""
        query = select(documents.c.key).join(sources, sources.c.id == documents.c.source_id)
        return set(self._connection.scalars(query.where(sources.c.collection_id == self.state.id, sources.c.path == path)))

    def iterate_vectors(self, keys: Sequence[str]) -> Iterator[StoredVector]:
        """Every chunk of the documents under these ids."""
        kind = get_dtype(self.state.precision)
        for some in batched(keys, _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(documents.c.title, chunks.c.context, CHUNK_TEXT, vectors.c.vector)
                .join_from(documents, chunks, chunks.c.document_id == documents.c.id)
                .join(vectors, vectors.c.chunk_id == chunks.c.id)
                .where(documents.c.collection_id == self.state.id, documents.c.key.in_(some))
            )
            for title, context, body, row in rows:
                yield StoredVector(title, context or "", body, np.frombuffer(row, kind).astype(np.float32))

    def find_duplicates(self, digests: Sequence[str]) -> dict[str, int]:
        """A document (its row) for each of these contents that is there; see `documents.digest`."""
        found: dict[str, int] = {}
        prefix = func.substr(documents.c.digest, 1, CONTENT_PREFIX)
        for some in batched({digest[:CONTENT_PREFIX] for digest in digests}, _IN_VALUES_MAX):
            query = select(documents.c.digest, documents.c.id).where(documents.c.collection_id == self.state.id, prefix.in_(some))
            found.update((digest, row) for digest, row in self._connection.execute(query))
        return {digest: found[digest] for digest in digests if digest in found}

    def load_chunks(self, document: int, *, digest: str) -> tuple[tuple[ChunkSpan, ...], Vector] | None:
        """A document's chunks with their float32 vectors, in its order; None where its content is another by now."""
        if self._connection.scalar(select(documents.c.digest).where(documents.c.id == document)) != digest:
            return None
        rows = self._connection.execute(
            select(chunks.c.start, chunks.c.end, chunks.c.place, chunks.c.context, vectors.c.vector)
            .join(vectors, vectors.c.chunk_id == chunks.c.id)
            .where(chunks.c.document_id == document)
            .order_by(chunks.c.ordinal)
        ).all()
        joined = np.frombuffer(b"".join(row.vector for row in rows), get_dtype(self.state.precision)).astype(np.float32)
        cuts = tuple(parse_chunk_span(row.start, row.end, row.place, row.context) for row in rows)
        return cuts, joined.reshape(len(rows), self.state.dimension)

    def load_staged_vectors(self, digests: Sequence[str]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Vectors kept from an interrupted run, by the sha256 of the encoded text."""
        found = {}
        for some in batched(list(digests), _IN_VALUES_MAX):
            rows = self._connection.execute(
                select(staged.c.digest, staged.c.vector).where(staged.c.collection_id == self.state.id, staged.c.digest.in_(some))
            )
            found.update({d: np.frombuffer(v, get_dtype(self.state.precision)).astype(np.float32) for d, v in rows})
        return found
