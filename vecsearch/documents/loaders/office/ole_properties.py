"""What an old office document states about itself ([MS-OLEPS]), as far as it is sound."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from vecsearch.core.parsed import ParseWarning
from vecsearch.core.types import Metadata
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.office.property_fields import normalize_title

_CODE_PAGE, _TITLE, _AUTHOR, _CREATED, _SAVED = 1, 2, 4, 12, 13
_SHORT, _BYTES, _WIDE, _TIME = 2, 0x1E, 0x1F, 0x40  # types of a value
_PROPERTIES_MAX: Final = 100  # properties of a document; there are about twenty
_TEXT_BYTES_MAX: Final = 10_000  # bytes of one
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_UNSET_YEAR_MAX: Final = 1980  # what is said to be older never had a time


def parse_summary(data: bytes, problems: list[ParseWarning]) -> tuple[str | None, Metadata]:
    """Return the title, None where there is none worth the name, and the metadata, from the stream "SummaryInformation"."""
    try:
        values = dict(_read_values(data))
    except struct.error:  # it costs no text
        problems.append(ParseWarning("the title, author and dates in it are damaged"))
        return None, {}
    page = int.from_bytes(values.get(_CODE_PAGE, (0, b"\xe4\x04"))[1][:2], "little")
    return normalize_title(_decode_text(values, _TITLE, page)), build_metadata(
        author=_decode_text(values, _AUTHOR, page).split(";"),
        created=_decode_time(values, _CREATED),
        modified=_decode_time(values, _SAVED),
    )


def parse_code_page(data: bytes) -> str | None:
    """Return the codec of the encoding that the stream "SummaryInformation" names, None where it names none that Python knows."""
    try:
        value = dict(_read_values(data)).get(_CODE_PAGE)
        return codecs.lookup(_get_codec(int.from_bytes(value[1][:2], "little"))).name if value else None
    except (struct.error, LookupError):
        return None


def _read_values(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Yield for each property its number, its type, and the bytes that its value begins with."""
    if not data:
        return
    (start,) = struct.unpack_from("<I", data, 44)
    (count,) = struct.unpack_from("<I", data, start + 4)
    for index in range(min(count, _PROPERTIES_MAX)):
        number, place = struct.unpack_from("<II", data, start + 8 + 8 * index)
        (kind,) = struct.unpack_from("<I", data, start + place)
        value = data[start + place + 4 :][: _TEXT_BYTES_MAX + 4]
        yield number, (kind & 0xFFFF, value)


def _decode_text(properties: dict[int, tuple[int, bytes]], number: int, code_page: int) -> str:
    kind, value = properties.get(number, (0, b""))
    size = int.from_bytes(value[:4], "little")
    if kind == _WIDE:
        return value[4 : 4 + 2 * size].decode("utf-16-le", "ignore").partition("\0")[0]
    if kind != _BYTES:
        return ""
    try:
        return value[4 : 4 + size].decode(_get_codec(code_page), "ignore").partition("\0")[0]
    except LookupError:
        return value[4 : 4 + size].decode("cp1252", "ignore").partition("\0")[0]


def _get_codec(code_page: int) -> str:
    return {65001: "utf-8", 1200: "utf-16-le", 10000: "mac-roman"}.get(code_page, f"cp{code_page}")


def _decode_time(properties: dict[int, tuple[int, bytes]], number: int) -> str:
    kind, value = properties.get(number, (0, b""))
    if kind != _TIME:
        return ""
    try:
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(value[:8], "little") // 10)
    except OverflowError:
        return ""
    return moment.isoformat(timespec="seconds") if moment.year > _UNSET_YEAR_MAX else ""
