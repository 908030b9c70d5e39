"""The values that cross the seam under the store: what a store gives and takes, frozen. Import them from `stores.base`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import VectorAccess
from vecsearch.core.sorted_ids import find_positions
from vecsearch.core.types import Metadata, Precision, ScoredChunk
from vecsearch.encoders.base import EncoderSpec

Ids: TypeAlias = NDArray[np.int64]  # numbers of chunks
Scores: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = slice | NDArray[np.int64] | NDArray[np.bool_]  # which of an array's
Vector: TypeAlias = NDArray[np.float32]  # (dimension,), length 1
Matrix: TypeAlias = NDArray[np.float32]  # (rows, dimension), each row of length 1
NO_IDS: Final[Ids] = np.empty(0, np.int64)
RESTORE_HINT: Final = "restore a backup, or index the files again into a new database"


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection as one committed state has it.

    `encoder` made its vectors. `identity` and `version` are opaque: equal for two states of the same collection, whatever was
    written in between, and for two snapshots that see the same rows of it. `pending_vectors`: chunks that are found by their
    words alone, as their vectors are still to be made; `vectorless_chunks`: those that are to have none. `public_id`: a UUID that
    users know it by, whatever its name and vectors. `noise_floor`: see `stores.noise_floor`; None where it is not known, or there
    were too few documents in the `noise_floor_vectors` that it was estimated from, 0 where it was not yet.
    """

    name: str
    encoder: EncoderSpec
    precision: Precision
    stemmer: str
    metadata: Metadata
    identity: Hashable
    version: Hashable
    pending_vectors: int = 0
    vectorless_chunks: int = 0
    public_id: str = ""
    noise_floor: float | None = None
    noise_floor_vectors: int = 0

    @property
    def lacks_vectors(self) -> bool:
        """Return whether it has chunks without a vector."""
        return self.pending_vectors + self.vectorless_chunks > 0

    def has_same_vectors(self, other: CollectionInfo) -> bool:
        """Return whether vectors made for one may be stored in the other."""
        return (self.encoder.fingerprint, self.encoder.dimension) == (other.encoder.fingerprint, other.encoder.dimension)

    def is_later_state_of(self, earlier: CollectionInfo) -> bool:
        """Return whether a run that began with the other may go on with this: one collection, embedded by one model."""
        return self.identity == earlier.identity and self.has_same_vectors(earlier)


@dataclass(frozen=True, slots=True, eq=False)
class QueryMap:
    """A linear map of the unit vectors of questions: q becomes (q + matrix · q), at length 1.

    `matrix`: (dimension, dimension) float32. `record`: what it was learned from, and the proof, as JSON holds it.
    """

    matrix: Matrix
    record: Mapping[str, Any]


class ChunkSet(Protocol):
    """The chunks that a filter holds for. What it is inside belongs to the store that made it."""

    def __len__(self) -> int:
        """Return how many chunks there are."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredChunks:
    """Chunks, each once, with a score each: `ids` and `scores` are of one length, in an order that whoever gives them says."""

    ids: Ids
    scores: Scores

    @classmethod
    def rank(cls, ids: Ids, scores: Scores) -> ScoredChunks:
        """Put chunks in order, best first; ties go to the lower id."""
        order = np.lexsort((ids, -scores))
        return cls(ids[order], scores[order])

    def __len__(self) -> int:
        """Return how many chunks there are."""
        return len(self.ids)

    def __getitem__(self, rows: Rows) -> ScoredChunks:
        """Return some of them: a slice, those of a mask, or those at places."""
        return ScoredChunks(self.ids[rows], self.scores[rows])

    def __iter__(self) -> Iterator[ScoredChunk]:
        """Yield each chunk with its score."""
        return map(ScoredChunk, self.ids.tolist(), self.scores.tolist())

    def sort_by_id(self) -> ScoredChunks:
        """Return the same by ascending id, as `look_up` needs them."""
        return self[np.argsort(self.ids)]

    def look_up(self, ids: Ids, *, missing: float = math.nan) -> Scores:
        """Return the score of each of these chunks, `missing` for one that is not here. The chunks here must ascend."""
        places, known = find_positions(self.ids, ids)
        found = np.full(len(ids), missing)
        found[known] = self.scores[places[known]]
        return found


NO_CHUNKS: Final = ScoredChunks(NO_IDS, np.empty(0))


@dataclass(frozen=True, slots=True)
class VectorHits:
    """Chunks by cosine in [-1, 1], best first; one within SIMILARITY_ROUNDING of 1 is 1. `exhausted`: there are no further ones.

    `access`: how they were found.
    """

    ranked: ScoredChunks
    exhausted: bool
    access: VectorAccess


@dataclass(frozen=True, slots=True)
class LexicalHits(ABC):
    """What a lexical query finds, of any depth. Use it while the snapshot is open that gave it.

    `ranked` are the chunks that were asked for, by BM25, best first. `max_score`: the score that no text can reach for this
    query, where a term that no chunk has counts UNSEEN_TERM_WEIGHT. `identifier_share`: the share, in [0, 1], of the query's idf
    that lies in identifiers, versions and the like.
    """

    ranked: ScoredChunks
    max_score: float
    identifier_share: float

    @abstractmethod
    def score(self, ids: Ids) -> Scores:
        """Return the BM25 of each of these chunks, 0 for one that holds no term or may not be found."""

    @abstractmethod
    def extend(self, k: int, *, least: float = 0.0) -> LexicalHits:
        """Return the same with up to k chunks ranked, all that score `least` or more."""


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A chunk's text and what stands above it; it begins at character `start` of its document."""

    title: str | None
    context: str
    text: str
    start: int
