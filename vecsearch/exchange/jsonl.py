"""JSON lines, gzipped or not: a header, where there are vectors, then a document a line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.json_lines import parse_json_line
from vecsearch.exchange.transfer_records import (
    ExportHeader,
    ImportEntry,
    build_json_value,
    parse_header,
    parse_own_record,
    parse_plain_record,
)
from vecsearch.stores.base import FullDocument

HEADER_KEY: Final = "vecsearch"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
EXPORT_BEGINNING: Final = f'{{"{HEADER_KEY}":'.encode()
_LINE_BYTES_MAX: Final = 1 << 31
_LEVEL: Final = 6  # of compression


def write(target: BinaryIO, header: ExportHeader | None, documents: Iterable[FullDocument], *, compressed: bool = False) -> None:
    """Write a line for each document, with vectors where there is a header."""
    if compressed:
        with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            write(packed, header, documents)  # type: ignore[arg-type]
        return
    if header is not None:
        target.write(_encode_line({HEADER_KEY: header.to_dict()}))
    for document in documents:
        target.write(_encode_line(build_json_value(document, vectors=header is not None)))


def _encode_line(value: Any) -> bytes:
    return _ENCODER.encode(value).encode() + b"\n"


class JsonLinesSource:
    """A file of JSON lines to import from. Holds one line at a time."""

    def __init__(self, file: Path, *, compressed: bool = False) -> None:
        """Read the file's header. Raises UnreadableFileError."""
        self._file, self._compressed = file, compressed
        self.total = float(file.stat().st_size)
        self.header: ExportHeader | None = None
        try:
            first = next(self._read_lines(), (0, b"", 0.0))[1]
            if first.startswith(EXPORT_BEGINNING):
                self.header = parse_header(parse_json_line(first)[HEADER_KEY])
        except (InputError, KeyError, TypeError, OSError, EOFError, zlib.error) as error:
            raise UnreadableFileError(f"cannot read {file}: {error}") from error

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every line that is not blank."""
        number = 0
        try:
            for number, line, weight in self._read_lines():
                if line.strip() and (number > 1 or self.header is None):
                    yield self._parse_entry(number, line, weight)
        except (OSError, EOFError, zlib.error) as error:
            yield ImportEntry(f"line {number + 1}", 0.0, None, f"the file is damaged or ends too early: {error}")

    def _parse_entry(self, number: int, line: bytes, weight: float) -> ImportEntry:
        where = f"line {number}"
        try:
            value = parse_json_line(line)
            record = parse_plain_record(value) if self.header is None else parse_own_record(value, self.header)
        except InputError as error:
            return ImportEntry(where, weight, None, str(error))
        return ImportEntry(where, weight, record)

    def _read_lines(self) -> Iterator[tuple[int, bytes, float]]:
        """Yield (number from 1, line, bytes of the file read since the last)."""
        number, before = 0, 0
        with self._open() as (raw, stream):
            while line := stream.readline(_LINE_BYTES_MAX):
                number, at = number + 1, raw.tell()
                if len(line) == _LINE_BYTES_MAX:
                    raise EOFError(f"line {number} is longer than {_LINE_BYTES_MAX:,} bytes")
                yield number, line, float(at - before)
                before = at

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, Any]]:
        with self._file.open("rb") as raw:
            if not self._compressed:
                yield raw, raw
                return
            with gzip.GzipFile(fileobj=raw) as stream:
                yield raw, stream
