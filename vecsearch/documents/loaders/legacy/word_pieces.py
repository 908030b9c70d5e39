"""The pieces that the text of a Word document lies in ([MS-DOC] 2.9.38), in its order: a file saved fast has them anywhere."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_DELETED_BYTE: Final = 0x41  # the same property as a number of seven bits, which a piece alone has room for


class TextPiece(NamedTuple):
    """A stretch of characters; `start` is a byte of the file, `narrow` with one byte a character, `hidden` if it was deleted."""

    first_character: int
    start: int
    length: int
    narrow: bool
    hidden: bool = False

    @property
    def width(self) -> int:
        """Return the bytes of a character."""
        return 1 if self.narrow else 2


def parse_pieces(
    clx: bytes, size: int, is_deleted: Callable[[bytes], bool], *, narrow: bool | None = None
) -> Iterator[TextPiece]:
    """Yield the pieces of a file of so many bytes. `is_deleted` tells by properties; `narrow`, if not each piece says it."""
    place, shared = 0, list[bytes]()
    while clx[place : place + 1] == b"\1":  # properties that whole pieces share
        length = int.from_bytes(clx[place + 1 : place + 3], "little")
        shared.append(clx[place + 3 : place + 3 + length])
        place += 3 + length
    if clx[place : place + 1] != b"\2":
        return
    table = clx[place + 5 : place + 5 + int.from_bytes(clx[place + 1 : place + 5], "little")]
    count = (len(table) - 4) // 12
    firsts = struct.unpack_from(f"<{count + 1}I", table) if count > 0 else ()
    hidden = [is_deleted(properties) for properties in shared]
    end = 0
    for index in range(count):
        start, change = struct.unpack_from("<IH", table, 4 * (count + 1) + 8 * index + 2)
        is_narrow, start = bool(start & 0x40000000) if narrow is None else narrow, start & 0x3FFFFFFF
        length = firsts[index + 1] - firsts[index]
        if length > 0 and end <= firsts[index] and firsts[index + 1] <= size:  # a character is a byte at least
            end = firsts[index + 1]
            start = start // 2 if narrow is None and is_narrow else start
            yield TextPiece(firsts[index], start, length, is_narrow, _is_hidden(change, hidden))


def _is_hidden(change: int, hidden: list[bool]) -> bool:
    """Return whether the change that a piece names deletes it: one property, or the number of shared ones."""
    if change & 1:
        return change >> 1 < len(hidden) and hidden[change >> 1]
    return change >> 1 & 0x7F == _DELETED_BYTE and bool(change >> 8)
