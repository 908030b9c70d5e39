"""A presentation of PowerPoint 97 to 2003 ([MS-PPT]): each slide apart, its title first, then its other texts and its notes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Problem
from vecsearch.documents.loaders.office.ole import container, opened, properties, stream
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw

_KIND: Final = "a PowerPoint presentation"
_DOCUMENT, _SLIDE_ATOM, _LIST, _PERSIST, _NOTES = 1000, 1007, 4080, 1011, 2  # kinds of records; a list's instance
_HEADER, _CHARACTERS, _BYTES, _OUTLINE_TEXT = 3999, 4000, 4008, 3998
_EDIT, _DIRECTORY = 4085, 6002
_TITLES: Final = (0, 6)
_FRAMES: Final = (1016,)  # a master slide inside
_EDITS_MAX: Final = 10_000


class _Record(NamedTuple):
    kind: int
    instance: int
    start: int
    end: int
    whole: bool  # holds other records


class _Text(NamedTuple):
    kind: int
    words: str


def ppt(raw: Raw) -> Iterator[Item]:
    """A .ppt, .pps or .pot. Raises Encrypted, NoText, UnreadableFile."""
    with container(opened(raw, _KIND), _KIND) as ole:
        title, metadata = properties(ole)
        show, problems = _Show(stream(ole, "PowerPoint Document"), stream(ole, "Current User")), list[Problem]()
        try:
            show.write()
        except struct.error as error:
            if not show.outline.text:
                raise UnreadableFile(f"{_KIND} is damaged") from error
            problems.append(Problem("a slide in it is damaged, and those after it are not read"))
    title = title or show.outline.first_heading
    yield from outlined(raw, show.outline, title, metadata, problems, nothing="no text on its slides: pictures, perhaps")


@dataclass(slots=True)
class _Show:
    data: bytes
    user: bytes
    outline: Outline = field(default_factory=Outline)
    _places: dict[int, int] = field(default_factory=dict)

    def write(self) -> None:
        """All slides in the order in which they are shown."""
        document = self._places_read()
        record = self._record(document)
        if record.kind != _DOCUMENT:
            raise struct.error
        lists = {each.instance: each for each in self._inside(record) if each.kind == _LIST}
        notes = {number: place for place, number, _ in self._listed(lists.get(_NOTES))}
        for count, (place, _, texts) in enumerate(self._listed(lists.get(0)), start=1):
            self.outline.apart({"slide": count})
            self._slide(place, texts, notes)

    def _slide(self, place: int, listed: list[_Text], notes: dict[int, int]) -> None:
        record = self._record(place)
        texts = [*listed, *self._texts(record)]
        heading = next((text for text in texts if text.kind in _TITLES and text.words.strip()), None)
        if heading:
            self.outline.heading(1, heading.words)
        for text in texts:
            if text is not heading and text.words.strip() != "*":  # a star stands for the slide number
                self.outline.block(text.words)
        atom = next((each for each in self._inside(record) if each.kind == _SLIDE_ATOM), None)
        number = struct.unpack_from("<I", self.data, atom.start + 16)[0] if atom else 0
        if number in notes:
            for text in self._texts(self._record(notes[number])):
                self.outline.block(text.words)

    def _places_read(self) -> int:
        """Fill the places of the parts, the latest edit first; gives the document's."""
        place, document = struct.unpack_from("<I", self.user, 16)[0], 0
        for _ in range(_EDITS_MAX):
            edit = self._record(place)
            if edit.kind != _EDIT:
                raise struct.error
            _, before, directory, number = struct.unpack_from("<I4xIII", self.data, edit.start)
            for key, value in self._directory(self._record(directory)):
                self._places.setdefault(key, value)
            document = document or number
            if not before or before >= place:
                break
            place = before
        return self._places.get(document, 0)

    def _directory(self, record: _Record) -> Iterator[tuple[int, int]]:
        place = record.start
        while record.kind == _DIRECTORY and place + 4 <= record.end:
            (head,) = struct.unpack_from("<I", self.data, place)
            first, count = head & 0xFFFFF, head >> 20
            for index, value in enumerate(struct.unpack_from(f"<{count}I", self.data, place + 4)):
                yield first + index, value
            place += 4 + 4 * count

    def _listed(self, record: _Record | None) -> Iterator[tuple[int, int, list[_Text]]]:
        """Of each slide of a list its place, its number, and the texts that stand in the list itself."""
        found: list[tuple[int, int, list[_Text]]] = []
        kind = -1
        for each in self._inside(record) if record else ():
            if each.kind == _PERSIST:
                reference, number = struct.unpack_from("<I8xI", self.data, each.start)
                found.append((self._places.get(reference, 0), number, []))
            elif each.kind == _HEADER:
                kind = int.from_bytes(self.data[each.start : each.start + 4], "little")
            elif found and each.kind in (_CHARACTERS, _BYTES):
                found[-1][2].append(_Text(kind, self._words(each)))
        return iter(found)

    def _texts(self, record: _Record) -> Iterator[_Text]:
        """The texts of a slide's shapes, in their order. No recursion: shapes nest as deep as they like."""
        waiting, kind = [record], -1
        while waiting:
            each = waiting.pop()
            if each.kind == _HEADER:
                kind = int.from_bytes(self.data[each.start : each.start + 4], "little")
            elif each.kind in (_CHARACTERS, _BYTES):
                yield _Text(kind, self._words(each))
            elif each.whole and each.kind not in _FRAMES:
                waiting.extend(reversed(list(self._inside(each))))

    def _words(self, record: _Record) -> str:
        data = self.data[record.start : record.end]
        text = data.decode("utf-16-le", "ignore") if record.kind == _CHARACTERS else data.decode("latin-1")
        return text.replace("\v", "\n")

    def _inside(self, record: _Record) -> Iterator[_Record]:
        place = record.start
        while record.whole and place + 8 <= record.end:
            each = self._record(place)
            yield each._replace(end=min(each.end, record.end))
            place = each.end

    def _record(self, place: int) -> _Record:
        version, kind, size = struct.unpack_from("<HHI", self.data, place)
        return _Record(kind, version >> 4, place + 8, place + 8 + size, version & 0xF == 0xF)
