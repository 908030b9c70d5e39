"""The text of a large file a block at a time: the same as `decoding.decode` gives for all of its bytes, in bounded memory.

The file is read twice: once, or a few times where it is not UTF-8, to choose the encoding, then to decode it.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, TypeAlias

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.settings import SNIFF_BYTES, STREAM_BLOCK_BYTES
from vecsearch.documents.decoding import (
    LegacyCounts,
    NulCounts,
    count_controls,
    describe_controls,
    find_byte_order_mark,
    find_magic,
    guess_national,
    has_two_blocks,
    make_binary_error,
    make_broken_error,
    make_nul_error,
    make_unknown_error,
    replace_nuls,
)

OpenFile: TypeAlias = Callable[[], BinaryIO]  # opens it from the beginning

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_HIGH_BYTES: Final = bytes(range(128, 256))


@dataclass(frozen=True, slots=True)
class FileEncoding:
    """How the bytes of a file are read; `mark` is the byte order mark that they begin with."""

    codec: str
    mark: bytes = b""


def choose_encoding(open_file: OpenFile) -> FileEncoding:
    """Return how a file is read. Raises the errors of `decode`, and OSError."""
    with open_file() as file:
        head = file.read(SNIFF_BYTES)
    if mark := find_byte_order_mark(head):
        encoding = FileEncoding(mark[1], mark[0])
        _check_marked(open_file, encoding)
        return encoding
    bytes_seen = _count_bytes(open_file)
    if kind := find_magic(head):
        raise make_binary_error(kind)
    if bytes_seen.nuls.rows and (codec := _choose_bare_utf16(open_file, bytes_seen.size)):
        return FileEncoding(codec)
    if bytes_seen.nuls.are_too_many:
        raise make_nul_error()
    if kind := describe_controls(bytes_seen.controls, bytes_seen.nuls.others):
        raise make_binary_error(kind)
    return FileEncoding("utf-8" if bytes_seen.broken_at is None else _choose_legacy(open_file, head, bytes_seen.broken_at))


def read_text(open_file: OpenFile, encoding: FileEncoding) -> Iterator[str]:
    """Yield the text in blocks: lines end in \\n, no byte order mark, no NUL. Raises UnreadableFileError, OSError."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding.codec)(), translate=True)
    try:
        blocks = (decoder.decode(block, final) for block, final in _mark_last(_read_blocks(open_file, len(encoding.mark))))
        yield from _replace_nuls(blocks)
    except UnicodeDecodeError as error:
        raise UnreadableFileError("the file changed while it was read") from error


def iterate_lines(blocks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text that comes in blocks, each with its end."""
    waiting: list[str] = []
    for block in blocks:
        for match in _LINE.finditer(block):  # a StringIO would take four bytes a character
            waiting.append(match[0])
            if match[0].endswith("\n"):
                yield "".join(waiting)
                waiting.clear()
    if waiting:
        yield "".join(waiting)


def _replace_nuls(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts as `replace_nuls` gives them for all together: NULs at an end wait for what follows them."""
    has_nul = False
    for text in texts:
        if text:
            whole = "\0" + text if has_nul else text
            body = whole.rstrip("\0")
            has_nul = len(body) < len(whole)
            yield replace_nuls(body)


def _read_blocks(open_file: OpenFile, start: int = 0) -> Iterator[bytes]:
    with open_file() as file:
        file.seek(start)
        while block := file.read(STREAM_BLOCK_BYTES):
            yield block


def _decode_blocks(blocks: Iterable[bytes], codec: str) -> Iterator[str]:
    """Yield what the blocks say. The UnicodeDecodeError's `start` counts from the first of them, as of all bytes together."""
    decoder = codecs.getincrementaldecoder(codec)()
    position = 0
    for block, final in _mark_last(blocks):
        undecoded = len(decoder.getstate()[0])
        try:
            yield decoder.decode(block, final)
        except UnicodeDecodeError as error:
            error.start += position - undecoded
            raise
        position += len(block)


def _mark_last(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for block in blocks:
        yield block, False
    yield b"", True


def _check_marked(open_file: OpenFile, encoding: FileEncoding) -> None:
    """Raise UnreadableFileError for bytes that are not what their mark says, and for many NULs anywhere but at the end."""
    nuls = NulCounts()
    try:
        for text in _decode_blocks(_read_blocks(open_file, len(encoding.mark)), encoding.codec):
            nuls.add(text)
    except UnicodeDecodeError as error:
        raise make_broken_error(encoding.codec, error.start + len(encoding.mark)) from error
    nuls.rows -= nuls.in_row
    if nuls.others and nuls.are_too_many:
        raise make_nul_error()


@dataclass(slots=True)
class _ByteCounts:
    """What the bytes of a file are; `broken_at` is the first that is no UTF-8."""

    size: int = 0
    controls: int = 0
    nuls: NulCounts = field(default_factory=NulCounts)
    broken_at: int | None = None


def _count_bytes(open_file: OpenFile) -> _ByteCounts:
    counts = _ByteCounts()

    def count() -> Iterator[bytes]:
        for block in _read_blocks(open_file):
            counts.size += len(block)
            counts.controls += count_controls(block)
            counts.nuls.add(block)
            yield block

    blocks = count()
    try:
        for _ in _decode_blocks(blocks, "utf-8"):
            pass
    except UnicodeDecodeError as error:
        counts.broken_at = error.start
    for _ in blocks:
        pass
    return counts


def _choose_bare_utf16(open_file: OpenFile, size: int) -> str | None:
    """Return which UTF-16 without a mark a file is in: see `decoding`."""
    if size % 2:
        return None
    little = big = False
    for block in _read_blocks(open_file):
        little, big = little or b"\0" in block[1::2], big or b"\0" in block[::2]
    if little == big:
        return None
    blocks: Counter[int] = Counter()
    for block in _read_blocks(open_file):
        blocks.update(block[1::2] if little else block[::2])
    codec = "utf-16-le" if little else "utf-16-be"
    return codec if has_two_blocks(blocks) and _is_text(_read_blocks(open_file), codec) else None


def _is_text(blocks: Iterable[bytes], codec: str) -> bool:
    """Return whether bytes can be decoded, and say no binary data."""
    size = controls = 0
    magic = False
    try:
        for text in _decode_blocks(blocks, codec):
            data = text.encode()
            magic |= size == 0 and find_magic(data) is not None
            size, controls = size + len(data), controls + count_controls(data)
    except UnicodeDecodeError:
        return False
    return not magic and describe_controls(controls, size) is None


def _choose_legacy(open_file: OpenFile, head: bytes, broken_at: int) -> str:
    """Return the encoding of what is no valid UTF-8 from a byte on."""
    counts = LegacyCounts()
    before = b""
    for piece in _split_at_ascii(_read_blocks(open_file)):
        counts.add(piece, before=before)
        before = piece[-1:]
    codec = counts.choose_encoding(broken_at)
    if codec is None and (codec := guess_national(head, counts.high)) and not _can_decode(open_file, codec):
        codec = None
    if codec is None:
        raise make_unknown_error(broken_at)
    return codec


def _split_at_ascii(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes in pieces, each but the last ending with an ASCII byte."""
    waiting = b""
    for block in blocks:
        waiting += block
        end = len(waiting.rstrip(_HIGH_BYTES))
        if end:
            yield waiting[:end]
            waiting = waiting[end:]
    if waiting:
        yield waiting


def _can_decode(open_file: OpenFile, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        for block, final in _mark_last(_read_blocks(open_file)):
            decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
