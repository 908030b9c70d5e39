"""Compressed rich text ([MS-OXRTFCP]), as Outlook keeps the bodies of messages."""

from __future__ import annotations

import struct
from typing import Final

_HEADER: Final = struct.Struct("<II4sI")
_COMPRESSED, _STORED = b"LZFu", b"MELA"
_WINDOW: Final = 4_096
_DICTIONARY: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def decompress_rtf(data: bytes) -> bytes:
    """Return the rich text as far as the bytes go, at most nine times as long; empty for what is no such text."""
    if len(data) < _HEADER.size:
        return b""
    _, size, kind, _ = _HEADER.unpack_from(data)
    if kind == _STORED:
        return data[_HEADER.size :][:size]
    return _expand(data[_HEADER.size :])[:size] if kind == _COMPRESSED else b""


def _expand(data: bytes) -> bytes:
    """Expand runs of eight: bytes as they are, or references to what came before within the window."""
    text = bytearray(_DICTIONARY)
    place = 0
    while place < len(data):
        control = data[place]
        place += 1
        for bit in range(8):
            if not control >> bit & 1:
                text += data[place : place + 1]
                place += 1
                continue
            reference = int.from_bytes(data[place : place + 2])
            place += 2
            distance = (len(text) - (reference >> 4)) % _WINDOW
            if not distance or place > len(data):
                return bytes(text[len(_DICTIONARY) :])
            _repeat(text, distance, (reference & 0xF) + 2)
    return bytes(text[len(_DICTIONARY) :])


def _repeat(text: bytearray, distance: int, count: int) -> None:
    """Add bytes that stand so far before the end; where there were none yet, the window has blanks."""
    for _ in range(count):
        text.append(text[-distance] if distance <= len(text) else 0x20)
