"""The process that reads files: one request in, the file's items out, within limits that it sets itself before the first.

Whatever a file does to it (hang, crash, exhaust its memory) costs that file alone; `parsing` replaces the process.
"""

from __future__ import annotations

import hashlib
import os
import signal
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.settings import FRAME_CHARACTERS, PARSE_MEMORY_BYTES, PARSE_OUTPUT_CHARACTERS, PARSE_OUTPUT_RATIO
from vecsearch.core.types import Draft, Item
from vecsearch.documents import loaders, wire
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.text import NoText, NotText

KINDS: Final = {"not text": NotText, "no text": NoText, "unreadable": UnreadableFile}
_FILE_BYTES_MAX: Final = 256_000_000  # what a library may write into its temporary folder


def main() -> None:
    """Answer requests from stdin on stdout until there are no more."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # a library that prints must not end up among the answers
        os.dup2(nothing, stream)
    warnings.simplefilter("ignore")
    _limit()
    wire.send(answers, "ready")  # starting is no file's fault: the clock runs from here
    while True:
        try:
            request, _ = wire.receive(requests)
            _answer(request, answers)
        except (EOFError, BrokenPipeError):
            return


def _limit() -> None:
    """On systems without such limits the owner's clock is the only one."""
    try:
        import resource
    except ImportError:
        return
    limits = (("RLIMIT_DATA", PARSE_MEMORY_BYTES), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", _FILE_BYTES_MAX))
    for name, most in limits:
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    frames = _Frames(answers, request["seconds"])
    try:
        path = Path(request["path"])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest == request["known"]:
            frames.last(["unchanged"])
            return
        raw = Raw(request["name"], path.suffix.lower(), path=path, passwords=request["passwords"])
        most = max(PARSE_OUTPUT_CHARACTERS, path.stat().st_size * PARSE_OUTPUT_RATIO)
        for item in loaders.load(raw):
            most -= len(item.text) if isinstance(item, Draft) else 0
            if most < 0:
                raise UnreadableFile("gives far more text than its size allows: a bomb?")
            frames.add(item)
        frames.last(["end", digest])
    except UnreadableFile as error:
        kind = next(name for name, each in KINDS.items() if isinstance(error, each))
        frames.last(["failed", kind, str(error)])
    except MemoryError:
        frames.last(["failed", "unreadable", memory_said()])
    except OSError as error:
        frames.last(["failed", "unreadable", (error.strerror or str(error)).lower()])
    except Exception as error:  # a library's own: any file can be damaged in a new way
        frames.last(["failed", "unreadable", f"damaged: {_one_line(error)}"])


def memory_said() -> str:
    """Why a file that wants too much memory failed."""
    return f"needs more than {PARSE_MEMORY_BYTES // 1_000_000:,} MB of memory to be read"


def _one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class _Frames:
    """Items on their way out, many in a frame. An alarm ends the process when a file takes too long, even without an owner."""

    def __init__(self, stream: BinaryIO, seconds: float) -> None:
        self._stream, self._seconds = stream, seconds
        self._items: list[Any] = []
        self._characters = 0
        self._alarm(on=True)

    def add(self, item: Item) -> None:
        self._items.append(wire.packed(item))
        self._characters += len(item.text) if isinstance(item, Draft) else 100
        if self._characters >= FRAME_CHARACTERS:
            self._send({"items": self._items})

    def last(self, said: list[str]) -> None:
        self._alarm(on=False)
        self._send({"items": self._items, "said": said})

    def _send(self, frame: dict[str, Any]) -> None:
        self._alarm(on=False)  # who waits for a full pipe does not work
        wire.send(self._stream, frame)
        self._items, self._characters = [], 0
        self._alarm(on="said" not in frame)

    def _alarm(self, *, on: bool) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, self._seconds + 5 if on else 0)


if __name__ == "__main__":
    main()
