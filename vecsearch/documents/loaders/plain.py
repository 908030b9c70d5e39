"""Text as it stands: plain text, and files of unknown kind that look like text."""

from __future__ import annotations

from collections.abc import Iterator

from vecsearch.core.types import Item, Section
from vecsearch.documents.loaders.raw import Raw, one
from vecsearch.documents.text import NotText, UnknownEncoding, decode, looks_binary


def text(raw: Raw) -> Iterator[Item]:
    """The text unchanged; its chunks know their lines."""
    return one(raw, decode(raw.data), sections=[Section(0, {"lines": 1})])


def unknown(raw: Raw) -> Iterator[Item]:
    """A file without a known suffix: only what clearly is text."""
    if looks_binary(raw.head):
        decode(raw.data)  # says what kind of binary
        raise NotText("binary, not text")
    try:
        return text(raw)
    except UnknownEncoding as error:
        raise NotText("binary or in an unknown encoding") from error
