"""A presentation of PowerPoint 97 to 2003 ([MS-PPT]): each slide apart, its title first, then its other texts and its notes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.legacy.ppt_symbols import decode_run_symbols
from vecsearch.documents.loaders.office.ole import decrypt_ole, open_container, read_ole_properties, read_stream
from vecsearch.documents.loaders.raw_file import RawFile

_KIND: Final = "a PowerPoint presentation"
_DOCUMENT, _SLIDE_ATOM, _LIST, _PERSIST, _NOTES = 1000, 1007, 4080, 1011, 2  # kinds of records; a list's instance
_HEADER, _CHARACTERS, _BYTES, _OUTLINE_TEXT = 3999, 4000, 4008, 3998
_STYLE, _ENVIRONMENT, _FONTS, _FONT = 4001, 1010, 2005, 4023  # the runs of a text; what all slides share
_EDIT, _DIRECTORY = 4085, 6002
_TITLE_KINDS: Final = (0, 6)
_SKIPPED_CONTAINERS: Final = (1016,)  # a master slide inside
_EDITS_MAX: Final = 10_000


class _PptRecord(NamedTuple):
    kind: int
    instance: int
    start: int
    end: int
    is_container: bool  # holds other records


class _PptText(NamedTuple):
    kind: int
    text: str


def load_ppt(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .ppt, .pps or .pot file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    with open_container(decrypt_ole(raw, _KIND), _KIND) as ole:
        problems: list[ParseWarning] = []
        title, metadata = read_ole_properties(ole, problems)
        show = _PptReader(read_stream(ole, "PowerPoint Document", problems), read_stream(ole, "Current User", problems))
        try:
            show.read_slides()
        except struct.error as error:
            if not show.builder.text:
                raise UnreadableFileError(f"{_KIND} is damaged") from error
            problems.append(ParseWarning("a slide in it is damaged, and those after it are not read"))
    title = title or show.builder.first_heading
    yield from finish_document(
        raw, show.builder, title, metadata, problems, empty_message="no text on its slides: pictures, perhaps"
    )


@dataclass(slots=True)
class _PptReader:
    data: bytes
    current_user: bytes
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    _offsets: dict[int, int] = field(default_factory=dict)
    _fonts: dict[int, str] = field(default_factory=dict)

    def read_slides(self) -> None:
        """Read all slides in the order in which they are shown."""
        document = self._read_offsets()
        record = self._read_record(document)
        if record.kind != _DOCUMENT:
            raise struct.error
        self._fonts = dict(self._read_fonts(record))
        lists = {child.instance: child for child in self._read_children(record) if child.kind == _LIST}
        notes = {number: place for place, number, _ in self._read_slide_list(lists.get(_NOTES))}
        for count, (place, _, texts) in enumerate(self._read_slide_list(lists.get(0)), start=1):
            self.builder.start_part({"slide": count})
            self._read_slide(place, texts, notes)

    def _read_slide(self, offset: int, list_texts: list[_PptText], note_offsets: dict[int, int]) -> None:
        record = self._read_record(offset)
        texts = [*list_texts, *self._read_texts(record)]
        heading = next((text for text in texts if text.kind in _TITLE_KINDS and text.text.strip()), None)
        if heading:
            self.builder.add_heading(1, heading.text)
        for text in texts:
            if text is not heading and text.text.strip() != "*":  # a star stands for the slide number
                self.builder.add_block(text.text)
        atom = next((child for child in self._read_children(record) if child.kind == _SLIDE_ATOM), None)
        number = struct.unpack_from("<I", self.data, atom.start + 16)[0] if atom else 0
        if number in note_offsets:
            for text in self._read_texts(self._read_record(note_offsets[number])):
                self.builder.add_block(text.text)

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

    def _read_slide_list(self, record: _PptRecord | None) -> Iterator[tuple[int, int, list[_PptText]]]:
        """Return for each slide of a list its place, its number, and the texts that stand in the list itself."""
        slides: list[tuple[int, int, list[_PptText]]] = []
        kind = -1
        for child in self._read_children(record) if record else ():
            if child.kind == _PERSIST:
                reference, number = struct.unpack_from("<I8xI", self.data, child.start)
                slides.append((self._offsets.get(reference, 0), number, []))
            elif child.kind == _HEADER:
                kind = int.from_bytes(self.data[child.start : child.start + 4], "little")
            elif slides and child.kind in (_CHARACTERS, _BYTES):
                slides[-1][2].append(_PptText(kind, self._decode_text(child)))
            elif slides and child.kind == _STYLE and slides[-1][2]:
                slides[-1][2].append(self._apply_style(slides[-1][2].pop(), child))
        return iter(slides)

    def _read_texts(self, record: _PptRecord) -> Iterator[_PptText]:
        """Yield the texts of a slide's shapes, in their order. No recursion: shapes nest as deep as they like."""
        waiting, kind = [record], -1
        text: _PptText | None = None
        while waiting:
            child = waiting.pop()
            if child.kind == _HEADER:
                kind = int.from_bytes(self.data[child.start : child.start + 4], "little")
            elif child.kind in (_CHARACTERS, _BYTES):
                if text:
                    yield text
                text = _PptText(kind, self._decode_text(child))
            elif child.kind == _STYLE and text:
                yield self._apply_style(text, child)
                text = None
            elif child.is_container and child.kind not in _SKIPPED_CONTAINERS:
                waiting.extend(reversed(list(self._read_children(child))))
        if text:
            yield text

    def _apply_style(self, text: _PptText, record: _PptRecord) -> _PptText:
        """Return a text as the fonts of its runs show it."""
        return text._replace(text=decode_run_symbols(text.text, self.data[record.start : record.end], self._fonts))

    def _read_fonts(self, document: _PptRecord) -> Iterator[tuple[int, str]]:
        for shared in self._read_children(document):
            for fonts in self._read_children(shared) if shared.kind == _ENVIRONMENT else ():
                for font in self._read_children(fonts) if fonts.kind == _FONTS else ():
                    name = self.data[font.start : min(font.end, font.start + 64)].decode("utf-16-le", "ignore")
                    if font.kind == _FONT:
                        yield font.instance, name.partition("\0")[0]

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
