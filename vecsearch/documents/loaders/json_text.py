"""JSON: its values with their names, a record a line, each at the line where it stands in the file.

What is no sound JSON, or too large to be held at once, stays as it is written, but for the escapes in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from vecsearch.core.checks import is_unicode
from vecsearch.core.nesting import NestingError, is_json_nested_too_deeply
from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.core.settings import STREAM_MIN_BYTES
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.named_values import format_values, has_rows, join_name
from vecsearch.documents.loaders.plain_text import load_text
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_BLANKS: Final = re.compile(r"[\s\x1e]*")  # some programs put a record separator before each value
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:(?<=u[dD][89abAB]..)\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(.))", re.DOTALL)
_ESCAPE_MAX: Final = 12  # characters
_DEPTH_MAX: Final = 12  # values inside each other that have lines of their own: each is decoded once more than the one around it
_BLANK_ESCAPES: Final = "bfnrt"

_Line = tuple[int, str]  # where in the file it begins, and what it says


def load_json_text(raw: RawFile) -> Iterator[LoaderItem]:
    """Load a file of one JSON value, or of several one after the other, as one document."""
    if raw.size < STREAM_MIN_BYTES:
        text = decode(raw.data)
        try:
            lines = list(_iter_lines(text))
        except (ValueError, NestingError):  # no sound JSON: comments in it, an end that is missing
            return load_text(raw, decode_escapes)
        return emit_document(raw, "\n".join(line for _, line in lines), sections=tuple(_build_sections(text, lines)))
    return load_text(raw, decode_escapes)


def decode_escapes(blocks: Iterable[str]) -> Iterator[str]:
    """Yield a text in which characters are themselves that are written as escapes. No line more or less comes of it."""
    waiting = ""
    for block in blocks:
        waiting += block
        end = len(waiting) - waiting.endswith("\\")
        for match in _ESCAPE.finditer(waiting):
            if match.end() > len(waiting) - _ESCAPE_MAX:  # it may go on behind the end, or be the first of two
                end = match.start()
                break
        yield _ESCAPE.sub(_decode_escape, waiting[:end])
        waiting = waiting[end:]
    yield _ESCAPE.sub(_decode_escape, waiting)


def _decode_escape(match: re.Match[str]) -> str:
    code, second, character = match.groups()
    if code:
        units = int(code, 16).to_bytes(2, "big") + (int(second, 16).to_bytes(2, "big") if second else b"")
        text = units.decode("utf-16-be", "ignore")
        return text if text.isprintable() else " " if text.isspace() or not text else match[0]
    if character in _BLANK_ESCAPES:
        return " "
    return match[0] if character.isalnum() or character == "\n" else character


def _iter_lines(text: str) -> Iterator[_Line]:
    """Yield what the values say. Raises ValueError where one is broken, NestingError."""
    if is_json_nested_too_deeply(text):
        raise NestingError("nested too deeply")
    decoder = _Decoder(text)
    start = decoder.skip_blanks(0)
    while start < len(text):
        value, end = decoder.decode_value(start)
        if isinstance(value, dict) and not _is_alone(decoder, start, end):
            yield from decoder.iter_row(value, start, "")
        else:
            yield from decoder.iter_lines(value, start, "")
        start = decoder.skip_blanks(end)


def _is_alone(decoder: _Decoder, start: int, end: int) -> bool:
    return decoder.skip_blanks(0) == start and decoder.skip_blanks(end) == len(decoder.text)


class _Decoder:
    """Decodes the values of a JSON text, and knows where their members begin. Numbers stay as they are written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False).raw_decode

    def decode_value(self, start: int) -> tuple[Any, int]:
        return self._scan(self.text, start)

    def skip_blanks(self, start: int) -> int:
        blanks = _BLANKS.match(self.text, start)
        return blanks.end() if blanks else start

    def iter_lines(self, value: Any, start: int, name: str, depth: int = 0) -> Iterator[_Line]:
        """Yield a line for each member, and for each record in a list."""
        if not isinstance(value, dict | list):
            yield from _format_line(value, start, name)
            return
        for key, member, at in self._iter_members(start):
            yield from self.iter_row(member, at, join_name(name, " ".join(key.split())), depth + 1)

    def iter_row(self, value: Any, start: int, name: str, depth: int = 0) -> Iterator[_Line]:
        """Yield a line, or several for a value that has rows of its own and does not lie too deep."""
        if depth < _DEPTH_MAX and has_rows(value):
            yield from self.iter_lines(value, start, name, depth)
        else:
            yield from _format_line(value, start, name)

    def _iter_members(self, start: int) -> Iterator[tuple[str, Any, int]]:
        """Yield the key, the value and where the value begins, of each member of what begins at a place, and is sound."""
        is_object = self.text[start] == "{"
        place = self.skip_blanks(start + 1)
        while self.text[place] not in "]}":
            key = ""
            if is_object:
                key, place = self.decode_value(place)
                place = self.skip_blanks(self.skip_blanks(place) + 1)
            value, end = self.decode_value(place)
            yield key, value, place
            end = self.skip_blanks(end)
            place = self.skip_blanks(end + 1) if self.text[end] == "," else end


def _format_line(value: Any, start: int, name: str) -> Iterator[_Line]:
    if line := format_values(value, name):
        yield (
            start,
            line if is_unicode(line) else line.encode("utf-8", "ignore").decode(),
        )  # half a surrogate pair is no character


def _build_sections(text: str, lines: list[_Line]) -> Iterator[Section]:
    """Yield a section wherever a line does not stand in the line of the file that follows that of the line before."""
    start, number, counted, due = 0, 1, 0, 0
    for place, line in lines:
        number, counted = number + text.count("\n", counted, place), place
        if number != due:
            yield Section(start, {"lines": number})
        start, due = start + len(line) + 1, number + 1
