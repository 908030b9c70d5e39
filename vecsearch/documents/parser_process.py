"""Reads files in a process of its own, ahead of whoever wants what they say.

One file can neither hang, crash nor exhaust the program that asks: a worker that takes too long or dies is replaced, and its file
fails with the reason. Reading goes on while the answers are worked on, up to a few megabytes ahead.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.settings import PARSE_AHEAD_BYTES, PARSE_SECONDS, PARSE_SECONDS_PER_MB, PARSE_WAIT_RATIO
from vecsearch.documents import parser_worker, wire_format

_MAIN: Final = "import sys; sys.path[:] = {path!r}; from vecsearch.documents.parser_worker import main; main()"
Frame: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """A file to read. `name` is what its document's id will be; `known_digest` the sha256 of the bytes that need no reading."""

    path: Path
    name: str
    size: int = 0
    known_digest: str | None = None


class ParseResult:
    """What one file says, as it comes. Take all items before the next reading."""

    def __init__(self, request: ParseRequest, frames: Iterator[Frame]) -> None:
        self.request, self._frames = request, frames
        self.digest: str | None = None
        self.unchanged = False

    def read_items(self) -> Iterator[LoaderItem]:
        """Yield in the file's order; then `digest` is the sha256 of its bytes, or `unchanged` is True and there were no items.

        Raises BinaryFileError, EmptyFileError, or UnreadableFileError with the reason, perhaps after some items.
        """
        for frame in self._frames:
            yield from map(wire_format.unpack_item, frame["items"])
            match frame.get("status"):
                case ["unchanged"]:
                    self.unchanged = True
                case ["end", digest]:
                    self.digest = digest
                case ["failed", kind, reason]:
                    raise parser_worker.ERROR_KINDS.get(kind, UnreadableFileError)(reason)


class ParserProcess:
    """A worker process, made when it is first needed. Use in `with`: nothing of it stays behind."""

    def __init__(self, *, passwords: Sequence[str] = (), seconds: float = PARSE_SECONDS) -> None:
        """Limit a file to `seconds` of computing, more for large ones; by the clock a few times as much."""
        self._passwords, self._seconds = list(passwords), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._queue = _FrameQueue(PARSE_AHEAD_BYTES)
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="vecsearch-", ignore_cleanup_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._queue.stop()
        if self._process is not None:
            self._process.kill()  # the thread, which may be waiting for it, then ends too
        if self._thread is not None:
            self._thread.join()
        self._kill()
        if self._folder is not None:
            self._folder.cleanup()

    def read(self, requests: Iterable[ParseRequest]) -> Iterator[ParseResult]:
        """Yield each file in turn, while the next ones are read already. Once for a parser."""
        self._thread = Thread(target=self._pump, args=(iter(requests),), name="vecsearch-parsing", daemon=True)
        self._thread.start()
        while (request := self._queue.take()) is not None:
            reading = ParseResult(request, self._receive_frames())
            yield reading
            for _ in reading._frames:  # what the caller did not take
                pass
        if self._error is not None:
            raise self._error

    def _receive_frames(self) -> Iterator[Frame]:
        while True:
            frame = self._queue.take()
            if frame is None:
                raise UnreadableFileError("the parser was stopped")
            yield frame
            if "status" in frame:
                return

    # -- in the thread

    def _pump(self, requests: Iterator[ParseRequest]) -> None:
        try:
            for request in requests:
                self._queue.put(request, 0)
                for frame, size in self._request_frames(request):
                    self._queue.put(frame, size)
        except _ParserStoppedError:
            pass
        except BaseException as error:  # is raised where the readings are wanted
            self._error = error
        finally:
            self._queue.put_end()

    def _request_frames(self, request: ParseRequest) -> Iterator[tuple[Frame, int]]:
        """Yield the worker's frames; a last one of our own when it fails to give one."""
        seconds = self._seconds + request.size / 1e6 * PARSE_SECONDS_PER_MB
        left = limit = seconds * PARSE_WAIT_RATIO
        try:
            process = self._ensure_process()
            assert process.stdin is not None and process.stdout is not None
            wire_format.send(process.stdin, {
                "path": str(request.path), "name": request.name, "known": request.known_digest, "passwords": self._passwords,
                "seconds": seconds,
            })  # fmt: skip
            while True:
                started = monotonic()
                if not select.select([process.stdout], [], [], left)[0]:
                    raise TimeoutError
                frame, size = wire_format.receive(process.stdout)
                left = max(0.0, left - (monotonic() - started))
                yield frame, size
                if "status" in frame:
                    return
        except TimeoutError:
            self._kill()
            yield _make_failure_frame(f"took longer than {limit:.0f} seconds by the clock to be read"), 0
        except (EOFError, OSError):
            yield _make_failure_frame(self._explain_exit(seconds)), 0

    def _ensure_process(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            assert self._folder is not None
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN.format(path=sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True, bufsize=0, env={**os.environ, "TMPDIR": self._folder.name},
            )  # fmt: skip
            if self._queue.stopped:
                self._kill()
                raise _ParserStoppedError
            assert self._process.stdout is not None
            wire_format.receive(self._process.stdout)  # it says when it is ready
        return self._process

    def _explain_exit(self, seconds: float) -> str:
        self._kill(grace_seconds=1.0)
        status = 0 if self._process is None else self._process.returncode
        if status == -signal.SIGPROF:
            return f"took longer than {seconds:.0f} seconds to be read"
        if status in (-signal.SIGABRT, -signal.SIGKILL):  # what allocators do, and the system to the greediest
            return f"crashed its parser, or {parser_worker.format_memory_error()}"
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"crashed its parser ({name})"

    def _kill(self, *, grace_seconds: float = 0.0) -> None:
        process = self._process
        if process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class _ParserStoppedError(Exception):
    """Nobody wants the rest."""


class _FrameQueue:
    """A queue between the thread and its owner that holds so many bytes, and at least one thing."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._changed = Condition()
        self.stopped = self._ended = False

    def put(self, entry: Any, size: int) -> None:
        """Put an entry in when there is room for it. Raises _ParserStoppedError."""
        cost = size + 1_000
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or not self._entries or self._bytes + cost <= self._capacity)
            if self.stopped:
                raise _ParserStoppedError
            self._entries.append((entry, cost))
            self._bytes += cost
            self._changed.notify_all()

    def put_end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> Any:
        """Return the next thing; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._ended or self.stopped)
            if not self._entries:
                return None
            thing, cost = self._entries.popleft()
            self._bytes -= cost
            self._changed.notify_all()
            return thing

    def stop(self) -> None:
        with self._changed:
            self.stopped = True
            self._changed.notify_all()


def _make_failure_frame(reason: str) -> Frame:
    return {"items": [], "status": ["failed", "unreadable", reason]}
