"""What a loader is given: a file on disk, or the bytes of one that lies inside another."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from vecsearch.core.parsed import LoaderItem, ParsedDocument, Section
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.core.types import Metadata


@dataclass(slots=True)
class RawFile:
    """One file. `name` is the id of its document, or what the ids of its documents begin with; `suffix` is lower case with its
    dot, or empty. `is_member` is True for a member of an archive or a mail, which is not taken apart any further.
    """

    name: str
    suffix: str
    path: Path | None = None
    content: bytes | None = None
    passwords: Sequence[str] = ()
    is_member: bool = False
    _head: bytes | None = field(default=None, repr=False)

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

    def open(self) -> BinaryIO:
        """Open a stream from the beginning. Raises OSError."""
        if self.content is not None:
            return io.BytesIO(self.content)
        assert self.path is not None
        return self.path.open("rb")


def emit_document(
    raw: RawFile, text: str, title: str | None = None, *, metadata: Metadata | None = None, sections: Sequence[Section] = ()
) -> Iterator[LoaderItem]:
    """Yield a file that is one document; nothing where there is no word in it."""
    if text.strip() or title:
        yield ParsedDocument(raw.name, text, title, dict(metadata or {}), tuple(sections))


def join_headings(headings: Sequence[str], title: str | None) -> str:
    """Return the context that a path of headings gives: without the document's title, which every chunk has anyway."""
    return " › ".join(headings[1:] if headings and headings[0] == title else headings)
