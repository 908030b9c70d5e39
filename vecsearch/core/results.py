"""What a search returns, always frozen: hits, explanations of them, and how they were found. Positions count characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from vecsearch.core.types import JSON, Location, Metadata, Span


@dataclass(frozen=True, slots=True)
class ComponentScore:
    """What one side says of a chunk: its score, and its rank from 1 where the chunk is among that side's candidates."""

    score: float
    rank: int | None


@dataclass(frozen=True, slots=True)
class TokenAttribution:
    """How much of the similarity one token brings: characters [start, end) of the document's text."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit stands where it does.

    `components`: "dense" (the cosine), "lexical" (BM25), "trigrams" (how the words are spelled, in [0, 1]), "feedback" (the mean
    cosine to the best few), "word_pairs" (the share of the query's neighbouring words that are neighbours here) and "rerank", as
    far as they were used. `sentence`: that of the chunk which brings most of the
    similarity a token. The weights of the chunk's `tokens` and `remainder`, that of its title, context and special tokens, add
    up to the similarity; both are empty and 0 for a model that does not pool by the mean.
    """

    components: Mapping[str, ComponentScore]
    sentence: Span | None = None
    tokens: tuple[TokenAttribution, ...] = ()
    remainder: float = 0.0


@dataclass(frozen=True, slots=True)
class ChunkWindow:
    """A chunk with its neighbours, or its whole document: characters [start, end) of it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: the chunk `text[start:end]` of document `id`, best first in any list.

    `score` is the cosine (dense), BM25 (lexical), the fused value (hybrid) or the reranker's, which compares within one answer
    only; `similarity` is the cosine in [-1, 1], None in lexical mode and for a chunk without a vector. `location` is where the
    chunk stands in its source, as far as that is known: page, slide, sheet, rows, heading, cell, lines, message, time, member.
    `payload` is what was stored with the document beside its metadata, None for nothing.
    `group_size` is how many further chunks the hit stands for: of its document, or near-duplicates, ranked no lower than the last
    hit of the answer. `window` and `explanation` are there when requested.
    """

    id: str
    chunk_index: int
    score: float
    similarity: float | None
    text: str
    title: str | None
    source: str | None
    start: int
    end: int
    metadata: Metadata
    location: Location = field(default_factory=dict)
    payload: JSON = None
    group_size: int = 0
    window: ChunkWindow | None = None
    explanation: Explanation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order; what was not requested, or is not there, is left out."""
        fields = asdict(self)
        optional = {
            "payload": self.payload is not None, "group_size": self.group_size, "window": self.window,
            "explanation": self.explanation,
        }  # fmt: skip
        return {key: value for key, value in fields.items() if optional.get(key, True)}


class VectorAccess(StrEnum):
    """How vectors were searched: all of them through the index, or row by row those that a selective filter lets through."""

    INDEX = "index"
    ROWS = "rows"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class QueryProfile:
    """How an answer was found.

    `matching` of all `chunks` fit the filter; `candidates` were ranked; `min_similarity` is the bound that was applied (that of
    "auto" as it was learned); `timings_ms` are milliseconds, in order.
    """

    access: VectorAccess
    chunks: int
    matching: int
    candidates: int
    min_similarity: float | None
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class KeySummary:
    """A metadata key, or a path below one: in how many `documents` it stands, how often as each type, its least and greatest
    number, or text where it has no numbers."""

    key: str
    documents: int
    types: Mapping[str, int]
    min: Any = None
    max: Any = None


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value of a key, and how many documents have it."""

    value: Any
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values of a metadata key: `distinct` ones, of which `values` are the most frequent, the most frequent first.

    Each element of a list is a value. So many `documents` have the key, `missing` ones have not; for the rest see KeySummary.
    """

    key: str
    documents: int
    missing: int
    types: Mapping[str, int]
    min: Any
    max: Any
    distinct: int
    values: tuple[ValueCount, ...]


class AddReport(list[str]):
    """The ids of the documents that `add` was given, in order, and what became of them.

    So many were `added`, `replaced` (there was a document under the id), or `skipped` (what was there stayed).
    """

    def __init__(self, ids: Iterable[str] = (), *, added: int = 0, replaced: int = 0, skipped: int = 0) -> None:
        super().__init__(ids)
        self.added, self.replaced, self.skipped = added, replaced, skipped


class Hits(list[Hit]):
    """A list of hits, best first, with the `profile` of how they were found (None where there is no collection yet).

    `pending_vectors` chunks were found by their words alone, if at all: their vectors are still to be made.
    """

    def __init__(self, hits: Iterable[Hit] = (), profile: QueryProfile | None = None, pending_vectors: int = 0) -> None:
        super().__init__(hits)
        self.profile, self.pending_vectors = profile, pending_vectors
