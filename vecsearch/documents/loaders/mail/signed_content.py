"""What a signed message or document says: the content of CMS (RFC 5652), as S/MIME has it. Nothing is verified."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.loaders.mail.mime_lines import decode_base64
from vecsearch.documents.loaders.raw_file import RATIO_MAX, TOTAL_MIN, MemberLimitError

_DATA: Final = bytes.fromhex("2a864886f70d0107")  # what identifiers of contents begin with …
_SIGNED, _ENVELOPED = _DATA + b"\2", _DATA + b"\3"
_COMPRESSED: Final = bytes.fromhex("2a864886f70d0109100109")
_AUTHENTICATED: Final = bytes.fromhex("2a864886f70d0109100117")  # encrypted too
_SEQUENCE: Final = 0x30
_CONTENT: Final = 0xA0  # the tag of what an identifier says the kind of
_OCTETS: Final = (0x04, 0x24)  # in one piece, or in pieces
_LONG_TAG: Final = 0x1F
_INDEFINITE: Final = 0x80  # the length of what goes on to an end mark
_NESTING_MAX: Final = 20
ENCRYPTED_MESSAGE: Final = "encrypted for the keys of those it was sent to, which are not asked for"
_DAMAGED: Final = "damaged: no signed message"


def extract_signed_content(data: bytes) -> bytes:
    """Return what is signed or compressed in a message, in DER, BER, Base64 or PEM; empty where it stands elsewhere.

    Raises UnreadableFileError, also for what is encrypted.
    """
    if data[:1] != b"\x30":
        data = decode_base64(b"".join(line for line in data.splitlines() if not line.startswith(b"-----")))
    outer = _read_element(data, 0, len(data))
    children = list(_iterate_children(data, outer))
    if outer.tag != _SEQUENCE or len(children) < 2:
        raise UnreadableFileError(_DAMAGED)
    kind = data[children[0].start : children[0].end]
    if kind in (_ENVELOPED, _AUTHENTICATED):
        raise UnreadableFileError(ENCRYPTED_MESSAGE)
    if kind not in (_SIGNED, _COMPRESSED):
        raise UnreadableFileError(_DAMAGED)
    content = b"".join(_iterate_content(data, children[1]))
    return _inflate(content, len(data)) if kind == _COMPRESSED else content


class _Element(NamedTuple):
    """A value in ASN.1: its tag, where its content begins and ends, and where what follows it begins."""

    tag: int
    start: int
    end: int
    following: int


def _read_element(data: bytes, place: int, end: int, depth: int = 0) -> _Element:
    """Read the element at a place; one that the end cuts off is as long as it is. Raises UnreadableFileError."""
    if place + 2 > end or data[place] & _LONG_TAG == _LONG_TAG or depth > _NESTING_MAX:
        raise UnreadableFileError(_DAMAGED)
    tag, length = data[place], data[place + 1]
    start = place + 2
    if length == _INDEFINITE:
        place = start
        while place < end and data[place : place + 2] != b"\0\0":
            place = _read_element(data, place, end, depth + 1).following
        return _Element(tag, start, min(place, end), min(place + 2, end))
    if length > _INDEFINITE:
        size = length - _INDEFINITE
        length = int.from_bytes(data[start : start + size])
        start += size
    return _Element(tag, start, min(start + length, end), min(start + length, end))


def _iterate_children(data: bytes, element: _Element) -> Iterator[_Element]:
    place = element.start
    while place < element.end:
        child = _read_element(data, place, element.end)
        yield child
        place = child.following


def _iterate_content(data: bytes, wrapper: _Element) -> Iterator[bytes]:
    """Yield the pieces of the content that a message holds: a sequence in it has an identifier and the content."""
    for message in _iterate_children(data, wrapper):
        for part in _iterate_children(data, message):
            if part.tag != _SEQUENCE:
                continue
            for content in _iterate_children(data, part):
                if content.tag == _CONTENT:
                    yield from _iterate_octets(data, content)
                    return


def _iterate_octets(data: bytes, element: _Element, depth: int = 0) -> Iterator[bytes]:
    for child in _iterate_children(data, element):
        if child.tag == _OCTETS[0]:
            yield data[child.start : child.end]
        elif child.tag == _OCTETS[1] and depth < _NESTING_MAX:
            yield from _iterate_octets(data, child, depth + 1)


def _inflate(content: bytes, size: int) -> bytes:
    most = max(TOTAL_MIN, RATIO_MAX * size)
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(content, most)
    except zlib.error as error:
        raise UnreadableFileError("a damaged compressed message") from error
    if inflater.unconsumed_tail:
        raise MemberLimitError(f"expands to more than {most // 1_000_000:,} MB: too much for its size")
    return data
