"""What a collection holds besides what answers need: documents and files for users, and all that a write compares with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, func, select

from vecsearch.core.portions import portions
from vecsearch.core.types import ChunkPlace, Cut, Document, Listed, Metadata, Source, SourceState
from vecsearch.persistence import sources as source_rows
from vecsearch.persistence.paths import absolute
from vecsearch.persistence.sources import below
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.stored import cut_of, from_json, place_of
from vecsearch.persistence.tables import CHUNK_TEXT, CONTENT_PREFIX, chunks, documents, sources, staged, vectors
from vecsearch.persistence.vectors import Vector, dtype

_MANY: Final = 10_000  # values in one IN (…); SQLite takes 32,766


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A file as the newest run left it; `digest` is empty until all of it is stored."""

    id: int
    path: str
    digest: str
    split: str
    error: str | None
    mounted: bool
    reading: int
    documents: int


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


class Catalogue:
    """As one snapshot sees it."""

    def __init__(self, connection: Connection, state: CollectionState, parent: Path) -> None:
        self._connection, self.state, self._parent = connection, state, parent

    # -- for users

    def documents(self, keys: Sequence[str] | None = None, *, source: Path | None = None) -> list[Document]:
        """Documents by id in the order asked for, or those of a file or folder by id; what is not there is left out."""
        rows = [row for where in self._document_filters(keys, source) for row in self._connection.execute(self._full(where))]
        found = {row.key: self._document(row) for row in rows}
        return [found[key] for key in (dict.fromkeys(keys) if keys is not None else sorted(found)) if key in found]

    def _document_filters(self, keys: Sequence[str] | None, source: Path | None) -> list[ColumnElement[bool]]:
        if keys is None:
            return [below(self._parent, source)] if source is not None else []
        return [documents.c.key.in_(some) for some in portions(keys, _MANY)]

    def _full(self, where: ColumnElement[bool]) -> Select[Any]:
        return (
            select(documents, sources.c.path)
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == self.state.id, where)
        )

    def _document(self, row: Any) -> Document:
        query = select(chunks.c.ordinal, chunks.c.start, chunks.c.end, chunks.c.place).where(chunks.c.document_id == row.id)
        rows = self._connection.execute(query.order_by(chunks.c.ordinal))
        cut = tuple(ChunkPlace(ordinal, start, end, place_of(place)) for ordinal, start, end, place in rows)
        return Document(row.key, self._uri(row.path), row.title, row.text, from_json(row.metadata), cut)

    def listing(self, *, limit: int, offset: int) -> list[Listed]:
        """Documents by id, a page of them."""
        amount = select(func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery()
        rows = self._connection.execute(
            select(
                documents.c.key, sources.c.path, documents.c.title, amount, documents.c.indexed_at, source_rows.STATE,
                sources.c.error,
            )
            .outerjoin(sources, sources.c.id == documents.c.source_id)
            .where(documents.c.collection_id == self.state.id)
            .order_by(documents.c.key)
            .limit(limit)
            .offset(offset)
        )  # fmt: skip
        return [
            Listed(key, self._uri(path), title, count, at, SourceState(kind), error)
            for key, path, title, count, at, kind, error in rows
        ]

    def keys(self, *, source: Path | None = None) -> list[str]:
        """Ids of documents, ascending: all, or those of a file or folder."""
        query = select(documents.c.key).where(documents.c.collection_id == self.state.id).order_by(documents.c.key)
        if source is not None:
            query = query.join(sources, sources.c.id == documents.c.source_id).where(below(self._parent, source))
        return list(self._connection.scalars(query))

    def _uri(self, path: str | None) -> str | None:
        return None if path is None else absolute(self._parent, path).as_posix()

    # -- for the write path

    def sources(self) -> dict[str, StoredSource]:
        """Every file that documents came from, by stored path."""
        amount = select(func.count()).where(documents.c.source_id == sources.c.id).scalar_subquery()
        rows = self._connection.execute(
            select(
                sources.c.id, sources.c.path, sources.c.digest, sources.c.split, sources.c.error, sources.c.mounted,
                sources.c.reading, amount,
            ).where(sources.c.collection_id == self.state.id)
        )  # fmt: skip
        return {row.path: StoredSource(*row) for row in rows}

    def source_listing(self, *, limit: int | None = None, offset: int = 0, failed: bool = False) -> list[Source]:
        """A page of the files by path, all or those whose newest attempt failed."""
        return source_rows.listing(self._connection, self.state, self._parent, failed=failed, limit=limit, offset=offset)

    def source_count(self, *, failed: bool = False) -> int:
        """How many files there are, or have failed."""
        return source_rows.count(self._connection, self.state, failed=failed)

    def source_paths(self, below_path: Path) -> list[str]:
        """Stored paths of the file at an absolute path, or of those below it."""
        query = select(sources.c.path).where(sources.c.collection_id == self.state.id, below(self._parent, below_path))
        return list(self._connection.scalars(query))

    def stored(self, keys: Sequence[str]) -> dict[str, StoredDocument]:
        """What is there under these ids."""
        found = {}
        for some in portions(list(keys), _MANY):
            rows = self._connection.execute(
                select(documents.c.id, documents.c.key, sources.c.path, documents.c.digest, documents.c.metadata)
                .outerjoin(sources, sources.c.id == documents.c.source_id)
                .where(documents.c.collection_id == self.state.id, documents.c.key.in_(some))
            )
            found.update({key: StoredDocument(i, key, path, digest, from_json(m)) for i, key, path, digest, m in rows})
        return found

    def keys_of_source(self, path: str) -> set[str]:
        """Ids of the documents of one file, by stored path."""
        query = select(documents.c.key).join(sources, sources.c.id == documents.c.source_id)
        return set(self._connection.scalars(query.where(sources.c.collection_id == self.state.id, sources.c.path == path)))

    def vectors_of(self, keys: Sequence[str]) -> Iterator[StoredVector]:
        """Every chunk of the documents under these ids."""
        kind = dtype(self.state.precision)
        for some in portions(keys, _MANY):
            rows = self._connection.execute(
                select(documents.c.title, chunks.c.context, CHUNK_TEXT, vectors.c.vector)
                .join_from(documents, chunks, chunks.c.document_id == documents.c.id)
                .join(vectors, vectors.c.chunk_id == chunks.c.id)
                .where(documents.c.collection_id == self.state.id, documents.c.key.in_(some))
            )
            for title, context, body, row in rows:
                yield StoredVector(title, context or "", body, np.frombuffer(row, kind).astype(np.float32))

    def twins(self, digests: Sequence[str]) -> dict[str, int]:
        """A document (its row) for each of these contents that is there; see `documents.digest`."""
        found: dict[str, int] = {}
        prefix = func.substr(documents.c.digest, 1, CONTENT_PREFIX)
        for some in portions({digest[:CONTENT_PREFIX] for digest in digests}, _MANY):
            query = select(documents.c.digest, documents.c.id).where(documents.c.collection_id == self.state.id, prefix.in_(some))
            found.update((digest, row) for digest, row in self._connection.execute(query))
        return {digest: found[digest] for digest in digests if digest in found}

    def chunks_of(self, document: int, *, digest: str) -> tuple[tuple[Cut, ...], Vector] | None:
        """A document's chunks with their float32 vectors, in its order; None where its content is another by now."""
        if self._connection.scalar(select(documents.c.digest).where(documents.c.id == document)) != digest:
            return None
        rows = self._connection.execute(
            select(chunks.c.start, chunks.c.end, chunks.c.place, chunks.c.context, vectors.c.vector)
            .join(vectors, vectors.c.chunk_id == chunks.c.id)
            .where(chunks.c.document_id == document)
            .order_by(chunks.c.ordinal)
        ).all()
        joined = np.frombuffer(b"".join(row.vector for row in rows), dtype(self.state.precision)).astype(np.float32)
        cuts = tuple(cut_of(row.start, row.end, row.place, row.context) for row in rows)
        return cuts, joined.reshape(len(rows), self.state.dimension)

    def staged(self, digests: Sequence[str]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Vectors kept from an interrupted run, by the sha256 of the encoded text."""
        found = {}
        for some in portions(list(digests), _MANY):
            rows = self._connection.execute(
                select(staged.c.digest, staged.c.vector).where(staged.c.collection_id == self.state.id, staged.c.digest.in_(some))
            )
            found.update({d: np.frombuffer(v, dtype(self.state.precision)).astype(np.float32) for d, v in rows})
        return found
