"""The stages of indexing as pure functions over plain values: chunk, then embed. Parsing is `documents`, committing the writer's.

None of them touches a store. A worker in another process or on another machine can run them from an `EncoderSpec` alone:
`registry.load_spec` gives it the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.batched import batched
from vecsearch.core.forks import pause
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import ENCODER_BATCH_SIZE
from vecsearch.core.types import Split
from vecsearch.documents.chunk_inputs import chunk_document, hash_content, hash_encoder_input, refit_chunks
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.picture_vectors import encode_inputs
from vecsearch.encoders.unit_vectors import VectorFailure
from vecsearch.stores.base import EncodedChunks, NewDocument, PreservedFields, Vector


@dataclass(frozen=True, slots=True)
class ChunkedDocument:
    """A document that is chunked but not yet encoded: `texts` are what the encoder will see, one for each span, empty for a
    picture or sound.

    `source` is the stored path of its file, `digest` says what its vectors follow from.
    """

    document: ParsedDocument
    source: str | None
    digest: str
    spans: tuple[ChunkSpan, ...]
    texts: tuple[str, ...]
    preserved: PreservedFields | None = None


def chunk(
    document: ParsedDocument, split: Split, encoder: TextEncoder, *, source: str | None = None, digest: str | None = None
) -> ChunkedDocument:
    """Return a document's chunks, as long as the encoder's window lets them be; `digest`: its `hash_content`, where known."""
    spans, texts = chunk_document(document, split, encoder)
    return ChunkedDocument(document, source, digest or hash_content(document, split), spans, texts)


def rechunk(
    document: ParsedDocument,
    spans: Sequence[ChunkSpan],
    encoder: TextEncoder,
    *,
    digest: str,
    source: str | None = None,
    preserved: PreservedFields | None = None,
) -> ChunkedDocument:
    """Return the chunks of a document that was chunked for another encoder: those that do not fit the window are split."""
    fitted, texts = refit_chunks(document, spans, encoder)
    return ChunkedDocument(document, source, digest, fitted, texts, preserved)


def embed(
    texts: Sequence[str], encoder: TextEncoder, should_stop: Callable[[], bool] = lambda: False
) -> list[Vector | VectorFailure]:
    """Return the unit vector of each text, or why it has none; only of the first texts where it is to stop between two batches.

    Raises what the encoder raises, or EncodingError, where it concerns no single text.
    """
    rows: list[Vector | VectorFailure] = []
    for batch in batched(texts, ENCODER_BATCH_SIZE):
        if rows and should_stop():
            break
        pause()
        rows.extend(encode_inputs(encoder, batch))
    return rows


def assemble(chunked: ChunkedDocument, vectors: Mapping[str, NDArray[np.float32]], dimension: int) -> NewDocument:
    """Return a document ready to store, from the vectors of its texts, by `hash_encoder_input`; others follow later."""
    document = chunked.document
    found = [vectors.get(hash_encoder_input(text)) for text in chunked.texts] if vectors else [None] * len(chunked.texts)
    known = [row for row in found if row is not None]
    return NewDocument(
        document.id, chunked.source, document.text, document.title, document.metadata, chunked.digest, chunked.spans,
        np.stack(known) if known else np.empty((0, dimension), np.float32),
        pending=tuple(ordinal for ordinal, row in enumerate(found) if row is None), payload=document.payload,
        preserved=chunked.preserved,
    )  # fmt: skip


def copy_encoded(document: ParsedDocument, digest: str, encoded: EncodedChunks, *, source: str | None) -> NewDocument:
    """Return a document that says what another says: it is neither chunked nor encoded."""
    return NewDocument(
        document.id, source, document.text, document.title, document.metadata, digest, encoded.spans, encoded.vectors
    )


def collect_texts(documents: Iterable[ChunkedDocument]) -> dict[str, str]:
    """Return every text that the documents need a vector for, once, by `hash_encoder_input`."""
    return {hash_encoder_input(text): text for chunked in documents for text in chunked.texts if text}
