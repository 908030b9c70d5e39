"""Rich text: its paragraphs, and its tables a line a row. Pictures and embedded objects are passed over; it tells no headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from striprtf.striprtf import rtf_to_text

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.types import Metadata
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders.document_builder import DocumentBuilder, clean, finish_document
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_table

_strip_rtf: Callable[..., str] = rtf_to_text
_BINARY: Final = re.compile(rb"\\bin(\d{1,9}) ?")
_HEX: Final = re.compile(rb"[0-9a-fA-F\s]{512,}")  # a picture, which would be read a digit at a time
_INFO: Final = re.compile(rb"\{\\(title|author)\b((?:[^{}\\]|\\[^{}]|\\[{}]|\{[^{}]*\})*)\}")
_TIME: Final = re.compile(rb"\{\\(creatim|revtim)\\yr(\d{1,4})\\mo(\d{1,2})\\dy(\d{1,2})(?:\\hr(\d{1,2})\\min(\d{1,2}))?")
_LIST_ITEM: Final = re.compile(r"\S{0,5}\t")
_HEAD_BYTES: Final = 65_536  # bytes in which a document states what it is


def load_rtf(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .rtf file. Raises EmptyFileError, UnreadableFileError."""
    if not raw.head:
        raise EmptyFileError("the file is empty")
    if not raw.head.lstrip().startswith(b"{\\rtf"):
        raise UnreadableFileError("an RTF document is damaged: it does not begin like one")
    data = _HEX.sub(b" ", _remove_binary(raw.data))
    outline, listed = DocumentBuilder(), False
    for is_row, lines in groupby(_extract_text(data).split("\n"), lambda line: line.rstrip().endswith("|")):
        if is_row:
            rows = ([" ".join(cell.split()) for cell in line.rstrip()[:-1].split("|")] for line in lines)
            outline.add_block(format_table(rows))
            continue
        for line in filter(str.strip, lines):
            (outline.add_line if listed and _LIST_ITEM.match(line) else outline.add_block)(line)
            listed = bool(_LIST_ITEM.match(line))
    title, metadata = _read_metadata(data[:_HEAD_BYTES])
    yield from finish_document(raw, outline, title, metadata, empty_message="no text in it: pictures, perhaps")


def _extract_text(data: bytes) -> str:
    try:
        return clean(_strip_rtf(data.decode("latin-1"), errors="ignore"))
    except (ValueError, IndexError, LookupError, OverflowError) as error:  # what damaged control words lead to
        raise UnreadableFileError("an RTF document is damaged") from error


def _remove_binary(data: bytes) -> bytes:
    r"""Return the bytes without what stands after each \bin, which may look like anything."""
    pieces, start = [], 0
    while match := _BINARY.search(data, start):
        pieces.append(data[start : match.start()])
        start = match.end() + int(match[1])
    return b"".join((*pieces, data[start:]))


def _read_metadata(head: bytes) -> tuple[str | None, Metadata]:
    page = re.search(rb"\\ansicpg(\d{1,5})", head)
    start = b"{\\rtf1\\ansi" + (page[0] if page else b"") + b" "
    values = {match[1]: _extract_text(start + match[2] + b"}") for match in _INFO.finditer(head)}
    times = {match[1]: _format_time(match) for match in _TIME.finditer(head)}
    return normalize_title(values.get(b"title")), build_metadata(
        author=values.get(b"author", "").split(";"), created=times.get(b"creatim"), modified=times.get(b"revtim")
    )


def _format_time(match: re.Match[bytes]) -> str:
    year, month, day, hour, minute = (int(digits) if digits else 0 for digits in match.groups()[1:])
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00" if match[5] else f"{year:04}-{month:02}-{day:02}"
