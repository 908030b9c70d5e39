"""The values that cross the seam under the store: what a store gives and takes, frozen. Import them from `stores.base`."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import VectorAccess
from vecsearch.core.types import Metadata, Precision, ScoredChunk
from vecsearch.encoders.base import EncoderSpec

Ids: TypeAlias = NDArray[np.int64]  # numbers of chunks
Vector: TypeAlias = NDArray[np.float32]  # (dimension,), length 1
Matrix: TypeAlias = NDArray[np.float32]  # (rows, dimension), each row of length 1
NO_IDS: Final[Ids] = np.empty(0, np.int64)
RESTORE_HINT: Final = "restore a backup, or index the files again into a new database"


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection as one committed state has it.

    `encoder` made its vectors. `identity` and `version` are opaque: equal for two states of the same collection, whatever was
    written in between, and for two snapshots that see the same rows of it.
    """

    name: str
    encoder: EncoderSpec
    precision: Precision
    stemmer: str
    metadata: Metadata
    identity: Hashable
    version: Hashable

    def has_same_vectors(self, other: CollectionInfo) -> bool:
        """Return whether vectors made for one may be stored in the other."""
        return (self.encoder.fingerprint, self.encoder.dimension) == (other.encoder.fingerprint, other.encoder.dimension)


class ChunkSet(Protocol):
    """The chunks that a filter holds for. What it is inside belongs to the store that made it."""

    def __len__(self) -> int:
        """Return how many chunks there are."""


@dataclass(frozen=True, slots=True)
class VectorHits:
    """Chunks by cosine in [-1, 1], best first. `exhausted`: there are no further ones. `access`: how they were found."""

    ranked: tuple[ScoredChunk, ...]
    exhausted: bool
    access: VectorAccess


@dataclass(frozen=True, slots=True)
class LexicalHits:
    """Chunks by BM25, best first.

    `max_score`: the score that no text can reach for this query, where a term that no chunk has counts UNSEEN_TERM_WEIGHT.
    `identifier_share`: the share, in [0, 1], of the query's idf that lies in identifiers, versions and the like.
    `extra`: the chunks that were requested by number (`also`) and hold a term, beyond the best.
    """

    ranked: tuple[ScoredChunk, ...]
    max_score: float
    identifier_share: float = 0.0
    extra: tuple[ScoredChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A chunk's text and what stands above it; it begins at character `start` of its document."""

    title: str | None
    context: str
    text: str
    start: int
