"""Reading: one consistent snapshot of a collection at a time, for documents, words and vectors alike. Never writes."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from vecsearch.core.answers import Around, Hit
from vecsearch.core.conditions import Condition
from vecsearch.core.errors import Damaged
from vecsearch.core.portions import portions
from vecsearch.core.settings import SPELLED_CHARACTERS
from vecsearch.core.types import ChunkId, ChunkPlace, Cut, Document, Listed, Metadata, Scored, Source, SourceState
from vecsearch.persistence import fulltext, noise
from vecsearch.persistence import sources as source_rows
from vecsearch.persistence.analysis import analyzer
from vecsearch.persistence.conditions import chunk_ids, expression
from vecsearch.persistence.database import Database
from vecsearch.persistence.filtered import Filtered
from vecsearch.persistence.fulltext import Matches
from vecsearch.persistence.paths import absolute, below
from vecsearch.persistence.spelling import Spelled
from vecsearch.persistence.state import CollectionState, find_state
from vecsearch.persistence.statements import Prepared
from vecsearch.persistence.stored import cut_of, from_json, place_of
from vecsearch.persistence.tables import CHUNK_TEXT, CONTENT_PREFIX, chunks, documents, sources, staged, vectors
from vecsearch.persistence.vectors import Ids, Vector, dtype, single
from vecsearch.persistence.view import View, ViewCache

_MANY = 10_000  # values in one IN (…); SQLite takes 32,766


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


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk's text and what stands above it; it begins at character `start` of its document."""

    title: str | None
    context: str
    text: str
    start: int


