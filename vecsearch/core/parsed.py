"""Documents on their way into a collection, as loaders parse and the chunker cuts them. A search loads none of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from vecsearch.core.files import SkippedFile
from vecsearch.core.types import JSON, Location, Metadata

_DIGEST_LENGTH: Final = 16  # hexadecimal digits that tell a picture from all others of a collection


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text, from character `start` to the next section's: where it stands in its source.

    `location` has the keys that fit: page, slide, cell, message (numbers from 1), sheet, member (names), heading (the path of
    headings, outermost first), time ([from, to] as HH:MM:SS.mmm), box ([left, top, right, bottom] of what was read, in pixels of
    a picture, or in 1/72 inch of a page), media and digest (see `make_media_location`), lines, rows (the number of the section's
    first line or row; each line break in the text begins the next). `context` is what a reader sees above it: headings, a table's
    header row, a code block's scope; it is encoded and indexed with every chunk that begins here, and is no part of the text.
    `hard_boundary`: no chunk runs across its start (pages, slides, sheets). `split_priority`: how good a place its start is
    to cut at, 1 the best, None no better than the text says.
    """

    start: int
    location: Location
    context: str = ""
    hard_boundary: bool = False
    split_priority: int | None = None


class MediaKind(StrEnum):
    """What an encoder may take beside text, as the modalities of models are called."""

    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class MediaContent:
    """A picture or a stretch of sound of the document with this id, read to be encoded; its `location` has the same digest there.

    `data` are the bytes of an array of `shape`: (height, width, 3) uint8 of a picture, (samples,) little-endian int16 of sound.
    """

    document_id: str
    location: Location
    data: bytes
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Portion:
    """Which portion of a long document this is: the one after its first `start` characters. Texts of all of them, joined, are
    the document's; each holds a word."""

    start: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A chunk as the chunker makes it: characters [start, end), where they stand in the source, what stands above them."""

    start: int
    end: int
    location: Location = field(default_factory=dict)
    context: str = ""


class ChunkedParts(NamedTuple):
    """The chunks of a document, and the `digest` that changes with anything that changes them, their places or their vectors."""

    digest: str
    spans: tuple[ChunkSpan, ...]


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as its source gives it, before chunking and encoding. Needs text, a title, or a vector that comes with it.

    `sections` ascend by `start`, the first at 0; none where there is nothing to say. `media` are the places of pictures and sound
    that are encoded themselves, see `make_media_location`: each is a chunk without text after those of the text. A long text
    comes in portions, one after the other, that have id, title and metadata in common: `text` and `sections` are then the
    `portion`'s, and places in them count from its beginning.
    `payload` is a JSON value of the caller's that is kept and not searched. `chunks`: those that whoever read it has made; then
    there are no `sections`, which were of use for that.
    """

    id: str
    text: str
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    media: tuple[Location, ...] = ()
    portion: Portion | None = None
    payload: JSON = None
    chunks: ChunkedParts | None = None


@dataclass(frozen=True, slots=True)
class ParseWarning:
    """A part of a file that could not be read while the rest could: a line, a page, a member."""

    message: str


LoaderItem: TypeAlias = ParsedDocument | MediaContent | ParseWarning | SkippedFile  # what a loader gives, one after the other


def make_media_location(kind: MediaKind, content: str, number: int, place: Location | None = None) -> Location:
    """Return the place of a picture or a stretch of sound: `media` says its kind, `digest` which it is.

    `content` is the sha256 of its file, `number` tells it from others there; `place` has its page or time.
    """
    digest = hashlib.sha256(f"{content}\0{number}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return {"media": kind.value, "digest": digest, **(place or {})}


def get_media_kind(location: Location) -> MediaKind | None:
    """Return what the chunk at a place is encoded as; None for a text."""
    kind = location.get("media")
    return MediaKind(kind) if kind in tuple(MediaKind) else None
