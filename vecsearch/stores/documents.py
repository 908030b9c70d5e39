"""Documents and files as a store takes and gives them: what runs over a collection pass, where a search passes values alone.

Import them from `stores.base`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import JSON, ChunkId, Finding, Location, Metadata, Split, VectorOrigin
from vecsearch.stores.values import Matrix, Vector


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What shows whether a document has changed; `source` is the stored path of its file.

    `digest` is None where its vectors do not follow from it: they were brought, or there are none.
    """

    id: str
    source: str | None
    digest: str | None
    metadata: Metadata
    vector_origin: VectorOrigin = VectorOrigin.TEXT

    def has_metadata(self, metadata: Metadata) -> bool:
        """Return whether these are the stored metadata, as written: to Python true, 1 and 1.0 are equal, 0.0 and -0.0 too."""
        written, given = (json.dumps(values, sort_keys=True) for values in (self.metadata, dict(metadata)))
        return written == given


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A file as the newest run left it; `digest` is None until all of it is stored, `documents` a count.

    `skipped` is why it was passed over, where it was: nothing was indexed from it.
    """

    path: str
    digest: str | None
    split: Split
    error: str | None
    mounted: bool
    loader_version: int
    documents: int
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedChunks:
    """A document's chunks with their unit float32 vectors, in its order."""

    spans: tuple[ChunkSpan, ...]
    vectors: Matrix


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A chunk's unit float32 vector, and what was encoded: the document's title, the chunk's context and its text."""

    title: str | None
    context: str
    text: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class FullDocument:
    """A document with all that belongs to it; `vectors` holds a row for each span, bit for bit as stored.

    `vectors` is None where one of them is still to be made, or where there are none.
    """

    id: str
    source: str | None
    title: str | None
    text: str
    metadata: Metadata
    digest: str
    vector_origin: VectorOrigin
    spans: tuple[ChunkSpan, ...]
    vectors: NDArray[np.float16] | NDArray[np.float32] | None
    payload: JSON = None


@dataclass(frozen=True, slots=True)
class PreservedFields:
    """What a document that was stored before keeps as it stands: its metadata and its payload, both as JSON, and when it was
    indexed."""

    metadata: str
    payload: str | None
    indexed_at: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to store; `source` is the stored path of its file.

    `vectors` holds one unit float32 row for each span, but for those whose numbers `pending` has, ascending: their vectors follow
    later. A document whose `vector_origin` is NONE has neither.
    """

    id: str
    source: str | None
    text: str
    title: str | None
    metadata: Metadata
    digest: str
    spans: tuple[ChunkSpan, ...]
    vectors: Matrix
    pending: tuple[int, ...] = ()
    vector_origin: VectorOrigin = VectorOrigin.TEXT
    payload: JSON = None
    preserved: PreservedFields | None = None


@dataclass(frozen=True, slots=True)
class NewPart:
    """More text of a document, after its first `start` characters, with its chunks, none of which crosses to another part.

    The places in `spans` count from the document's beginning; `vectors` and `pending` are as in NewDocument.
    """

    start: int
    text: str
    spans: tuple[ChunkSpan, ...]
    vectors: Matrix
    pending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Continuation:
    """Text that follows the first `start` characters of a document, where one part of it ends, in the place of what followed.

    The parts are taken one after the other, so that not all of them need be in memory. `digest` is that of all of the document's
    content then.
    """

    id: str
    start: int
    parts: Iterable[NewPart]
    digest: str


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk whose vector is still to be made, and what that follows from: its document's title, its context and its text; of a
    picture or sound, which its `location` says, the file at the stored path `source`.

    `digest` is that of its document's content, `ordinal` its number there.
    """

    id: ChunkId
    document_id: str
    digest: str
    ordinal: int
    title: str | None
    context: str
    text: str
    source: str | None = None
    location: Location = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file whose documents are all stored once this is. `digest`: None to have it read again by the next run.

    `removed_ids` are documents that it no longer gives.
    """

    path: str
    digest: str | None
    split: Split
    error: str | None
    mounted: bool
    removed_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutdatedDocument:
    """A document that a replacement lacks, or has otherwise, as it stands in the live collection.

    `number` grows from one to the next; `replaces`: the replacement has another under this id.
    """

    number: int
    id: str
    source: str | None
    title: str | None
    text: str
    digest: str
    vector_origin: VectorOrigin
    preserved: PreservedFields
    spans: tuple[ChunkSpan, ...]
    replaces: bool


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    `findings` are still there, the worst first, with the reason where repairing failed; `repaired` says what was repaired, a line
    each; `backup` is a copy of the database as it was before, None where nothing that needs one was changed.
    """

    findings: tuple[Finding, ...]
    repaired: tuple[str, ...] = ()
    backup: Path | None = None
