"""What a loader is given: a file on disk, or the bytes of one that lies inside another."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, MediaKind, ParsedDocument, Portion, Section
from vecsearch.core.settings import SNIFF_BYTES, STREAM_MIN_BYTES
from vecsearch.core.types import Location, Metadata

TOTAL_MAX: Final = 200_000_000  # bytes of all that is taken out of a file …
RATIO_MAX: Final = 100  # … and no more than so many times the file's own …
TOTAL_MIN: Final = 16_000_000  # … where they are more than this
_BLOCK_BYTES: Final = 1_000_000
MEMBERS_MAX: Final = 10_000


class Container(Enum):
    """What a file can lie in."""

    ARCHIVE = "archive"
    MAILBOX = "mailbox"
    MAIL = "mail"
    OFFICE = "office document"
    PDF = "PDF"


class MemberLimitError(UnreadableFileError):
    """A file unfolds too far."""


class MemberBudget:
    """What may still be taken out of a file, members of members too: counted as it comes, whatever the file says of its sizes."""

    def __init__(self, size: int) -> None:
        """Begin for a file of so many bytes."""
        self._limit = self._bytes_left = min(TOTAL_MAX, max(TOTAL_MIN, RATIO_MAX * size))
        self._members_left = MEMBERS_MAX

    def take_bytes(self, count: int) -> None:
        """Raise MemberLimitError where they are too many."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise MemberLimitError(f"expands to more than {self._limit // 1_000_000:,} MB: too much for its size")

    def take_member(self) -> None:
        """Raise MemberLimitError where there were too many before."""
        self._members_left -= 1
        if self._members_left < 0:
            raise MemberLimitError(f"holds more than {MEMBERS_MAX:,} files")


@dataclass(frozen=True, slots=True)
class MediaWish:
    """The kinds of media that are encoded themselves. With `digests`, of each document those of the media whose content is to be
    given, no document is."""

    kinds: frozenset[MediaKind] = frozenset()
    digests: Mapping[str, Sequence[str]] | None = None


@dataclass(slots=True)
class RawFile:
    """One file. `name` is the id of its document, or what the ids of its documents begin with; `suffix` is lower case with its
    dot, or empty. `within` are the kinds of containers that it lies in, outermost first, `budget` what may still be taken out of
    the outermost one. `extend_time` is told by a loader how much longer than usual the file may take. `media` says what is
    encoded itself; `lacks` is told by a loader which readers it could have used and has not.
    """

    name: str
    suffix: str
    path: Path | None = None
    content: bytes | None = None
    passwords: Sequence[str] = ()
    within: tuple[Container, ...] = ()
    budget: MemberBudget | None = None
    extend_time: Callable[[float], None] = lambda seconds: None
    media: MediaWish = field(default_factory=MediaWish)
    lacks: set[str] = field(default_factory=set)
    _head: bytes | None = field(default=None, repr=False)

    @property
    def is_member(self) -> bool:
        """Return whether it lies inside another file."""
        return bool(self.within)

    def name_member(self, name: str) -> str:
        """Return the id of what lies inside: `path!name`, and `path!name/other` for what lies inside that."""
        return f"{self.name}{'/' if self.is_member else '!'}{name}"

    def derive(
        self, name: str, suffix: str, *, content: bytes | None = None, within: tuple[Container, ...] | None = None
    ) -> RawFile:
        """Return a file that comes of this one, with its passwords and limits; `within`: what it lies in, where that is more."""
        return RawFile(
            name, suffix, content=content, passwords=self.passwords, within=self.within if within is None else within,
            budget=self.budget, extend_time=self.extend_time, media=self.media, lacks=self.lacks,
        )  # fmt: skip

    @property
    def stem(self) -> str:
        """Return what the file is called, without what tells its kind."""
        return PurePosixPath(self.name.replace("!", "/")).stem

    @property
    def sha256(self) -> str:
        """Return the sha256 of its bytes. Raises OSError."""
        total = hashlib.sha256()
        with self.open() as file:
            while block := file.read(_BLOCK_BYTES):
                total.update(block)
        return total.hexdigest()

    @property
    def media_digests(self) -> Sequence[str] | None:
        """Return the digests of the media whose content is to be given in the place of its document; None: its document is."""
        return None if self.media.digests is None else self.media.digests.get(self.name, ())

    @property
    def data(self) -> bytes:
        """Return all of its bytes. Raises OSError."""
        if self.content is None:
            assert self.path is not None
            self.content = self.path.read_bytes()
        return self.content

    @property
    def head(self) -> bytes:
        """Return its first SNIFF_BYTES. Raises OSError."""
        if self._head is None:
            with self.open() as file:
                self._head = file.read(SNIFF_BYTES)
        return self._head

    @property
    def size(self) -> int:
        """Return its size in bytes. Raises OSError."""
        if self.content is not None:
            return len(self.content)
        assert self.path is not None
        return self.path.stat().st_size

    @property
    def is_long(self) -> bool:
        """Return whether it is so large that a text in it is read block by block, and given in portions. Raises OSError."""
        return self.content is None and self.size >= STREAM_MIN_BYTES

    def open(self) -> BinaryIO:
        """Open a stream from the beginning. Raises OSError."""
        if self.content is not None:
            return io.BytesIO(self.content)
        assert self.path is not None
        return self.path.open("rb")


def emit_document(
    raw: RawFile, text: str, title: str | None = None, *, metadata: Metadata | None = None, sections: Sequence[Section] = (),
    media: Sequence[Location] = (),
) -> Iterator[LoaderItem]:  # fmt: skip
    """Yield a file that is one document; nothing where there is no word in it."""
    if text.strip() or title:
        yield ParsedDocument(raw.name, text, title, dict(metadata or {}), tuple(sections), tuple(media))


def emit_portions(raw: RawFile, portions: Iterable[tuple[str, tuple[Section, ...]]]) -> Iterator[LoaderItem]:
    """Yield a long text in portions, each with a word in it and its sections; a document as any other where there is but one."""
    start = 0
    for portion, following in pairwise(chain(portions, (None,))):
        assert portion is not None
        text, sections = portion
        place = Portion(start, is_last=following is None) if start or following is not None else None
        yield ParsedDocument(raw.name, text, sections=sections, portion=place)
        start += len(text)


def join_headings(headings: Sequence[str], title: str | None) -> str:
    """Return the context that a path of headings gives: without the document's title, which every chunk has anyway."""
    return " › ".join(headings[1:] if headings and headings[0] == title else headings)
