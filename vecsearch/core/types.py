"""The vocabulary: what crosses the borders between packages, always frozen. Positions count Unicode characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from vecsearch.core.previews import build_html_table, format_fields, shorten_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AnyPath: TypeAlias = str | PathLike[str]
JSON: TypeAlias = Any  # what json.loads gives
Metadata: TypeAlias = Mapping[str, JSON]
Where: TypeAlias = Mapping[str, Any]
ChunkId: TypeAlias = int
Location: TypeAlias = Mapping[str, JSON]  # see Section; of a chunk, lines and rows are [first, last]


class Mode(StrEnum):
    """How a query is answered."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Split(StrEnum):
    """Where a document is cut into chunks."""

    TOKENS = "tokens"
    PARAGRAPHS = "paragraphs"
    LINES = "lines"


class OnConflict(StrEnum):
    """What `add` does with an id that is there already."""

    ERROR = "error"
    SKIP = "skip"
    REPLACE = "replace"


class OnMissing(StrEnum):
    """What becomes of an id under which there is no document."""

    ERROR = "error"
    SKIP = "skip"


class ListOrder(StrEnum):
    """How documents are listed: by id, or as they were added, where a replaced one keeps its place."""

    ID = "id"
    ADDED = "added"


class Precision(StrEnum):
    """How a collection stores its vectors."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"


class VectorOrigin(IntEnum):
    """Where a document's vectors come from: made from its text, or brought by the caller, who may want none. It is stored."""

    TEXT = 0
    CALLER = 1
    NONE = 2


class SourceState(StrEnum):
    """How a file stands: all of it is held; the newest attempt failed, what it gave before is kept; a run was interrupted; a walk
    passed it over."""

    INDEXED = "indexed"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """How much a finding of `doctor` matters: errors concern the truth, notes what can be derived or repeated."""

    ERROR = "error"
    NOTE = "note"


class Fusion(StrEnum):
    """How hybrid mode makes one ranking of two; see `search.fusion`."""

    TMM = "tmm"
    RECIPROCAL_RANK = "rrf"
    MIN_MAX = "minmax"
    Z_SCORE = "zscore"


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """How a collection is made, if it is not there: the form of its vectors, and the ISO 639-1 code of the language whose stems
    its text index holds (None: that of its first documents)."""

    precision: Precision = Precision.FLOAT16
    stemmer: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range [start, end) of characters in a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ChunkLocation:
    """A chunk's ordinal in its document, the characters it covers, and where they stand in the source."""

    chunk_index: int
    start: int
    end: int
    location: Location = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A stored document. `source` is the absolute path of its file, None where it came from code or a pipe.

    `payload` is a JSON value that is kept with it and not searched; None for none. `vectors`, where they were requested, holds a
    unit float32 row for each chunk, shape (chunks, dimension), zeros where there is none.
    """

    id: str
    source: str | None
    title: str | None
    text: str
    metadata: Metadata
    chunks: tuple[ChunkLocation, ...]
    payload: JSON = None
    vectors: NDArray[np.float32] | Any = field(default=None, compare=False)  # None unless requested: whoever does, knows

    def __repr__(self) -> str:
        """Return the id, the title, the number of chunks and the beginning of the text."""
        title = {} if self.title is None else {"title": shorten_text(self.title)}
        return format_fields("Document", id=self.id, **title, chunks=len(self.chunks), text=shorten_text(self.text))

    def _repr_html_(self) -> str:
        """Return a table of the fields, which notebooks show."""
        rows = [("id", self.id), ("title", self.title), ("source", self.source), ("chunks", f"{len(self.chunks):,}")]
        rows += [(f"metadata: {key}", str(value)) for key, value in self.metadata.items()]
        return build_html_table(
            (), [(name, value) for name, value in [*rows, ("text", shorten_text(self.text, limit=200))] if value]
        )


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """One row of `ls`; `indexed_at` is UTC in ISO 8601, `chunks` a count, `state` and `error` those of the document's file."""

    id: str
    source: str | None
    title: str | None
    chunks: int
    indexed_at: str
    state: SourceState = SourceState.INDEXED
    error: str | None = None


class ScoredChunk(NamedTuple):
    """A chunk's number and a score; larger is nearer. A tuple, as a search makes hundreds of them."""

    chunk_id: ChunkId
    score: float


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was indexed, or should have been. `indexed_at` is UTC in ISO 8601; `error`: why it failed or was skipped."""

    source: str
    state: SourceState
    documents: int
    chunks: int
    indexed_at: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `doctor` noticed, what it means, and the command that mends it."""

    severity: Severity
    what: str
    meaning: str
    fix: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at, and what it noticed there: nothing where all is well."""

    what: str
    findings: tuple[Finding, ...] = ()


class CheckReport(list[Finding]):
    """What is wrong with a database, the worst first, and all the `checks` that were made, in order."""

    def __init__(self, checks: Iterable[Check] = ()) -> None:
        self.checks = tuple(checks)
        findings = (finding for check in self.checks for finding in check.findings)
        super().__init__(sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR))


def format_count(count: int, noun: str) -> str:
    """Return `1 chunk`, `2 chunks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_names(values: Sequence[str], *, limit: int = 5) -> str:
    """Return the first few of many names, for a message of one line."""
    shown = ", ".join(values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit:,} more"
