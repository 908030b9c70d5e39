"""The vocabulary: what crosses the borders between packages, always frozen. Positions count Unicode characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

JSON: TypeAlias = Any  # what json.loads gives
Metadata: TypeAlias = Mapping[str, JSON]
Where: TypeAlias = Mapping[str, Any]
ChunkId: TypeAlias = int


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


class Precision(StrEnum):
    """How a collection stores its vectors."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"


class Severity(StrEnum):
    """How much a finding of `doctor` matters: errors concern the truth, notes what can be derived or repeated."""

    ERROR = "error"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range [start, end) of characters in a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A document as its source gives it, not yet cut or encoded. Needs text or a title."""

    id: str
    text: str
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """A chunk's ordinal in its document and the characters it covers."""

    chunk: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. `uri` is the absolute path of its file, None where it came from code or a pipe."""

    id: str
    uri: str | None
    title: str | None
    text: str
    metadata: Metadata
    chunks: tuple[ChunkPlace, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of `ls`; `indexed_at` is UTC in ISO 8601, `chunks` a count."""

    id: str
    uri: str | None
    title: str | None
    chunks: int
    indexed_at: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk's row id and a score; larger is nearer."""

    chunk_id: ChunkId
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: the chunk `text[start:end]` of document `id`, best first in any list.

    `score` is the cosine (dense), BM25 (lexical) or the fused value (hybrid), which compares within one answer only;
    `similarity` is the cosine in [-1, 1], None in lexical mode.
    """

    id: str
    chunk: int
    score: float
    similarity: float | None
    text: str
    title: str | None
    uri: str | None
    start: int
    end: int
    metadata: Metadata

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON, in its order."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that should have been readable, and why it was not."""

    uri: str
    error: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A file met in a walk that holds nothing to index, and why."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one `index` run did. Counts are documents; `documents` and `chunks` are the collection's totals after it."""

    added: int
    updated: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    skipped: tuple[Skip, ...]
    documents: int
    chunks: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON, in its order."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `doctor` noticed, what it means, and the command that mends it."""

    severity: Severity
    what: str
    meaning: str
    fix: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A readable regular file that a root led to. `named` is True when the user gave the file itself, not a folder."""

    path: Path
    named: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """What the given roots hold.

    `complete` are the folders that were read without an error anywhere below: only below them may a missing file be
    taken for deleted. `empty` are the folders among the roots that hold no entry at all.
    """

    files: tuple[FoundFile, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Skip, ...]
    complete: tuple[Path, ...]
    empty: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one file or stream gave. `errors` name the places that could not be read while the rest could.

    A file that is one document gives exactly one draft, whose id the caller replaces by the path; `itemised` is True
    for a file of many documents (.jsonl), whose drafts carry their own ids.
    """

    drafts: tuple[Draft, ...]
    errors: tuple[str, ...] = ()
    itemised: bool = False


def plural(count: int, noun: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def names(values: Sequence[str], *, most: int = 5) -> str:
    """The first few of many names, for a message of one line."""
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most:,} more"
