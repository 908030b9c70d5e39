"""Files that stand between the lines of a mail's text, as programs wrote them before MIME (uuencode)."""

from __future__ import annotations

import binascii
import re
from typing import Final, NamedTuple

_BEGIN: Final = re.compile(r"^begin [0-7]{3,4} ([^\n]{1,255})\n", re.MULTILINE)
_END: Final = re.compile(r"^end[ \t]*(?:\n|\Z)", re.MULTILINE)


class UuencodedFile(NamedTuple):
    """A file by its name."""

    name: str
    data: bytes


def separate_uuencoded(text: str) -> tuple[str, list[UuencodedFile]]:
    """Return a text without the files in it, and the files; what only looks like one stays in the text."""
    pieces, files, done = list[str](), list[UuencodedFile](), 0
    while (begin := _BEGIN.search(text, done)) and (end := _END.search(text, begin.end())):
        data = _decode_lines(text[begin.end() : end.start()])
        pieces.append(text[done : end.end() if data is None else begin.start()])
        files += [UuencodedFile(begin[1].strip(), data)] if data is not None else []
        done = end.end()
    return "".join((*pieces, text[done:])), files


def _decode_lines(text: str) -> bytes | None:
    """Return the bytes that lines stand for, None where one is no such line."""
    try:
        return b"".join(map(_decode_line, text.split("\n")))
    except (binascii.Error, UnicodeEncodeError):
        return None


def _decode_line(line: str) -> bytes:
    """Decode as many characters as the first one says: some programs add one."""
    if not line:
        return b""
    size = (((ord(line[0]) - 32) & 63) * 4 + 5) // 3
    return binascii.a2b_uu(line[:size].encode("ascii"))
