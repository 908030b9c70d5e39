"""In which line of its file a row stands that is a document: looked up in the file as it is now, for the hits that are shown.

It is not stored, as a row that others move is the same document. A file that was changed, that is no text, or is large, and a row
that cannot be told from another, have no line: none is better than a wrong one.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from vecsearch.core.source_paths import parse_path

_FILE_BYTES_MAX: Final = 8_000_000  # which are read and searched in some milliseconds
_CANDIDATES_MAX: Final = 2_000  # lines that hold a key: one as common as that tells nothing
_TEXT_BEGINNING: Final = re.compile(r'[^"\\\n\t]{1,40}')  # of a text: what quoting leaves as it is
_SUFFIXES: Final = frozenset((".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".txt", ".text", ".lst", ".list", ".dic", ""))
_REPEATED: Final = re.compile(r"(?P<key>.+) \(\d+\)", re.DOTALL)  # an id that is given to a second row
_WORD_BYTES: Final = re.compile(rb"[\w\x80-\xff]")


def find_row_line(source: str, key: str, text: str) -> int | None:
    """Return the line, from 1, of the row with this key in its file, and with this text where several have the key.

    None where there is no such line, or more than one.
    """
    if Path(source).suffix.lower() not in _SUFFIXES:
        return None
    try:
        status = Path(path := parse_path(source)).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= _FILE_BYTES_MAX:
        return None
    data = _read(path, status.st_size, status.st_mtime_ns)
    repeated = _REPEATED.fullmatch(key)
    beginning = _TEXT_BEGINNING.match(text.strip())
    start = beginning[0].rstrip() if beginning else ""
    for wanted in filter(None, (key, repeated and repeated["key"], start)):
        lines = dict(_find_lines(data, wanted.encode("utf-8", "surrogatepass")))
        if len(lines) > 1 and (whole := [number for number, line in lines.items() if _is_whole(line, wanted)]):
            lines = {number: lines[number] for number in whole}
        if len(lines) > 1:
            lines = {number: line for number, line in lines.items() if start and start.encode("utf-8", "surrogatepass") in line}
        if lines:
            return next(iter(lines)) if len(lines) == 1 else None
    return None


@lru_cache(maxsize=4)
def _read(path: str, size: int, modified_at: int) -> bytes:
    """Return a file of this size and time; nothing where it cannot be read, or is no text whose lines can be told."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return b""
    return b"" if b"\0" in data or b"\r" in data.replace(b"\r\n", b"") else data


def _find_lines(data: bytes, wanted: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines, with their numbers, that hold something as a word of its own."""
    number, counted, at, found = 1, 0, -1, 0
    while (at := data.find(wanted, at + 1)) >= 0 and found < _CANDIDATES_MAX:
        end = at + len(wanted)
        if _is_in_word(data, at) or _is_in_word(data, end):
            continue
        number += data.count(b"\n", counted, at)
        counted, found = at, found + 1
        stop = data.find(b"\n", end)
        yield number, data[data.rfind(b"\n", 0, at) + 1 : len(data) if stop < 0 else stop]


def _is_in_word(data: bytes, at: int) -> bool:
    """Return whether there is a character of a word on both sides of a place."""
    return at > 0 and all(_WORD_BYTES.fullmatch(data[place : place + 1]) for place in (at - 1, at))


def _is_whole(line: bytes, wanted: str) -> bool:
    return " ".join(line.decode("utf-8", "replace").split()) == wanted
