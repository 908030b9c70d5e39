"""What the parsing worker and its owner say to each other: frames of JSON, never pickles, since the files are not trusted."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import struct
from contextlib import suppress
from typing import IO, Any, Final

from vecsearch.core.files import SkippedFile
from vecsearch.core.nesting import load_json
from vecsearch.core.parsed import (
    ChunkedParts,
    ChunkSpan,
    LoaderItem,
    MediaContent,
    ParsedDocument,
    ParseWarning,
    Portion,
    Section,
)
from vecsearch.documents.validation import validate_depth

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 1 << 20  # what a pipe may hold on Linux
FRAME_MAX: Final = 512_000_000  # bytes; a longer frame is no answer of ours


def pack(value: Any) -> bytes:
    """Return a frame."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


def send(stream: IO[bytes], value: Any) -> None:
    """Send one frame. Raises OSError when nobody listens any more."""
    stream.write(pack(value))
    stream.flush()


class FrameReader:
    """Takes frames from a pipe, of which it reads as much at a time as there is: a thread that waits for one gives way to others,
    and may then wait for them too."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read from the pipe of a stream, which nobody else reads."""
        self._stream, self._data = stream, bytearray()

    def receive(self, seconds: float | None = None) -> tuple[Any, int]:
        """Return the next frame's value, and its size in bytes. Raises TimeoutError, EOFError when the other side is gone."""
        self._read_until(_LENGTH.size, seconds)
        (length,) = _LENGTH.unpack(self._data[: _LENGTH.size])
        if length > FRAME_MAX:
            raise EOFError(f"a frame of {length:,} bytes")
        end = _LENGTH.size + length
        self._read_until(end, seconds)
        data = self._data[_LENGTH.size : end]
        del self._data[:end]
        try:
            return load_json(data.decode("utf-8", "surrogatepass")), length
        except ValueError as error:  # a file has taken the worker over
            raise EOFError("a broken frame") from error

    def _read_until(self, size: int, seconds: float | None) -> None:
        while len(self._data) < size:
            if seconds is not None and not select.select([self._stream], [], [], seconds)[0]:
                raise TimeoutError
            block = os.read(self._stream.fileno(), max(_READ_BYTES, size - len(self._data)))
            if not block:
                raise EOFError("the other side is gone")
            self._data += block


def widen(stream: IO[bytes]) -> None:
    """Let a pipe hold as much as it may, where the system allows that: who writes into it need not wait for the other side."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _READ_BYTES)


def pack_item(item: LoaderItem) -> list[Any]:
    """Return an item as JSON values. Raises InputError for metadata too deep to be sent."""
    match item:
        case ParsedDocument():
            validate_depth(item.metadata, "the metadata")
            sections = [
                [part.start, part.location, part.context, part.hard_boundary, part.split_priority] for part in item.sections
            ]
            portion = None if item.portion is None else [item.portion.start, item.portion.is_last]
            chunks = _pack_chunks(item)
            return ["document", item.id, item.text, item.title, item.metadata, sections, list(item.media), portion, chunks]
        case MediaContent():
            data = base64.b64encode(item.data).decode()
            return ["media", item.document_id, item.location, data, list(item.shape)]
        case ParseWarning():
            return ["problem", item.message]
        case SkippedFile():
            return ["skip", item.source, item.reason]


def unpack_item(values: list[Any]) -> LoaderItem:
    """Return the item of `packed`."""
    match values:
        case ["document", identifier, text, title, metadata, sections, media, portion, chunks]:
            return ParsedDocument(
                identifier,
                text,
                title,
                metadata,
                tuple(Section(*section) for section in sections),
                tuple(media),
                None if portion is None else Portion(*portion),
                chunks=None if chunks is None else _unpack_chunks(chunks, text),
            )
        case ["media", identifier, location, data, shape]:
            return MediaContent(identifier, location, base64.b64decode(data), tuple(shape))
        case ["problem", what]:
            return ParseWarning(what)
        case ["skip", uri, reason]:
            return SkippedFile(uri, reason)
    raise ValueError(f"no item: {values!r:.80}")


def _pack_chunks(document: ParsedDocument) -> list[Any] | None:
    if document.chunks is None:
        return None
    return [document.chunks.digest, [[span.start, span.end, span.location, span.context] for span in document.chunks.spans]]


def _unpack_chunks(values: list[Any], text: str) -> ChunkedParts:
    digest, spans = values
    chunks = ChunkedParts(digest, tuple(ChunkSpan(*span) for span in spans))
    if not all(0 <= span.start <= span.end <= len(text) for span in chunks.spans):
        raise ValueError(f"no chunks of a text of {len(text):,} characters: {spans!r:.80}")
    return chunks
