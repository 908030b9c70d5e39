"""Text as it stands: plain text, and files of unknown kind that look like text. A large one comes in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise

from vecsearch.core.parsed import LoaderItem, ParsedDocument, Portion, Section
from vecsearch.core.settings import PORTION_CHARACTERS, STREAM_MIN_BYTES
from vecsearch.documents.decoding import BinaryFileError, UnknownEncodingError, decode, is_binary
from vecsearch.documents.loaders.raw_file import RawFile, emit_document
from vecsearch.documents.portions import split_portions
from vecsearch.documents.text_stream import choose_encoding, read_text


def load_plain_text(raw: RawFile) -> Iterator[LoaderItem]:
    """Load the text unchanged; its chunks know their lines."""
    return load_text(raw)


def load_text(raw: RawFile, change: Callable[[Iterable[str]], Iterator[str]] = iter) -> Iterator[LoaderItem]:
    """Load a text as `change` gives it, block by block, with as many lines as it has."""
    if raw.content is None and raw.size >= STREAM_MIN_BYTES:
        return _emit_portions(raw, change(read_text(raw.open, choose_encoding(raw.open))))
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


def _emit_portions(raw: RawFile, blocks: Iterable[str]) -> Iterator[LoaderItem]:
    """Yield a large text in portions; a document as any other where it is but one of them."""
    texts = split_portions(blocks, PORTION_CHARACTERS)
    start = line_breaks = 0
    for text, following in pairwise(chain(texts, (None,))):
        assert text is not None
        portion = Portion(start, is_last=following is None) if start or following is not None else None
        yield ParsedDocument(raw.name, text, sections=(Section(0, {"lines": 1 + line_breaks}),), portion=portion)
        start, line_breaks = start + len(text), line_breaks + text.count("\n")
