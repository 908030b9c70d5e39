"""Documents on their way into a collection, as loaders parse and the chunker cuts them. A search loads none of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from vecsearch.core.files import SkippedFile
from vecsearch.core.types import JSON, Location, Metadata


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text, from character `start` to the next section's: where it stands in its source.

    `location` has the keys that fit: page, slide, cell, message (numbers from 1), sheet, member (names), heading (the path of
    headings, outermost first), time ([from, to] as HH:MM:SS.mmm), box ([left, top, right, bottom] of what was read, in pixels of
    a picture, or in 1/72 inch of a page), lines, rows (the number of the section's first line or row; each line break in the text
    begins the next). `context` is what a reader sees above it: headings, a table's header row, a code block's scope; it is
    encoded and indexed with every chunk that begins here, and is no part of the text.
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
class Portion:
    """Which portion of a long document this is: the one after its first `start` characters. Texts of all of them, joined, are
    the document's; each holds a word."""

    start: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as its source gives it, before chunking and encoding. Needs text, a title, or a vector that comes with it.

    `sections` ascend by `start`, the first at 0; none where there is nothing to say. No encoder takes `media` yet, and nothing of
    them is stored. A long text comes in portions, one after the other, that have id, title and metadata in common: `text`,
    `sections` and `media` are then the `portion`'s, and places in them count from its beginning.
    `payload` is a JSON value of the caller's that is kept and not searched.
    """

    id: str
    text: str
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    media: tuple[Media, ...] = ()
    portion: Portion | None = None
    payload: JSON = None


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


LoaderItem: TypeAlias = ParsedDocument | ParseWarning | SkippedFile  # what a loader gives, one after the other
