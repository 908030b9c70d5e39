"""The lines of messages as they go by: mailboxes parted, nesting measured, what is attached set aside before a message is parsed.

The library that parses messages holds them several times over, and recurses into their parts.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from typing import BinaryIO, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.nesting import NESTING_MAX

_LINE_MAX: Final = 1_000_000
_ASIDE_MAX: Final = 64_000_000  # characters of Base64 that are set aside of one message
_DATED_SEPARATOR: Final = re.compile(rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\d:\d\d.*\d{4}")
HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]+\s*")
_BASE64_HEADER: Final = re.compile(rb"^content-transfer-encoding:\s*base64", re.MULTILINE)
_BINARY_CONTENT_TYPE: Final = re.compile(rb"^content-type:\s*(?!text/|message/|multipart/)\S", re.MULTILINE)
_WORDLESS_CONTENT_TYPE: Final = re.compile(rb"^content-type:\s*(?:image|audio|video)/", re.MULTILINE)
_CONTENT_TYPE: Final = re.compile(rb"^content-type:\s*(message|multipart)/.*(?:\n[ \t].*)*", re.MULTILINE | re.IGNORECASE)
_BOUNDARY: Final = re.compile(rb'boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"\s*=(\d{1,9})=")  # no Base64, which is what it stands for


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Split a very long line into pieces."""
    return iter(partial(file.readline, _LINE_MAX), b"")


def number_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a mailbox with the number of their message, the separators left out, quoted ones as they were."""
    number, anything, before = 1, False, b"\n"
    for line, after in pairwise(chain(lines, [b""])):
        begins = line.startswith(b"From ") and before.endswith(b"\n")
        if begins and (is_dated_separator(line) or (not before.strip() and HEADER.match(after))):  # a body may have one
            number += anything
        else:
            anything |= bool(line.strip())
            yield number, line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
        before = line


def is_dated_separator(line: bytes) -> bool:
    """Return whether a line is surely one that stands between the messages of a mailbox."""
    return _DATED_SEPARATOR.match(line[:300]) is not None


def check_nesting(lines: Iterable[bytes]) -> None:
    """Raise UnreadableFileError where more than NESTING_MAX parts are open at once; the library cannot say."""
    boundaries: list[bytes] = []  # of the parts that are open, empty for an attached message
    headers: list[bytes] | None = []  # None within a body
    for line in lines:
        text = line.rstrip()
        if text.startswith(b"--") and (boundary := _find_boundary(text, boundaries)) is not None:
            is_last = text[2:] != boundary
            del boundaries[boundaries.index(boundary) + (not is_last) :]
            headers = None if is_last else []
        elif headers is not None and text:
            headers.append(text)
        elif headers is not None:
            content_type = _CONTENT_TYPE.search(b"\n".join(headers))
            is_message = content_type is not None and content_type[1].lower() == b"message"
            declared = _BOUNDARY.search(content_type[0]) if content_type else None
            if is_message or declared:
                boundaries.append(b"" if declared is None else declared[1] or declared[2])
            headers = [] if is_message else None
        if len(boundaries) > NESTING_MAX:
            raise UnreadableFileError("its parts are nested too deeply")


def _find_boundary(line: bytes, boundaries: Iterable[bytes]) -> bytes | None:
    """Return which boundary a line is, of those of the parts that are open."""
    return next((boundary for boundary in boundaries if boundary and line[2:] in (boundary, boundary + b"--")), None)


@dataclass(slots=True)
class AttachedBytes:
    """The Base64 of a part; not kept where it `is_wordless`, since no words can be in it, or `is_too_large`."""

    is_wordless: bool = False
    is_too_large: bool = False
    _base64: bytearray = field(default_factory=bytearray)

    def add(self, line: bytes) -> None:
        self._base64 += line.strip()

    @property
    def size(self) -> int:
        return len(self._base64)

    def drop(self) -> None:
        self.is_too_large, self._base64 = True, bytearray()

    def decode(self) -> bytes:
        """Return the bytes themselves. Raises UnreadableFileError."""
        if self.is_too_large:
            raise UnreadableFileError(f"too large: more than {_ASIDE_MAX // 1_000_000} MB attached to one message")
        return decode_base64(self._base64)


def decode_base64(data: bytes | bytearray) -> bytes:
    """Return what Base64 says, whatever else stands in it, and as far as it goes."""
    for missing in (b"==", b"A=="):
        try:
            return binascii.a2b_base64(data + missing)
        except binascii.Error:  # one character too many
            continue
    return b""


class AttachmentSeparator:
    """Takes the Base64 of what is attached, which can be gigabytes, out of a message as its lines go by."""

    def __init__(self) -> None:
        self.size = 0  # of the message, in bytes
        self._parts: list[AttachedBytes | None] = []  # None for those that were asked for
        self._current: AttachedBytes | None = None
        self._headers: list[bytes] | None = []
        self._left = _ASIDE_MAX

    def separate(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines of the message, a placeholder in the place of each part that is set aside."""
        for line in lines:
            self.size += len(line)
            if line.startswith(b"--"):  # what parts the parts; not in Base64
                self._headers, self._current = [], None
            elif self._headers is not None and line.strip():
                self._headers.append(line.lower())
            elif self._headers is not None:
                yield line
                if placeholder := self._begin_body():
                    yield placeholder
                continue
            elif self._current is not None and _BASE64.fullmatch(line):
                self._keep(self._current, line)
                continue
            yield line

    def claim(self, payload: str) -> AttachedBytes | None:
        """Return, once, what a placeholder stands for; None for a payload that is none."""
        match = _PLACEHOLDER.match(payload)
        number = int(match[1]) if match else len(self._parts)
        if number >= len(self._parts):
            return None
        part, self._parts[number] = self._parts[number], None
        return part

    def _begin_body(self) -> bytes | None:
        headers, self._headers = b"".join(self._headers or ()), None
        if not (_BASE64_HEADER.search(headers) and _BINARY_CONTENT_TYPE.search(headers)):
            return None
        self._current = AttachedBytes(is_wordless=_WORDLESS_CONTENT_TYPE.search(headers) is not None)
        self._parts.append(self._current)
        return b"=%d=\n" % (len(self._parts) - 1)

    def _keep(self, part: AttachedBytes, line: bytes) -> None:
        if part.is_wordless or part.is_too_large:
            return
        part.add(line)
        self._left -= len(line)
        if self._left < 0:
            self._left += part.size
            part.drop()
