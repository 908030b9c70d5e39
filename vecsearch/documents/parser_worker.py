"""The process that reads files: one request in, the file's items out, within limits that it sets itself before the first.

Whatever a file does to it (hang, crash, exhaust its memory) costs that file alone; `parser_process` replaces the process.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import warnings
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeGuard

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.memory_limits import extend_memory_limit, set_limit
from vecsearch.core.parsed import LoaderItem, MediaContent, MediaKind, ParsedDocument
from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import (
    FRAME_CHARACTERS,
    PARSE_MEMORY_BYTES,
    PARSE_OUTPUT_CHARACTERS,
    PARSE_OUTPUT_RATIO,
    PARSE_WAIT_RATIO,
)
from vecsearch.core.types import Split
from vecsearch.documents import loaders, wire_format
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders.media import READERS, is_reader_missing
from vecsearch.documents.loaders.raw_file import MediaWish, RawFile

if TYPE_CHECKING:
    from vecsearch.documents.rows.row_documents import OpenRows

ERROR_KINDS: Final = {"not text": BinaryFileError, "no text": EmptyFileError, "unreadable": UnreadableFileError}
_OWNER_FIRST_SECONDS: Final = 5.0  # the owner, who can say what happened, ends a file that hangs; this process only without one
_SHORT_CHARACTERS: Final = 2_000  # of a text that its owner chunks while it would be told of the chunks
_SPARE_SECONDS_MAX: Final = 10.0  # that were spent waiting, and are spent on chunks then
_CHUNKER_BYTES: Final = 160_000_000  # of memory for NumPy, the tokenizer and the words that are known
_LONG_CHARACTERS: Final = 1_000_000  # of a text that takes long to be cut into chunks, which is no fault of its own
_CHUNK_SECONDS_PER_MB: Final = 10.0
_TICK_SECONDS: Final = 0.01  # a timer of zero would never ring
_FILE_BYTES_MAX: Final = 256_000_000  # what a library may write into its temporary folder


def main() -> None:
    """Answer requests from stdin on stdout until there are no more; passwords come first."""
    requests, answers = wire_format.FrameReader(os.fdopen(os.dup(0), "rb")), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # a library that prints must not end up among the answers
        os.dup2(nothing, stream)
    warnings.simplefilter("ignore")
    _limit()
    options, _ = requests.receive()
    passwords, window = options["passwords"], options["window"]
    chunker = None if window is None else _Chunker(*window)
    wire_format.send(answers, "ready")  # starting is no file's fault: the clock runs from here
    while True:
        try:
            request, _ = requests.receive()
            _answer(request, passwords, chunker, answers)
        except (EOFError, BrokenPipeError):
            return


def _limit() -> None:
    """Limit the memory and the files of this process."""
    limits = (("RLIMIT_DATA", PARSE_MEMORY_BYTES), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", _FILE_BYTES_MAX))
    for name, most in limits:
        set_limit(getattr(resource, name), most)


def _answer(request: dict[str, Any], passwords: list[str], chunker: _Chunker | None, answers: BinaryIO) -> None:
    frames = _FrameWriter(answers, request["seconds"], chunker, None if request["split"] is None else Split(request["split"]))
    try:
        frames.finish(_read(request, passwords, frames))
        return
    except MemoryError:
        frames.drop()  # what could not be sent cannot be sent once more
    frames.finish(["failed", "unreadable", format_memory_error()])  # by now nothing is held of a file that was too large


def _read(request: dict[str, Any], passwords: list[str], frames: _FrameWriter) -> list[Any]:
    """Send the items of a file; returns what became of it. Raises MemoryError."""
    try:
        path = Path(request["path"])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        suffix = ".jsonl" if request["stream"] else path.suffix.lower()
        media = MediaWish(frozenset(map(MediaKind, request["media"])), request["digests"])
        raw = RawFile(request["name"], suffix, path=path, passwords=passwords, extend_time=frames.extend_time, media=media)
        rows = _open_rows(raw, request)
        read_as = None if rows is None else rows.options.to_dict()
        if read_as is not None:  # the same bytes, read otherwise, give other documents
            digest = _hash(digest, json.dumps(read_as))
        if media.kinds and loaders.can_hold_media(suffix):
            digest = _hash(digest, *sorted(media.kinds))
        if request["known"] is not None and _is_unchanged(request["known"], digest):
            return ["unchanged"]
        most = max(PARSE_OUTPUT_CHARACTERS, path.stat().st_size * PARSE_OUTPUT_RATIO)
        for item in loaders.load(raw, None if rows is None else rows.read_items()):
            most -= len(item.text) if isinstance(item, ParsedDocument) else 0
            if most < 0:
                raise UnreadableFileError("gives far more text than its size allows: a bomb?")
            frames.add(item)
        return ["end", _hash(digest, *sorted(raw.lacks)) if raw.lacks else digest, read_as]
    except UnreadableFileError as error:
        kind = next(name for name, error_class in ERROR_KINDS.items() if isinstance(error, error_class))
        return ["failed", kind, str(error)]
    except OSError as error:
        return ["failed", "unreadable", (error.strerror or str(error)).lower()]
    except MemoryError:
        raise
    except Exception as error:  # a library's own: any file can be damaged in a new way
        return ["failed", "unreadable", f"damaged: {_format_error(error)}"]


def _hash(digest: str, *facts: str) -> str:
    """Return a digest that says, beside the bytes, how they were read: the same bytes, read otherwise, give other documents."""
    return hashlib.sha256("\0".join((digest, *facts)).encode()).hexdigest()


def _is_unchanged(known: str, digest: str) -> bool:
    """Return whether a file is as it was read before: the readers that it lacked, if any, are not here now either."""
    lacked = (some for count in range(len(READERS) + 1) for some in combinations(sorted(READERS), count))
    return any(known == (_hash(digest, *some) if some else digest) and all(map(is_reader_missing, some)) for some in lacked)


def _open_rows(raw: RawFile, request: dict[str, Any]) -> OpenRows | None:
    """Return the rows of a file that has any, where they are wanted."""
    if request["rows"] is None:
        return None
    if request["stream"]:
        from vecsearch.documents.rows.stream_format import open_stream_rows

        return open_stream_rows(raw, RowOptions.from_dict(request["rows"]))
    from vecsearch.documents.rows.row_documents import open_rows

    return open_rows(raw, RowOptions.from_dict(request["rows"]), explicit=request["explicit"])


def format_memory_error() -> str:
    """Return why a file that wants too much memory failed."""
    return f"needs more than {PARSE_MEMORY_BYTES // 1_000_000:,} MB of memory to be read"


def _format_error(error: BaseException) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


class _Chunker:
    """Makes the chunks of documents in the time that this process else would wait for its owner, who makes the others."""

    def __init__(self, tokenizer_file: str, max_tokens: int, spare_seconds: float) -> None:
        self._tokenizer_file, self._max_tokens, self._spare_seconds = tokenizer_file, max_tokens, spare_seconds

    def note_wait(self, seconds: float) -> None:
        """Note how long the owner was waited for."""
        self._spare_seconds = min(self._spare_seconds + seconds, _SPARE_SECONDS_MAX)

    def is_due(self, item: LoaderItem) -> TypeGuard[ParsedDocument]:
        return isinstance(item, ParsedDocument) and len(item.text) >= _SHORT_CHARACTERS and self._spare_seconds > 0

    def add_chunks(self, document: ParsedDocument, split: Split) -> ParsedDocument:
        """Return a document with its chunks; as it is, where its text is no Unicode, which its owner reports."""
        begun = perf_counter()
        try:
            return self._make_chunks(document, split)
        except (UnicodeError, TypeError, ValueError):
            return document
        finally:
            self._spare_seconds -= perf_counter() - begun

    @lazy_property
    def _make_chunks(self) -> Callable[[ParsedDocument, Split], ParsedDocument]:
        """Load what chunking takes, beside what a file may take."""
        extend_memory_limit(_CHUNKER_BYTES)
        from vecsearch.core.tokenizer_window import TokenizerWindow
        from vecsearch.documents.chunk_inputs import add_chunks

        return partial(add_chunks, window=TokenizerWindow(Path(self._tokenizer_file), self._max_tokens))


class _FrameWriter:
    """Send items to the owner, many in a frame, a portion of a long text at once.

    The process ends when a file takes too long: more than `seconds` of computing, or, even without an owner, much longer by the
    clock. Who waits for a full pipe does not work: both timers stand still then.
    """

    def __init__(self, stream: BinaryIO, seconds: float, chunker: _Chunker | None, split: Split | None) -> None:
        self._stream, self._chunker, self._split = stream, chunker, split
        self._seconds_left = seconds
        self._wait_seconds = seconds * PARSE_WAIT_RATIO + _OWNER_FIRST_SECONDS
        self._items: list[Any] = []
        self._characters = 0
        self._start_timers()

    def add(self, item: LoaderItem) -> None:
        if self._chunker is not None and self._split is not None and self._chunker.is_due(item):
            if len(item.text) >= _LONG_CHARACTERS:
                self.extend_time(len(item.text) / 1e6 * _CHUNK_SECONDS_PER_MB)
            item = self._chunker.add_chunks(item, self._split)
        self._items.append(wire_format.pack_item(item))
        self._characters += _measure(item)
        is_portion = isinstance(item, ParsedDocument) and item.portion is not None
        if is_portion or self._characters >= FRAME_CHARACTERS:
            self._send({"items": self._items})

    def extend_time(self, seconds: float) -> None:
        """Let the file take so much longer, and tell the owner: a loader knows what it has to do, its file's size does not."""
        self._send({"items": self._items, "allow": seconds}, more=seconds)

    def drop(self) -> None:
        """Forget what was not sent yet."""
        self._items, self._characters = [], 0

    def finish(self, status: list[Any]) -> None:
        self._send({"items": self._items, "status": status})

    def _send(self, frame: dict[str, Any], *, more: float = 0.0) -> None:
        self._stop_timers()
        self._seconds_left += more
        self._wait_seconds += more * PARSE_WAIT_RATIO
        begun = perf_counter()
        wire_format.send(self._stream, frame)
        if self._chunker is not None:
            self._chunker.note_wait(perf_counter() - begun)
        self._items, self._characters = [], 0
        if "status" not in frame:
            self._start_timers()

    def _start_timers(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, self._seconds_left)
        signal.setitimer(signal.ITIMER_REAL, self._wait_seconds)

    def _stop_timers(self) -> None:
        self._seconds_left = max(signal.setitimer(signal.ITIMER_PROF, 0)[0], _TICK_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _measure(item: LoaderItem) -> int:
    """Return about how many characters an item takes."""
    match item:
        case ParsedDocument():
            return len(item.text) + 100 * len(item.media)
        case MediaContent():
            return len(item.data)
        case _:
            return 100


if __name__ == "__main__":
    main()
