"""The vectors of a batch's texts, made beside the caller where there is something else to do meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from vecsearch.core.parallel import start
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.unit_vectors import VectorFailure
from vecsearch.indexing.stages import ChunkedDocument, collect_texts, embed
from vecsearch.stores.base import Vector


@dataclass(frozen=True, slots=True)
class BatchEmbedding:
    """Vectors by the hashes of their texts: those known from before, those that the batch before gives, those being made."""

    known: Mapping[str, Vector] = field(default_factory=dict)
    awaited: Sequence[str] = ()
    missing: Sequence[str] = ()
    get_rows: Callable[[], Sequence[Vector | VectorFailure]] = tuple

    def collect(self, documents: Iterable[ChunkedDocument], before: Mapping[str, Vector]) -> dict[str, Vector]:
        """Return all of them, once they are made; `before` are those of the batch before. Raises EncodingError."""
        vectors = {**self.known, **{key: before[key] for key in self.awaited}}
        for key, row in zip(self.missing, self.get_rows(), strict=True):
            if isinstance(row, VectorFailure):
                raise row.to_error(f"document {_find_document(documents, key)!r}")
            vectors[key] = row
        return vectors


def begin_embedding(
    texts: Mapping[str, str], known: Mapping[str, Vector], before: BatchEmbedding | None, encoder: TextEncoder, *, beside: bool
) -> BatchEmbedding:
    """Begin to encode texts, given by their hashes, but for those that are known, or that the batch before has.

    Done `beside` the caller, an encoder that is not safe to share between threads is not to be used otherwise until `get_rows`
    has returned; else it is used in the thread that calls that.
    """
    begun = set[str]() if before is None else {*before.known, *before.awaited, *before.missing}
    unknown = texts.keys() - known.keys()
    missing = sorted(unknown - begun, key=lambda key: (-len(texts[key]), key))  # like lengths pad least
    work = partial(embed, [texts[key] for key in missing], encoder)
    return BatchEmbedding(known, sorted(unknown & begun), missing, start(work) if beside else cache(work))


def _find_document(documents: Iterable[ChunkedDocument], key: str) -> str:
    """Return the id of the first document with a text of this hash."""
    return next(chunked.document.id for chunked in documents if key in collect_texts([chunked]))
