"""The slides of PowerPoint 95: records in a tree, as in later versions, with longer headers and texts of 8-bit characters."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.legacy.slide_texts import SlideText, SlideTexts

_MAGIC: Final = b"\x03\0\0\0\xff\xff"  # the record that all others lie in
_DOCUMENT, _LIST, _SLIDE, _NOTES, _TEXT_KIND, _STRING = 1000, 2000, 1006, 1008, 4003, 2030  # kinds of records
_SLIDES, _TEXT = 10, 53  # what a list, what a string is for
_CONTAINER: Final = 0xFFFF
_HEADER_BYTES: Final = 16
_SEPARATOR: Final = "\n\f\n"  # stands in no text
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\r"})


class _Record(NamedTuple):
    kind: int
    purpose: int
    start: int
    end: int
    is_container: bool


class _RawText(NamedTuple):
    kind: int
    data: bytes


def is_powerpoint_95(data: bytes) -> bool:
    """Return whether the stream of a presentation is in the format of PowerPoint 95."""
    return data.startswith(_MAGIC)


def read_powerpoint_95(data: bytes, codec: str | None) -> Iterator[SlideTexts]:
    """Yield the slides in the order in which they are shown. `codec` is the encoding that the file names.

    Raises struct.error for a damaged one, UnreadableFileError where no encoding fits its texts.
    """
    slides = [_split_notes(data, slide) for slide in _find_slides(data)]
    texts = iter(_decode_texts([text for parts in slides for part in parts for text in part], codec))
    for shown, notes in slides:
        yield SlideTexts([next(texts) for _ in shown], [next(texts) for _ in notes])


def _find_slides(data: bytes) -> Iterator[_Record]:
    root = _read_record(data, 0, len(data))
    for document in _read_children(data, root):
        for child in _read_children(data, document) if document.kind == _DOCUMENT else ():
            if child.kind == _LIST and child.purpose == _SLIDES:
                yield from (slide for slide in _read_children(data, child) if slide.kind == _SLIDE)


def _split_notes(data: bytes, slide: _Record) -> tuple[list[_RawText], list[_RawText]]:
    """Return the texts of a slide, and those of its notes, which lie inside it."""
    shown: list[_RawText] = []
    notes: list[_RawText] = []
    for child in _read_children(data, slide):
        (notes if child.kind == _NOTES else shown).extend(_read_texts(data, child))
    return shown, notes


def _read_texts(data: bytes, record: _Record) -> Iterator[_RawText]:
    """Yield the texts inside a record, in their order. No recursion: shapes nest as deep as they like."""
    waiting, kind = [record], -1
    while waiting:
        child = waiting.pop()
        if child.kind == _TEXT_KIND:
            kind = int.from_bytes(data[child.start : child.start + 4], "little")
        elif child.kind == _STRING and child.purpose == _TEXT:
            yield _RawText(kind, data[child.start : child.end])
        waiting.extend(reversed(list(_read_children(data, child))))


def _decode_texts(texts: list[_RawText], codec: str | None) -> Iterator[SlideText]:
    """Decode all of them together: one has too few bytes to tell its encoding."""
    joined = _SEPARATOR.encode().join(text.data.translate(None, _CONTROLS).replace(b"\v", b"\n") for text in texts)
    pieces = _decode_joined(joined, codec).split(_SEPARATOR) if texts else []
    return (SlideText(text.kind, piece) for text, piece in zip(texts, pieces, strict=True))


def _decode_joined(data: bytes, codec: str | None) -> str:
    """Decode by the code page that the file names, else by the bytes: two letters of one can look like one of UTF-8."""
    try:
        text = data.decode(codec or "ascii")
    except UnicodeDecodeError:
        return decode(data, declared=codec)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_children(data: bytes, record: _Record) -> Iterator[_Record]:
    place = record.start
    while record.is_container and place + _HEADER_BYTES <= record.end:
        child = _read_record(data, place, record.end)
        yield child
        place = child.end


def _read_record(data: bytes, offset: int, end: int) -> _Record:
    """Return the record at an offset, as far as the one that it lies in reaches."""
    kind, mark, size, purpose = struct.unpack_from("<H2xH2xIH", data, offset)
    start = offset + _HEADER_BYTES
    return _Record(kind, purpose, start, min(start + size, end), mark == _CONTAINER)
