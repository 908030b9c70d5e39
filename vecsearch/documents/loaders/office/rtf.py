"""Rich text: its paragraphs, and its tables a line a row. Pictures and embedded objects are passed over; it tells no headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from striprtf.striprtf import rtf_to_text

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Metadata
from vecsearch.documents.loaders.office.properties import real_title
from vecsearch.documents.loaders.outline import Outline, clean, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.stated import stated
from vecsearch.documents.loaders.table import table_text
from vecsearch.documents.text import NoText

_stripped: Callable[..., str] = rtf_to_text
_BINARY: Final = re.compile(rb"\\bin(\d{1,9}) ?")
_HEX: Final = re.compile(rb"[0-9a-fA-F\s]{512,}")  # a picture, which would be read a digit at a time
_INFO: Final = re.compile(rb"\{\\(title|author)\b((?:[^{}\\]|\\[^{}]|\\[{}]|\{[^{}]*\})*)\}")
_TIME: Final = re.compile(rb"\{\\(creatim|revtim)\\yr(\d{1,4})\\mo(\d{1,2})\\dy(\d{1,2})(?:\\hr(\d{1,2})\\min(\d{1,2}))?")
_LISTED: Final = re.compile(r"\S{0,5}\t")
_HEAD: Final = 65_536  # bytes in which a document states what it is


def rtf(raw: Raw) -> Iterator[Item]:
    """An .rtf. Raises NoText, UnreadableFile."""
    if not raw.head:
        raise NoText("the file is empty")
    if not raw.head.lstrip().startswith(b"{\\rtf"):
        raise UnreadableFile("an RTF document is damaged: it does not begin like one")
    data = _HEX.sub(b" ", _without_binary(raw.data))
    outline, listed = Outline(), False
    for is_row, lines in groupby(_text(data).split("\n"), lambda line: line.rstrip().endswith("|")):
        if is_row:
            rows = ([" ".join(cell.split()) for cell in line.rstrip()[:-1].split("|")] for line in lines)
            outline.block(table_text(rows))
            continue
        for line in filter(str.strip, lines):
            (outline.line if listed and _LISTED.match(line) else outline.block)(line)
            listed = bool(_LISTED.match(line))
    title, metadata = _stated(data[:_HEAD])
    yield from outlined(raw, outline, title, metadata, nothing="no text in it: pictures, perhaps")


def _text(data: bytes) -> str:
    try:
        return clean(_stripped(data.decode("latin-1"), errors="ignore"))
    except (ValueError, IndexError, LookupError, OverflowError) as error:  # what damaged control words lead to
        raise UnreadableFile("an RTF document is damaged") from error


def _without_binary(data: bytes) -> bytes:
    r"""Without what stands after each \bin, which may look like anything."""
    pieces, start = [], 0
    while found := _BINARY.search(data, start):
        pieces.append(data[start : found.start()])
        start = found.end() + int(found[1])
    return b"".join((*pieces, data[start:]))


def _stated(head: bytes) -> tuple[str | None, Metadata]:
    page = re.search(rb"\\ansicpg(\d{1,5})", head)
    start = b"{\\rtf1\\ansi" + (page[0] if page else b"") + b" "
    given = {found[1]: _text(start + found[2] + b"}") for found in _INFO.finditer(head)}
    times = {found[1]: _iso(found) for found in _TIME.finditer(head)}
    return real_title(given.get(b"title")), stated(
        author=given.get(b"author", "").split(";"), created=times.get(b"creatim"), modified=times.get(b"revtim")
    )


def _iso(found: re.Match[bytes]) -> str:
    year, month, day, hour, minute = (int(each) if each else 0 for each in found.groups()[1:])
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00" if found[5] else f"{year:04}-{month:02}-{day:02}"
