"""Presentations of PowerPoint 95 and 97, made byte by byte, alone or both in one container."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECTOR = 512
NONE, END = 0xFFFFFFFF, 0xFFFFFFFE
TITLE, BODY, NOTES, OTHER = 0, 1, 2, 4  # what a text is on its slide
SLIDES, USER, DUAL = "PowerPoint Document", "Current User", "PP97_DUALSTORAGE"


@dataclass(frozen=True)
class Slide:
    """What a slide says: (kind, text) of its shapes and its notes; what reviewers said of it."""

    texts: Sequence[tuple[int, str]] = ()
    notes: Sequence[tuple[int, str]] = ()
    comments: Sequence[str] = ()


# -- the container


def make_container(streams: Mapping[str, bytes]) -> bytes:
    """Make an OLE container of streams, "folder/name" for one in a folder; all are filled up to the size of large ones."""
    sectors, links, entries = b"", [], [["Root Entry", 5, NONE, NONE, END, 0]]
    folders: dict[str, int] = {"": 0}

    def add(parent: str, entry: list[object]) -> int:
        number = len(entries)
        entry[2] = entries[folders[parent]][3]  # the one before is the next in a chain that needs no balance
        entries[folders[parent]][3] = number
        entries.append(entry)
        return number

    for path, content in streams.items():
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            folders[folder] = add("", [folder, 1, NONE, NONE, 0, 0])
        data = content.ljust(4096, b"\0")
        first = len(sectors) // SECTOR
        sectors += data + b"\0" * (-len(data) % SECTOR)
        links += [*range(first + 1, len(sectors) // SECTOR), END]
        add(folder, [name, 2, NONE, NONE, first, len(data)])
    directory = b"".join(map(make_entry, entries))
    directory += b"\0" * (-len(directory) % SECTOR)
    first = len(links)
    links += [*range(first + 1, first + len(directory) // SECTOR), END]
    tables = next(count for count in range(1, 100) if count * SECTOR // 4 >= len(links) + count)
    places = range(len(links), len(links) + tables)
    links += [0xFFFFFFFD] * tables
    links += [NONE] * (tables * SECTOR // 4 - len(links))
    head = struct.pack("<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6, 0, tables, first,
                       0, 4096, END, 0, END, 0)  # fmt: skip
    head += struct.pack("<109I", *places, *[NONE] * (109 - tables))
    return head + sectors + directory + struct.pack(f"<{len(links)}I", *links)


def make_entry(entry: Sequence[object]) -> bytes:
    name, kind, following, child, first, size = entry
    label = str(name).encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII36xIQ", label, len(label), kind, 1, NONE, following, child, first, size)


def make_summary(code_page: int) -> bytes:
    """Make the stream of properties, with nothing but the code page."""
    section = struct.pack("<IIIIII", 24, 1, 1, 16, 2, code_page)
    return struct.pack("<HHI16xI16xI", 0xFFFE, 0, 0, 1, 48) + section


# -- PowerPoint 97


def make_record(kind: int, body: bytes, *, instance: int = 0, container: bool = True) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if container else 0), kind, len(body)) + body


def make_atom(kind: int, body: bytes, instance: int = 0) -> bytes:
    return make_record(kind, body, instance=instance, container=False)


def make_texts(texts: Sequence[tuple[int, str]]) -> bytes:
    return b"".join(make_atom(3999, struct.pack("<I", kind)) + make_atom(4000, text.encode("utf-16-le")) for kind, text in texts)


def make_comments(comments: Sequence[str]) -> bytes:
    """Make the tags of a slide: each comment with its author, its text, the author's initials."""
    made = b""
    for comment in comments:
        strings = enumerate(("An Author", comment, "AA"))
        made += make_record(12000, b"".join(make_atom(4026, text.encode("utf-16-le"), number) for number, text in strings))
    tag = make_record(5002, make_atom(4026, "___PPT10".encode("utf-16-le")) + make_atom(5003, made))
    return make_record(5000, tag) if comments else b""


def make_powerpoint_97(slides: Sequence[Slide]) -> dict[str, bytes]:
    """Make the streams of a presentation."""
    places, body = [], b""
    for number, slide in enumerate(slides, start=1):
        places.append(len(body))
        note = 1000 + number if slide.notes else 0
        shapes = make_record(1036, make_record(0xF002, make_texts(slide.texts)))
        body += make_record(1006, make_atom(1007, struct.pack("<16xI4x", number)) + shapes + make_comments(slide.comments))
        places.append(len(body))
        body += make_record(1008, make_record(1036, make_texts(slide.notes))) if note else b""
    listed = [make_atom(1011, struct.pack("<I8xI4x", 2 * number, number)) for number in range(1, len(slides) + 1)]
    notes = [make_atom(1011, struct.pack("<I8xI4x", 2 * number + 1, number))
             for number, slide in enumerate(slides, start=1) if slide.notes]  # fmt: skip
    document = make_record(4080, b"".join(listed)) + make_record(4080, b"".join(notes), instance=2)
    places.insert(0, len(body))
    body += make_record(1000, document)
    directory = len(body)
    body += make_atom(6002, struct.pack(f"<I{len(places)}I", len(places) << 20 | 1, *places))
    edit = len(body)
    body += make_atom(4085, struct.pack("<IIIIIIHH", 1, 0, 0, directory, 1, 0, 0, 0))
    return {SLIDES: body, USER: make_atom(4086, struct.pack("<IIIHH", 20, 0xE391C05F, edit, 0, 0))}


# -- PowerPoint 95


def make_old_record(kind: int, body: bytes, *, purpose: int = 0, container: bool = True) -> bytes:
    return struct.pack("<HHHHIHH", kind, 0, 0xFFFF if container else 0, 0, len(body), purpose, 0) + body


def make_old_shape(kind: int, text: bytes) -> bytes:
    what = make_old_record(4003, struct.pack("<I32x", kind), container=False)
    words = make_old_record(2030, text, purpose=53, container=False)
    looks = make_old_record(2028, make_old_record(2030, b"not a text", purpose=47, container=False), purpose=47)
    return make_old_record(3010, make_old_record(4001, make_old_record(4002, what + make_old_record(4064, words + looks))))


def make_powerpoint_95(slides: Sequence[Slide], codec: str = "cp1252") -> dict[str, bytes]:
    """Make the streams of a presentation with a master slide."""

    def make_slide(slide: Slide) -> bytes:
        shown, notes = (
            make_old_record(3000, b"".join(make_old_shape(kind, text.encode(codec)) for kind, text in texts))
            for texts in (slide.texts, slide.notes)
        )
        return make_old_record(1006, make_old_record(1007, bytes(8), container=False) + make_old_record(1008, notes) + shown)

    masters = make_old_record(2000, make_slide(Slide([(TITLE, "Click to edit")])), purpose=11)
    shown = make_old_record(2000, b"".join(map(make_slide, slides)), purpose=10)
    return {SLIDES: make_old_record(3, make_old_record(1000, masters + shown)), USER: b"\x05\0\0\0Owner"}
