"""What the parsing worker and its owner say to each other: frames of JSON, never pickles, since the files are not trusted."""

from __future__ import annotations

import base64
import json
import struct
from typing import IO, Any, Final

from vecsearch.core.files import SkippedFile
from vecsearch.core.nesting import load_json
from vecsearch.core.parsed import LoaderItem, Media, ParsedDocument, ParseWarning, Portion, Section
from vecsearch.documents.validation import validate_depth

_LENGTH: Final = struct.Struct(">I")
FRAME_MAX: Final = 512_000_000  # bytes; a longer frame is no answer of ours


def send(stream: IO[bytes], value: Any) -> None:
    """Send one frame. Raises OSError when nobody listens any more."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Any, int]:
    """Return the next frame's value, and its size in bytes. Raises EOFError when the other side is gone."""
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    if length > FRAME_MAX:
        raise EOFError(f"a frame of {length:,} bytes")
    try:
        return load_json(_read_exactly(stream, length).decode("utf-8", "surrogatepass")), length
    except ValueError as error:  # a file has taken the worker over
        raise EOFError("a broken frame") from error


def pack_item(item: LoaderItem) -> list[Any]:
    """Return an item as JSON values. Raises InputError for metadata too deep to be sent."""
    match item:
        case ParsedDocument():
            validate_depth(item.metadata, "the metadata")
            sections = [
                [part.start, part.location, part.context, part.hard_boundary, part.split_priority] for part in item.sections
            ]
            media = [
                [
                    part.mime_type,
                    None if part.data is None else base64.b64encode(part.data).decode(),
                    part.reference,
                    part.location,
                ]
                for part in item.media
            ]
            portion = None if item.portion is None else [item.portion.start, item.portion.is_last]
            return ["document", item.id, item.text, item.title, item.metadata, sections, media, portion]
        case ParseWarning():
            return ["problem", item.message]
        case SkippedFile():
            return ["skip", item.source, item.reason]


def unpack_item(values: list[Any]) -> LoaderItem:
    """Return the item of `packed`."""
    match values:
        case ["document", identifier, text, title, metadata, sections, media, portion]:
            return ParsedDocument(
                identifier,
                text,
                title,
                metadata,
                tuple(Section(*section) for section in sections),
                tuple(map(_unpack_media, media)),
                None if portion is None else Portion(*portion),
            )
        case ["problem", what]:
            return ParseWarning(what)
        case ["skip", uri, reason]:
            return SkippedFile(uri, reason)
    raise ValueError(f"no item: {values!r:.80}")


def _unpack_media(values: list[Any]) -> Media:
    mime_type, data, reference, location = values
    return Media(mime_type, None if data is None else base64.b64decode(data), reference, location)


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size:  # a pipe gives what it has
        block = stream.read(size - len(data))
        if not block:
            raise EOFError("the other side is gone")
        data += block
    return bytes(data)
