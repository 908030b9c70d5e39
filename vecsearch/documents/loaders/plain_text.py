"""Text as it stands: plain text, and files of unknown kind that look like text. A large one comes in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.core.settings import PORTION_CHARACTERS
from vecsearch.documents.decoding import BinaryFileError, UnknownEncodingError, decode, is_binary
from vecsearch.documents.loaders.raw_file import RawFile, emit_document, emit_portions
from vecsearch.documents.portions import split_portions
from vecsearch.documents.text_stream import choose_encoding, read_text


def load_plain_text(raw: RawFile) -> Iterator[LoaderItem]:
    """Load the text unchanged; its chunks know their lines."""
    return load_text(raw)


def load_text(raw: RawFile, change: Callable[[Iterable[str]], Iterator[str]] = iter) -> Iterator[LoaderItem]:
    """Load a text as `change` gives it, block by block, with as many lines as it has."""
    if raw.is_long:
        return emit_portions(raw, _split_portions(change(read_text(raw.open, choose_encoding(raw.open)))))
    return emit_document(raw, "".join(change([decode(raw.data)])), sections=[Section(0, {"lines": 1})])


def load_unknown(raw: RawFile) -> Iterator[LoaderItem]:
    """Load a file without a known suffix: only what clearly is text."""
    if is_binary(raw.head):
        decode(raw.data)  # says what kind of binary
        raise BinaryFileError("binary, not text")
    try:
        return load_plain_text(raw)
    except UnknownEncodingError as error:
        raise BinaryFileError("binary or in an unknown encoding") from error


def _split_portions(blocks: Iterable[str]) -> Iterator[tuple[str, tuple[Section, ...]]]:
    line = 1
    for text in split_portions(blocks, PORTION_CHARACTERS):
        yield text, (Section(0, {"lines": line}),)
        line += text.count("\n")
