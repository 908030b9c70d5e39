"""A presentation of PowerPoint 95 to 2003 ([MS-PPT]): each slide apart, its title first, then other texts, notes and comments."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.legacy.powerpoint_95 import is_powerpoint_95, read_powerpoint_95
from vecsearch.documents.loaders.legacy.ppt_symbols import decode_run_symbols
from vecsearch.documents.loaders.legacy.slide_texts import SlideText, SlideTexts, write_slides
from vecsearch.documents.loaders.office.ole import (
    decrypt_ole,
    open_container,
    read_ole_code_page,
    read_ole_properties,
    read_stream,
)
from vecsearch.documents.loaders.raw_file import RawFile

_KIND: Final = "a PowerPoint presentation"
_DOCUMENT, _SLIDE_ATOM, _LIST, _PERSIST, _NOTES = 1000, 1007, 4080, 1011, 2  # kinds of records; a list's instance
_HEADER, _CHARACTERS, _BYTES, _OUTLINE_TEXT = 3999, 4000, 4008, 3998
_STYLE, _ENVIRONMENT, _FONTS, _FONT = 4001, 1010, 2005, 4023  # the runs of a text; what all slides share
_EDIT, _DIRECTORY = 4085, 6002
# what later versions added to a slide: tags, a tag, its data, a comment, the comment's strings
_COMMENT_PATH: Final = (5000, 5002, 5003, 12000, 4026)
_COMMENT_TEXT: Final = 1  # the instance of the string that is its text
_SLIDES, _DUAL_STORAGE, _POWERPOINT_4 = "PowerPoint Document", "PP97_DUALSTORAGE", "PP40"  # streams, and a folder of them
_SKIPPED_CONTAINERS: Final = (1016,)  # a master slide inside
_EDITS_MAX: Final = 10_000


class _PptRecord(NamedTuple):
    kind: int
    instance: int
    start: int
    end: int
    is_container: bool  # holds other records


def load_ppt(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .ppt, .pps or .pot file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    with open_container(decrypt_ole(raw, _KIND), _KIND) as ole:
        problems: list[ParseWarning] = []
        title, metadata = read_ole_properties(ole, problems)
        builder = DocumentBuilder()
        try:
            write_slides(builder, _read_slides(ole, problems))
        except struct.error as error:
            if not builder.text:
                raise UnreadableFileError(f"{_KIND} is damaged") from error
            problems.append(ParseWarning("a slide in it is damaged, and those after it are not read"))
    title = title or builder.first_heading
    yield from finish_document(raw, builder, title, metadata, problems, empty_message="no text on its slides: pictures, perhaps")


def _read_slides(ole: Any, problems: list[ParseWarning]) -> Iterator[SlideTexts]:
    """Yield the slides of a presentation; of one saved for two versions of PowerPoint those of the later one.

    Raises struct.error, UnreadableFileError.
    """
    if ole.exists(_POWERPOINT_4) and not ole.exists(_SLIDES):
        raise UnreadableFileError(f"{_KIND} of before 1995; save it with a later version")
    folder = f"{_DUAL_STORAGE}/" if ole.exists(f"{_DUAL_STORAGE}/{_SLIDES}") else ""
    data = read_stream(ole, f"{folder}{_SLIDES}", problems)
    if is_powerpoint_95(data):
        return read_powerpoint_95(data, read_ole_code_page(ole))
    return _PptReader(data, read_stream(ole, f"{folder}Current User", problems)).read_slides()


@dataclass(slots=True)
class _PptReader:
    data: bytes
    current_user: bytes
    _offsets: dict[int, int] = field(default_factory=dict)
    _fonts: dict[int, str] = field(default_factory=dict)

    def read_slides(self) -> Iterator[SlideTexts]:
        """Yield all slides in the order in which they are shown."""
        document = self._read_offsets()
        record = self._read_record(document)
        if record.kind != _DOCUMENT:
            raise struct.error
        self._fonts = dict(self._read_fonts(record))
        lists = {child.instance: child for child in self._read_children(record) if child.kind == _LIST}
        notes = {number: place for place, number, _ in self._read_slide_list(lists.get(_NOTES))}
        for place, _, texts in self._read_slide_list(lists.get(0)):
            yield self._read_slide(place, texts, notes)

    def _read_slide(self, offset: int, list_texts: list[SlideText], note_offsets: dict[int, int]) -> SlideTexts:
        record = self._read_record(offset)
        atom = next((child for child in self._read_children(record) if child.kind == _SLIDE_ATOM), None)
        number = struct.unpack_from("<I", self.data, atom.start + 16)[0] if atom else 0
        notes = self._read_texts(self._read_record(note_offsets[number])) if number in note_offsets else ()
        return SlideTexts([*list_texts, *self._read_texts(record)], list(notes), list(self._read_comments(record)))

    def _read_comments(self, slide: _PptRecord) -> Iterator[str]:
        """Yield what reviewers said of a slide."""
        for string in self._find_records(slide, _COMMENT_PATH):
            if string.instance == _COMMENT_TEXT:
                yield self._decode_text(string._replace(kind=_CHARACTERS))

    def _read_offsets(self) -> int:
        """Note the offsets of the parts, the latest edit first; return the document's."""
        place, document = struct.unpack_from("<I", self.current_user, 16)[0], 0
        for _ in range(_EDITS_MAX):
            edit = self._read_record(place)
            if edit.kind != _EDIT:
                raise struct.error
            _, before, directory, number = struct.unpack_from("<I4xIII", self.data, edit.start)
            for key, value in self._read_directory(self._read_record(directory)):
                self._offsets.setdefault(key, value)
            document = document or number
            if not before or before >= place:
                break
            place = before
        return self._offsets.get(document, 0)

    def _read_directory(self, record: _PptRecord) -> Iterator[tuple[int, int]]:
        place = record.start
        while record.kind == _DIRECTORY and place + 4 <= record.end:
            (head,) = struct.unpack_from("<I", self.data, place)
            first, count = head & 0xFFFFF, head >> 20
            for index, value in enumerate(struct.unpack_from(f"<{count}I", self.data, place + 4)):
                yield first + index, value
            place += 4 + 4 * count

    def _read_slide_list(self, record: _PptRecord | None) -> Iterator[tuple[int, int, list[SlideText]]]:
        """Return for each slide of a list its place, its number, and the texts that stand in the list itself."""
        slides: list[tuple[int, int, list[SlideText]]] = []
        kind = -1
        for child in self._read_children(record) if record else ():
            if child.kind == _PERSIST:
                reference, number = struct.unpack_from("<I8xI", self.data, child.start)
                slides.append((self._offsets.get(reference, 0), number, []))
            elif child.kind == _HEADER:
                kind = int.from_bytes(self.data[child.start : child.start + 4], "little")
            elif slides and child.kind in (_CHARACTERS, _BYTES):
                slides[-1][2].append(SlideText(kind, self._decode_text(child)))
            elif slides and child.kind == _STYLE and slides[-1][2]:
                slides[-1][2].append(self._apply_style(slides[-1][2].pop(), child))
        return iter(slides)

    def _read_texts(self, record: _PptRecord) -> Iterator[SlideText]:
        """Yield the texts of a slide's shapes, in their order. No recursion: shapes nest as deep as they like."""
        waiting, kind = [record], -1
        text: SlideText | None = None
        while waiting:
            child = waiting.pop()
            if child.kind == _HEADER:
                kind = int.from_bytes(self.data[child.start : child.start + 4], "little")
            elif child.kind in (_CHARACTERS, _BYTES):
                if text:
                    yield text
                text = SlideText(kind, self._decode_text(child))
            elif child.kind == _STYLE and text:
                yield self._apply_style(text, child)
                text = None
            elif child.is_container and child.kind not in _SKIPPED_CONTAINERS:
                waiting.extend(reversed(list(self._read_children(child))))
        if text:
            yield text

    def _apply_style(self, text: SlideText, record: _PptRecord) -> SlideText:
        """Return a text as the fonts of its runs show it."""
        return text._replace(text=decode_run_symbols(text.text, self.data[record.start : record.end], self._fonts))

    def _read_fonts(self, document: _PptRecord) -> Iterator[tuple[int, str]]:
        for font in self._find_records(document, (_ENVIRONMENT, _FONTS, _FONT)):
            name = self.data[font.start : min(font.end, font.start + 64)].decode("utf-16-le", "ignore")
            yield font.instance, name.partition("\0")[0]

    def _find_records(self, record: _PptRecord, path: Sequence[int]) -> list[_PptRecord]:
        """Return the records that a path of kinds leads to."""
        records = [record]
        for kind in path:
            records = [
                child
                for parent in records
                for child in self._read_children(parent._replace(is_container=True))
                if child.kind == kind
            ]
        return records

    def _decode_text(self, record: _PptRecord) -> str:
        data = self.data[record.start : record.end]
        text = data.decode("utf-16-le", "ignore") if record.kind == _CHARACTERS else data.decode("latin-1")
        return text.replace("\v", "\n")

    def _read_children(self, record: _PptRecord) -> Iterator[_PptRecord]:
        place = record.start
        while record.is_container and place + 8 <= record.end:
            child = self._read_record(place)
            yield child._replace(end=min(child.end, record.end))
            place = child.end

    def _read_record(self, offset: int) -> _PptRecord:
        version, kind, size = struct.unpack_from("<HHI", self.data, offset)
        return _PptRecord(kind, version >> 4, offset + 8, offset + 8 + size, version & 0xF == 0xF)
