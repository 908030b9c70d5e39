"""The vocabulary: what crosses the borders between packages, always frozen. Positions count Unicode characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from vecsearch.core.settings import MAX_FILE_BYTES

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


class Precision(StrEnum):
    """How a collection stores its vectors."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"


class SourceState(StrEnum):
    """How a file stands: all of it is held; the newest attempt failed, what it gave before is kept; a run was interrupted."""

    INDEXED = "indexed"
    FAILED = "failed"
    UNFINISHED = "unfinished"


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
class Section:
    """A stretch of a document's text, from character `start` to the next section's: where it stands in its source.

    `location` has the keys that fit: page, slide, cell, message (numbers from 1), sheet, member (names), heading (the path of
    headings, outermost first), time ([from, to] as HH:MM:SS.mmm), lines, rows (the number of the section's first line or row;
    each line break in the text begins the next). `context` is what a reader sees above it: headings, a table's header row, a
    code block's scope; it is encoded and indexed with every chunk that begins here, and is no part of the text.
    `hard_boundary`: no chunk runs across its start (pages, slides, sheets). `split_priority`: how good a place its start is
    to cut at, 1 the best, None no better than the text says.
    """

    start: int
    location: Location
    context: str = ""
    hard_boundary: bool = False
    split_priority: int | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, sound or film of a document, for an encoder of its kind.

    `mime_type` says which kind. The content is `data`, or lies in the file `reference` (an absolute path), one of the two.
    `location` has the keys of a Section's.
    """

    mime_type: str
    data: bytes | None = None
    reference: str | None = None
    location: Location = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.data is None) == (self.reference is None):
            raise ValueError(f"media of type {self.mime_type!r} needs data or a reference, one of the two")


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as its source gives it, before chunking and encoding. Needs text or a title.

    `sections` ascend by `start`, the first at 0; none where there is nothing to say. No encoder takes `media` yet, and nothing of
    them is stored.
    """

    id: str
    text: str
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseWarning:
    """A part of a file that could not be read while the rest could: a line, a page, a member."""

    message: str


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A chunk as the chunker makes it: characters [start, end), where they stand in the source, what stands above them."""

    start: int
    end: int
    location: Location = field(default_factory=dict)
    context: str = ""


@dataclass(frozen=True, slots=True)
class ChunkLocation:
    """A chunk's ordinal in its document, the characters it covers, and where they stand in the source."""

    chunk_index: int
    start: int
    end: int
    location: Location = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. `source` is the absolute path of its file, None where it came from code or a pipe.

    `vectors`, where they were asked for, holds a unit float32 row for each chunk, shape (chunks, dimension).
    """

    id: str
    source: str | None
    title: str | None
    text: str
    metadata: Metadata
    chunks: tuple[ChunkLocation, ...]
    vectors: Any = field(default=None, compare=False, repr=False)


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
class FailedFile:
    """A source that should have been readable, and why it was not."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file met in a walk that holds nothing to index, and why."""

    source: str
    reason: str


LoaderItem: TypeAlias = ParsedDocument | ParseWarning | SkippedFile  # what a loader gives, one after the other


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one `index` run did. Counts are documents; `documents` and `chunks` are the collection's totals after it.

    `planned` are ("add" | "update" | "remove", document id) pairs of a dry run, which changed nothing.
    """

    added: int
    updated: int
    unchanged: int
    removed: int
    failed: tuple[FailedFile, ...]
    skipped: tuple[SkippedFile, ...]
    documents: int
    chunks: int
    seconds: float
    planned: tuple[tuple[str, str], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON, in its order; `planned` only after a dry run."""
        fields = asdict(self)
        return fields if self.planned is not None else {key: value for key, value in fields.items() if key != "planned"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was indexed, or should have been. `indexed_at` is UTC in ISO 8601; `error` says why it failed."""

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
class FileFilter:
    """Which files to take among those that a walk meets; a file that the user names is taken whatever the patterns say.

    `include` and `exclude` are patterns in gitignore's notation, matched against the path relative to the folder that is walked;
    a pattern that matches a folder holds for everything below it, a later one overrides an earlier one. No `include` takes all
    files, and `exclude` wins. A file of more than `max_bytes` is left out, named or not.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_bytes: int = MAX_FILE_BYTES


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A readable regular file that a root led to. `explicit` is True when the user gave the file itself, not a folder; `size` is
    in bytes."""

    path: Path
    explicit: bool
    size: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What the given roots hold.

    `fully_scanned` are the folders that were read without an error anywhere below: only below them may a missing file be
    taken for deleted. `empty_roots` are the folders among the roots that hold no entry at all. `ignored` are the files, and
    the folders with all that lies below, that an ignore file leaves out (no pattern of the `FileFilter` does): what was
    indexed from there before is meant to go, but for what stands in `files`.
    """

    files: tuple[FoundFile, ...]
    failed: tuple[FailedFile, ...]
    skipped: tuple[SkippedFile, ...]
    fully_scanned: tuple[Path, ...]
    empty_roots: tuple[Path, ...]
    ignored: tuple[Path, ...]


def format_count(count: int, noun: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_names(values: Sequence[str], *, limit: int = 5) -> str:
    """The first few of many names, for a message of one line."""
    shown = ", ".join(values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit:,} more"
