"""Text as it stands: plain text, and files of unknown kind that look like text."""

from __future__ import annotations

from collections.abc import Iterator

from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.documents.decoding import BinaryFileError, UnknownEncodingError, decode, is_binary
from vecsearch.documents.loaders.raw_file import RawFile, emit_document


def load_plain_text(raw: RawFile) -> Iterator[LoaderItem]:
    """Load the text unchanged; its chunks know their lines."""
    return emit_document(raw, decode(raw.data), sections=[Section(0, {"lines": 1})])


def load_unknown(raw: RawFile) -> Iterator[LoaderItem]:
    """Load a file without a known suffix: only what clearly is text."""
    if is_binary(raw.head):
        decode(raw.data)  # says what kind of binary
        raise BinaryFileError("binary, not text")
    try:
        return load_plain_text(raw)
    except UnknownEncodingError as error:
        raise BinaryFileError("binary or in an unknown encoding") from error
