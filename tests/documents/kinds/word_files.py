"""Word documents of the old formats, made byte by byte: their runs in any order of the file, each with its properties."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

SECTOR = 512
DELETED, DELETED_6 = b"\x00\x08\x01", b"\x41\x01"  # a run's properties, since Word 97 and before
IN_TABLE_6, ROW_END_6 = b"\x18\x01", b"\x18\x01\x19\x01"  # a paragraph's
IN_TABLE, ROW_END, ROW_IS_HEADER = b"\x16\x24\x01", b"\x16\x24\x01\x17\x24\x01", b"\x04\x34\x01"
TEXT_START = 2 * SECTOR


@dataclass(frozen=True)
class Run:
    """A stretch of text in its bytes; `wide` with two for each character."""

    data: bytes
    properties: bytes = b""
    wide: bool = False
    paragraph: bytes = b""
    change: int = 0  # what the piece says of it

    @property
    def length(self) -> int:
        return len(self.data) // 2 if self.wide else len(self.data)


def make_ole(streams: dict[str, bytes]) -> bytes:
    """Make a container; each stream is filled up to the size that needs no stream of small ones."""
    chains, sectors = [], b""
    for data in (data.ljust(4096, b"\0") for data in streams.values()):
        first = len(sectors) // SECTOR
        sectors += data + b"\0" * (-len(data) % SECTOR)
        chains.append((first, len(sectors) // SECTOR, len(data)))
    entries = [make_entry("Root Entry", 5, 1, 0xFFFFFFFE, 0)]
    for number, (name, (first, _, size)) in enumerate(zip(streams, chains, strict=True), start=1):
        following = number + 1 if number < len(streams) else 0xFFFFFFFF
        entries.append(make_entry(name, 2, 0xFFFFFFFF, first, size, following))
    directory = b"".join(entries).ljust(SECTOR, b"\0")
    table = [0xFFFFFFFF] * 128
    for first, end, _ in [*chains, (len(sectors) // SECTOR, len(sectors) // SECTOR + 1, 0)]:
        table[first:end] = [*range(first + 1, end), 0xFFFFFFFE]
    where = len(sectors) // SECTOR
    table[where + 1] = 0xFFFFFFFD
    head = struct.pack("<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6, 0, 1, where, 0, 4096,
                       0xFFFFFFFE, 0, 0xFFFFFFFE, 0)  # fmt: skip
    head += struct.pack("<109I", where + 1, *[0xFFFFFFFF] * 108)
    return head + sectors + directory + struct.pack("<128I", *table)


def make_entry(name: str, kind: int, child: int, first: int, size: int, following: int = 0xFFFFFFFF) -> bytes:
    label = name.encode("utf-16-le") + b"\0\0"
    links = (0xFFFFFFFF, following, child) if kind == 2 else (0xFFFFFFFF, 0xFFFFFFFF, child)
    return struct.pack("<64sHBBIII36xIQ", label, len(label), kind, 1, *links, first, size)


def make_pages(runs: Sequence[tuple[int, int, bytes]], start_page: int, *, old: bool, paragraphs: bool) -> tuple[bytes, bytes]:
    """Make the table of pages of properties, and the pages: one for each run."""
    pages = b""
    for start, end, properties in runs:
        page = bytearray(SECTOR)
        struct.pack_into("<II", page, 0, start, end)
        page[8], page[-1] = 100, 1
        if paragraphs:
            body = b"\0\0" + properties
            body += b"\0" * (-len(body) % 2 if old else 1 - len(body) % 2)
            body = bytes([(len(body) + (not old)) // 2]) + body
        else:
            body = bytes([len(properties)]) + properties
        page[200 : 200 + len(body)] = body
        pages += bytes(page)
    numbers = range(start_page, start_page + len(runs))
    table = struct.pack(f"<{len(runs) + 1}I", *[start for start, _, _ in runs], runs[-1][1])
    return table + struct.pack(f"<{len(runs)}{'H' if old else 'I'}", *numbers), pages


def make_doc(
    runs: Sequence[Run], *, old: bool = False, order: Sequence[int] = (), lengths: Sequence[int] = (), language: int = 0x409,
    macintosh: bool = False, fonts: Sequence[tuple[str, int]] = (), shared: bytes = b"", complex_: bool = True,
) -> bytes:  # fmt: skip
    """Make a document. `order` is that of the runs in the file, `lengths` those of text, notes, headers, macros, comments …"""
    places, body = {}, b""
    for index in order or range(len(runs)):
        places[index] = TEXT_START + len(body)
        body += runs[index].data
    stream = bytearray(TEXT_START) + body + b"\0" * (-len(body) % SECTOR)
    spans = [(places[index], places[index] + len(run.data), run) for index, run in enumerate(runs)]
    spans.sort(key=lambda span: span[0])
    tables = {}
    for name, paragraphs in (("characters", False), ("paragraphs", True)):
        entries = [(start, end, run.paragraph if paragraphs else run.properties) for start, end, run in spans]
        tables[name], pages = make_pages(entries, len(stream) // SECTOR, old=old, paragraphs=paragraphs)
        stream += pages
    firsts = [0]
    for run in runs:
        firsts.append(firsts[-1] + run.length)
    pieces = struct.pack(f"<{len(firsts)}I", *firsts)
    for index, run in enumerate(runs):
        place = places[index] if old or run.wide else places[index] * 2 | 0x40000000
        pieces += struct.pack("<HIH", 0, place, run.change)
    clx = (b"\1" + struct.pack("<H", len(shared)) + shared if shared else b"") + b"\2" + struct.pack("<I", len(pieces)) + pieces
    tables["pieces"] = clx if complex_ else b""
    tables["fonts"] = make_fonts(fonts)
    offsets = (
        {"characters": 0xB8, "paragraphs": 0xC0, "fonts": 0xD0, "pieces": 0x160}
        if old
        else {"characters": 0xFA, "paragraphs": 0x102, "pieces": 0x1A2}
    )
    other = bytearray()
    for name, offset in offsets.items():
        target = stream if old else other
        struct.pack_into("<II", stream, offset, len(target), len(tables[name]))
        target += tables[name]
    wide = old and any(run.wide for run in runs)  # as Asian versions wrote it
    struct.pack_into("<HHxxH", stream, 0, (0xA699 if wide else 0xA5DC) if old else 0xA5EC, 104 if old else 0xC1, language)
    struct.pack_into("<H", stream, 0x0A, (4 if complex_ else 0) | (0 if old else 0x200) | (0x1000 if wide else 0))
    struct.pack_into("<HxxII", stream, 0x14, 256 if macintosh else 0, TEXT_START, TEXT_START + len(body))
    parts = [*lengths, *[0] * 8][:8] if lengths else [firsts[-1], *[0] * 7]
    struct.pack_into("<8i", stream, 0x34 if old else 0x4C, *parts)
    return make_ole({"WordDocument": bytes(stream), **({} if old else {"1Table": bytes(other)})})


def make_fonts(fonts: Sequence[tuple[str, int]]) -> bytes:
    entries = b"".join(bytes([5 + len(name) + 1, 0, 0x90, 1, charset, 0]) + name.encode() + b"\0" for name, charset in fonts)
    return struct.pack("<H", 2 + len(entries)) + entries