class Reader:
    """Snapshots of one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._views, self._filtered, self._spelled = ViewCache(self._database.index_folder), Filtered(), Spelled()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot | None]:
        """The collection as it is now; None while it is not there."""
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock of a cache
            self._forget()
        with self._database.reading() as connection:
            state = find_state(connection, self._name)
            yield (
                None
                if state is None
                else Snapshot(connection, state, self._database.parent, self._views, self._filtered, self._spelled)
            )


class Snapshot:
    """A collection as one read transaction sees it."""

    def __init__(
        self, connection: Connection, state: CollectionState, parent: Path, views: ViewCache, filtered: Filtered, spelled: Spelled
    ) -> None:
        self._connection, self.state, self._parent, self._views = connection, state, parent, views
        self._filtered, self._spelled = filtered, spelled

    # -- vectors and words

    @cached_property
    def view(self) -> View:
        """The vectors."""
        return self._views.at(self._connection, self.state)

    def allowed(self, condition: Condition | None) -> Ids | None:
        """Chunk ids, ascending, of the documents that a condition holds for; None for no condition."""
        return None if condition is None else self._filtered.of(self.state, condition, lambda: self._matching(condition))

    def _matching(self, condition: Condition) -> Ids:
        found = chunk_ids(condition, self.state.id).subquery()
        joined = self._connection.scalar(select(func.group_concat(found.c.id)))  # one text costs less than so many rows
        ids: Ids = np.fromstring(joined or "", np.int64, sep=",")
        ids.sort()
        ids.setflags(write=False)  # several searches may share it
        return ids

    def lexical(self, query: str, *, limit: int, allowed: Ids | None = None, also: Ids | None = None) -> Matches:
        """Up to `limit` chunks by BM25, of the allowed ones, best first, and those of `also`; ties go to the lower id."""
        return fulltext.matches(self._connection, self.state, query, limit=limit, allowed=allowed, also=also)

    def spelled(self, query: str, ids: Sequence[ChunkId]) -> NDArray[np.float64]:
        """How far each of these chunks spells what the query does, in [0, 1]; see `Spelling`."""
        spelling = self._spelled.of(self.state, self.view.ids, lambda sample: self._texts(sample.tolist()))
        return spelling.scores(query, self._texts(ids))

    def _texts(self, ids: Sequence[ChunkId]) -> list[str]:
        """The beginning of all that is to be found by."""
        return [f"{each.title or ''}\n{each.context}\n{each.text}"[:SPELLED_CHARACTERS] for each in self.passages(ids)]

    def rows(self, ids: Sequence[ChunkId]) -> Vector:
        """The vectors of chunks that are there, float32, in the order given."""
        found, rows = self.view.fetch(np.array(sorted(ids), np.int64))
        return single(rows)[np.searchsorted(found, ids)]

    def chunk_ids_of(self, document: int) -> Ids:
        """A document's chunks, ascending."""
        return np.fromiter(
            self._connection.scalars(select(chunks.c.id).where(chunks.c.document_id == document).order_by(chunks.c.id)), np.int64
        )

    # -- hits and documents

    def hits(self, ranked: Sequence[Scored], similarities: Mapping[int, float]) -> list[Hit]:
        """The text and place of each chunk, in the order given."""
        ids = [each.chunk_id for each in ranked]
        rows = {row[0]: row for row in _HITS.cursor(self._connection, ids=json.dumps(ids))}
        _check_whole(rows, ids)
        return [self._hit(rows[each.chunk_id], each, similarities.get(each.chunk_id)) for each in ranked]

    def _hit(self, row: Any, scored: Scored, similarity: float | None) -> Hit:
        _, key, ordinal, text, title, path, start, end, metadata, place = row
        return Hit(
            id=key, chunk=ordinal, score=scored.score, similarity=similarity, text=text, title=title, uri=self._uri(path),
            start=start, end=end, metadata=from_json(metadata), place=place_of(place),
        )  # fmt: skip

    def passages(self, ids: Sequence[ChunkId]) -> list[Passage]:
        """The text of each chunk, in the order given."""
        rows = _PASSAGES.all(self._connection, ids=json.dumps(list(ids)))
        found = {row[0]: Passage(*row[1:]) for row in rows}
        _check_whole(found, ids)
        return [found[each] for each in ids]

    def documents_of(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        """The row of each chunk's document."""
        found: dict[ChunkId, int] = {}
        for some in portions(ids, _MANY):
            rows = self._connection.execute(select(chunks.c.id, chunks.c.document_id).where(chunks.c.id.in_(some)))
            found.update((chunk, document) for chunk, document in rows)
        return found

    def stems(self, ids: Sequence[ChunkId]) -> list[frozenset[str]]:
        """The stems of each chunk's text, of its title where it has no text, in the order given."""
        by = analyzer(self.state.language)
        return [frozenset(by.analyzed(each.text.strip() or each.title or "").terms) for each in self.passages(ids)]

    def noise_floor(self) -> float | None:
        """The similarity from which on a chunk is no chance likeness; None where there are too few documents to tell."""
        return noise.floor(self.view, self.documents_of)

    def rarity(self, query: str) -> dict[str, float]:
        """The idf of each word of a query, by its stem."""
        return fulltext.rarity(self._connection, self.state, query)

    def expanded(self, hits: Sequence[Hit], ids: Sequence[ChunkId], neighbours: int) -> list[Hit]:
        """With so many chunks before and after each, as far as there are any; the chunks of the hits are `ids`."""
        return [replace(hit, around=self._around(chunk, neighbours)) for hit, chunk in zip(hits, ids, strict=True)]

    def _around(self, chunk: ChunkId, neighbours: int) -> Around:
        one = select(chunks.c.document_id, chunks.c.ordinal).where(chunks.c.id == chunk).subquery()
        near = chunks.c.ordinal.between(one.c.ordinal - neighbours, one.c.ordinal + neighbours)
        first, last = func.min(chunks.c.start), func.max(chunks.c.end)
        text = func.substr(documents.c.text, first + 1, last - first)
        query = select(text, first, last).join_from(chunks, one, (chunks.c.document_id == one.c.document_id) & near)
        return Around(*self._connection.execute(query.join(documents, documents.c.id == chunks.c.document_id)).one())

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

    def keys(self, condition: Condition | None = None, *, source: Path | None = None) -> list[str]:
        """Ids of documents, ascending: all, those a condition holds for, or those of a file or folder."""
        query = select(documents.c.key).where(documents.c.collection_id == self.state.id).order_by(documents.c.key)
        if condition is not None:
            query = query.where(expression(condition, self.state.id, documents.c.id))
        if source is not None:
            query = query.join(sources, sources.c.id == documents.c.source_id).where(below(self._parent, source))
        return list(self._connection.scalars(query))

    def counts(self) -> tuple[int, int]:
        """(documents, chunks)."""
        amounts = [
            self._connection.scalar(select(func.count()).where(table.c.collection_id == self.state.id))
            for table in (documents, chunks)
        ]
        return amounts[0] or 0, amounts[1] or 0

    def _uri(self, path: str | None) -> str | None:
        return None if path is None else absolute(self._parent, path).as_posix()

    # -- what the write path compares with

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


def _check_whole(found: Container[ChunkId], ids: Iterable[ChunkId]) -> None:
    """Raises Damaged where the index, or the words, know of a chunk that has no row."""
    if missing := [each for each in ids if each not in found]:
        raise Damaged(f"the database is damaged: chunk {missing[0]} is not there; see `vecsearch doctor`")


_ASKED: Final = chunks.c.id.in_(select(func.json_each(bindparam("ids")).table_valued("value").c.value))
_HITS: Final = Prepared(
    select(
        chunks.c.id, documents.c.key, chunks.c.ordinal, CHUNK_TEXT, documents.c.title, sources.c.path, chunks.c.start,
        chunks.c.end, documents.c.metadata, chunks.c.place,
    )
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .outerjoin(sources, sources.c.id == documents.c.source_id)
    .where(_ASKED)
)  # fmt: skip
_PASSAGES: Final = Prepared(
    select(chunks.c.id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT, chunks.c.start)
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .where(_ASKED)
)
