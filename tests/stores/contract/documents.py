"""Documents for the contract: a chunk for each line, and unit vectors that follow from the text alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import xxhash

from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import Precision, Split, VectorOrigin
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import (
    Continuation,
    IndexedFile,
    Matrix,
    NewDocument,
    NewPart,
    PreservedFields,
    ScoredChunks,
    Snapshot,
    Store,
    Vector,
)
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.query_parser import LexicalQuery, parse_query

COLLECTION: Final = "notes"
DIMENSION: Final = 16
SPEC: Final = EncoderSpec("fake", "fake-fingerprint", DIMENSION)
OTHER_SPEC: Final = EncoderSpec("other", "other-fingerprint", 8)

Place: TypeAlias = tuple[str, int]  # a document's id and a chunk's ordinal there


def make_vector(text: str, dimension: int = DIMENSION) -> Vector:
    """Return the unit vector of a text."""
    row = np.random.default_rng(xxhash.xxh3_64_intdigest(text.encode())).standard_normal(dimension)
    return (row / np.linalg.norm(row)).astype(np.float32)


def make_document(
    id: str,
    text: str,
    *,
    source: str | None = None,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    context: str = "",
    vector_origin: VectorOrigin = VectorOrigin.TEXT,
    payload: Any = None,
    preserved: PreservedFields | None = None,
    spec: EncoderSpec = SPEC,
) -> NewDocument:
    """Return a document of a chunk a line."""
    spans: list[ChunkSpan] = []
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        spans.append(ChunkSpan(start, start + len(line), {"lines": [number, number]}, context))
        start += len(line) + 1
    with_vector = [] if vector_origin is VectorOrigin.NONE else spans
    rows = [make_vector(text[span.start : span.end], spec.dimension) for span in with_vector]
    vectors = np.array(rows, np.float32).reshape(len(rows), spec.dimension)
    digest = hash_text(f"{title}\0{text}")
    return NewDocument(
        id,
        source,
        text,
        title,
        metadata or {},
        digest,
        tuple(spans),
        vectors,
        vector_origin=vector_origin,
        payload=payload,
        preserved=preserved,
    )


def make_pending_document(id: str, text: str, *, pending: Sequence[int] | None = None) -> NewDocument:
    """Return the same, some of whose chunks wait for their vectors; by default all."""
    document = make_document(id, text)
    waiting = tuple(range(len(document.spans))) if pending is None else tuple(pending)
    return replace(document, vectors=np.delete(document.vectors, waiting, axis=0), pending=waiting)


def make_continuation(id: str, text: str, *parts: str, pending: Sequence[int] = ()) -> Continuation:
    """Return what follows a text of a chunk a line, which ends where a line does; `pending`: in each part, of its chunks."""
    whole = make_document(id, "".join((text, *parts)))

    def iterate_parts() -> Iterator[NewPart]:
        start = len(text)
        for part in parts:
            numbers = [n for n, span in enumerate(whole.spans) if start <= span.start < start + len(part)]
            known = [number for n, number in enumerate(numbers) if n not in pending]
            yield NewPart(start, part, tuple(whole.spans[n] for n in numbers), whole.vectors[known], tuple(pending))
            start += len(part)

    return Continuation(id, len(text), iterate_parts(), whole.digest)


def make_file(path: str, *, digest: str | None = "bytes", error: str | None = None, removed: Sequence[str] = ()) -> IndexedFile:
    """Return a file whose documents are all stored."""
    return IndexedFile(path, digest, Split.LINES, error, False, tuple(removed))


def hash_text(text: str) -> str:
    """Return what names a content."""
    return hashlib.sha256(text.encode()).hexdigest()


def round_vectors(vectors: Matrix) -> Matrix:
    """Return vectors as a collection of half precision holds them."""
    return vectors.astype(np.float16).astype(np.float32)


def write(
    store: Store, documents: Sequence[NewDocument] = (), files: Sequence[IndexedFile] = (), *, collection: str = COLLECTION
) -> None:
    """Commit documents and files to a collection, which is created where it is not there."""
    with store.open_writer(collection) as writer:
        writer.ensure(SPEC, precision=Precision.FLOAT16, stemmer="none")
        writer.commit(documents, files)


@contextmanager
def open_snapshot(store: Store, collection: str = COLLECTION) -> Iterator[Snapshot]:
    """Open a snapshot of a collection that must be there."""
    with store.open_snapshot(collection) as snapshot:
        assert snapshot is not None
        yield snapshot


def locate(snapshot: Snapshot, chunks: ScoredChunks) -> list[Place]:
    """Return which chunk of which document each is."""
    return [(hit.id, hit.chunk_index) for hit in snapshot.load_hits(chunks, None)]


def find_chunk(snapshot: Snapshot, id: str, ordinal: int = 0) -> int:
    """Return the number of a document's chunk."""
    return int(snapshot.find_chunk_ids([id])[id][ordinal])


def parse(query: str) -> LexicalQuery:
    """Return what is looked up in a text index without stems."""
    return parse_query(query, get_analyzer("none"))
