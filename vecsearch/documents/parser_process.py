"""Reads files in a process of its own, ahead of whoever wants what they say.

One file can neither hang, crash nor exhaust the program that asks: a worker that takes too long or dies is replaced, and its file
fails with the reason. Reading goes on while the answers are worked on, up to a few megabytes ahead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from vecsearch.core.errors import UnreadableFileError, ignore_os_errors
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import (
    ASK_AHEAD_BYTES,
    PARSE_AHEAD_BYTES,
    PARSE_ALLOWED_SECONDS,
    PARSE_SECONDS,
    PARSE_SECONDS_PER_MB,
    PARSE_SPARE_SECONDS,
    PARSE_WAIT_RATIO,
)
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.core.tokenizer_window import TokenizerWindow
from vecsearch.core.types import Split
from vecsearch.core.undisturbed import run_undisturbed
from vecsearch.documents import parser_worker, wire_format
from vecsearch.documents.loaders.raw_file import MediaWish

_MAIN: Final = "import sys; sys.path[:] = {path!r}; from vecsearch.documents.parser_worker import main; main()"
_ASK_S: Final = 0.1  # how often, while nothing comes, whether to stop is asked
Frame: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """A file to read. `name` is what its document's id will be, or what the ids of its rows begin with; `known_digest` the digest
    of what needs no reading. With `rows` its rows are documents; `explicit`: the user named the file itself; `is_stream`: its
    name says nothing, it is told by how it begins. `media` says what is encoded itself. `split`: how its documents may come
    chunked, where the parser has a window to fit the chunks to, and time for it."""

    path: Path
    name: str
    size: int = 0
    known_digest: str | None = None
    rows: RowOptions | None = None
    explicit: bool = True
    is_stream: bool = False
    media: MediaWish = field(default_factory=MediaWish)
    split: Split | None = None


class ParseResult:
    """What one file says, as it comes. Take all items before the next reading."""

    def __init__(self, request: ParseRequest, frames: Iterator[Frame]) -> None:
        self.request, self._frames = request, frames
        self.digest: str | None = None
        self.unchanged = False
        self.rows: RowOptions | None = None

    def read_items(self) -> Iterator[LoaderItem]:
        """Yield in the file's order; then `digest` is that of its bytes and of `rows`, which says how its rows were read, or
        `unchanged` is True and there were no items.

        Raises BinaryFileError, EmptyFileError, or UnreadableFileError with the reason, perhaps after some items.
        """
        for frame in self._frames:
            yield from map(wire_format.unpack_item, frame["items"])
            match frame.get("status"):
                case ["unchanged"]:
                    self.unchanged = True
                case ["end", digest, rows]:
                    self.digest = digest
                    self.rows = None if rows is None else RowOptions.from_dict(rows)
                case ["failed", kind, reason]:
                    raise parser_worker.ERROR_KINDS.get(kind, UnreadableFileError)(reason)


class ParserProcess:
    """A worker process, made when it is first needed. Use in `with`: nothing of it stays behind."""

    def __init__(
        self, *, passwords: Sequence[str] = (), seconds: float = PARSE_SECONDS, stop: StopSignal = NO_STOP,
        window: TokenizerWindow | None = None,
    ) -> None:  # fmt: skip
        """Limit a file to `seconds` of computing, more for large ones; by the clock a few times as much. `window`: what documents
        are chunked for."""
        self._passwords, self._seconds, self._stop, self._window = list(passwords), seconds, stop, window
        self._worker: _Worker | None = None
        self._waiting: deque[tuple[ParseRequest, bytes]] = deque()  # requests, as they are sent, whose answers are to come …
        self._sent = 0  # … and how many of them the worker has
        self._asked_bytes = 0  # of all that wait
        self._folder: TemporaryDirectory[str] | None = None
        self._queue = _FrameQueue(PARSE_AHEAD_BYTES)
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="vecsearch-", ignore_cleanup_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._queue.stop()
        if (worker := self._worker) is not None:
            worker.kill()  # the thread, which may be waiting for it, then ends too
        if self._thread is not None and self._thread.ident is not None:  # else an interruption came before it was started
            self._thread.join()
        self._end_worker()
        if self._folder is not None:
            self._folder.cleanup()

    def read(self, requests: Iterable[ParseRequest], *, meanwhile: Callable[[], object] = lambda: None) -> Iterator[ParseResult]:
        """Yield each file in turn, while the next ones are read already. Once for a parser. `meanwhile` is called while the
        worker starts and reads the first.

        Told to stop, it raises RunStoppedError where the next file, or more of one, is taken; it does not wait for a slow one.
        """
        self._thread = Thread(target=self._pump, args=(iter(requests),), name="vecsearch-parsing", daemon=True)
        run_undisturbed(self._thread.start)
        meanwhile()
        while (request := self._take()) is not None:
            reading = ParseResult(request, self._receive_frames())
            yield reading
            for _ in reading._frames:  # what the caller did not take
                pass
        if self._error is not None:
            raise self._error

    def _receive_frames(self) -> Iterator[Frame]:
        while True:
            frame = self._take()
            if frame is None:
                raise UnreadableFileError("the parser was stopped")
            yield frame
            if "status" in frame:
                return

    def _take(self) -> Any:
        """Return what comes next; None after the last."""
        self._stop.check()
        while not self._queue.wait(_ASK_S):
            self._stop.check()
        return self._queue.take()

    # -- in the thread

    def _pump(self, requests: Iterator[ParseRequest]) -> None:
        try:
            while self._take_ahead(requests):
                request = self._waiting[0][0]
                self._queue.put(request, 0)
                for frame, size in self._receive_answer(request):
                    self._queue.put(frame, size)
                self._asked_bytes -= len(self._waiting.popleft()[1])
                self._sent -= 1
        except _ParserStoppedError:
            pass
        except BaseException as error:  # is raised where the readings are wanted
            self._error = error
        finally:
            self._queue.put_end()
            self._end_worker()

    def _take_ahead(self, requests: Iterator[ParseRequest]) -> bool:
        """Take the next requests, many at a time, no more than a pipe surely holds; returns whether there are any."""
        is_due = self._asked_bytes < ASK_AHEAD_BYTES / 2
        while is_due and self._asked_bytes < ASK_AHEAD_BYTES and (request := next(requests, None)) is not None:
            data = wire_format.pack({
                "path": str(request.path), "name": request.name, "known": request.known_digest,
                "seconds": self._compute_seconds(request), "explicit": request.explicit, "stream": request.is_stream,
                "rows": None if request.rows is None else request.rows.to_dict(),
                "media": sorted(request.media.kinds), "digests": request.media.digests,
                "split": None if request.split is None else request.split.value,
            })  # fmt: skip
            self._waiting.append((request, data))
            self._asked_bytes += len(data)
        return bool(self._waiting)

    def _compute_seconds(self, request: ParseRequest) -> float:
        return self._seconds + request.size / 1e6 * PARSE_SECONDS_PER_MB

    def _receive_answer(self, request: ParseRequest) -> Iterator[tuple[Frame, int]]:
        """Yield the worker's frames; a last one of our own when it fails to give one."""
        seconds = self._compute_seconds(request)
        left = limit = seconds * PARSE_WAIT_RATIO
        allowed = PARSE_ALLOWED_SECONDS
        try:
            worker = self._ensure_worker()
            self._send_ahead(worker)
            while True:
                started = monotonic()
                frame, size = worker.frames.receive(left)
                more = min(float(frame.pop("allow", 0.0)), allowed)  # a loader says how much it has to do
                seconds, limit, allowed = seconds + more, limit + more * PARSE_WAIT_RATIO, allowed - more
                left = max(0.0, left - (monotonic() - started)) + more * PARSE_WAIT_RATIO
                yield frame, size
                if "status" in frame:
                    return
        except TimeoutError:
            self._end_worker()
            yield _make_failure_frame(f"took longer than {limit:.0f} seconds by the clock to be read"), 0
        except (EOFError, OSError):
            yield _make_failure_frame(_explain_exit(self._end_worker(grace_seconds=1.0), seconds)), 0

    def _ensure_worker(self) -> _Worker:
        if self._worker is None:
            assert self._folder is not None
            self._worker = worker = _Worker(self._folder.name)
            self._sent = 0
            if self._queue.stopped:
                raise _ParserStoppedError
            worker.begin(self._passwords, self._window)
        return self._worker

    def _send_ahead(self, worker: _Worker) -> None:
        """Ask for all that waits, so that the worker need not wait for the next request."""
        unsent = [data for _, data in islice(self._waiting, self._sent, None)]
        self._sent += len(unsent)
        if unsent:
            with ignore_os_errors():  # it has ended: at which file is seen from its answers
                worker.send(b"".join(unsent))

    def _end_worker(self, *, grace_seconds: float = 0.0) -> int:
        """End the worker, which may be about to end by itself; returns its exit status. The next one is asked anew."""
        worker, self._worker = self._worker, None
        return 0 if worker is None else worker.end(grace_seconds)


class _Worker:
    """One process that reads files, until a file ends it."""

    def __init__(self, scratch: str) -> None:
        """Start it; what its libraries write goes into the folder `scratch`."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN.format(path=sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True, bufsize=0, env={**os.environ, "TMPDIR": scratch},
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        wire_format.widen(self._stdout)
        self.frames = wire_format.FrameReader(self._stdout)

    def begin(self, passwords: Sequence[str], window: TokenizerWindow | None) -> None:
        """Wait until it is ready. Raises EOFError, OSError."""
        values = None if window is None else [str(window.tokenizer_file), window.max_tokens, PARSE_SPARE_SECONDS]
        self.send(wire_format.pack({"passwords": list(passwords), "window": values}))
        self.frames.receive()

    def send(self, data: bytes) -> None:
        """Write some frames. Raises OSError."""
        view = memoryview(data)
        while view:  # a stream without a buffer may take a part
            view = view[self._stdin.write(view) :]

    def kill(self) -> None:
        """End it, and whoever waits for an answer."""
        self._process.kill()

    def end(self, grace_seconds: float) -> int:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_seconds)
        self._process.kill()
        status = self._process.wait()
        for stream in (self._stdin, self._stdout):
            with ignore_os_errors():
                stream.close()
        return status


def _explain_exit(status: int, seconds: float) -> str:
    if status == -signal.SIGPROF:
        return f"took longer than {seconds:.0f} seconds to be read"
    if status in (-signal.SIGABRT, -signal.SIGKILL):  # what allocators do, and the system to the greediest
        return f"crashed its parser, or {parser_worker.format_memory_error()}"
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"crashed its parser ({name})"


class _ParserStoppedError(Exception):
    """Nobody wants the rest."""


class _FrameQueue:
    """A queue between the thread and its owner that holds so many bytes, and at least one thing.

    It is made of queues that no interruption leaves half-way, as it may a `Condition`: the other thread would wait for ever.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: SimpleQueue[tuple[Any, int]] = SimpleQueue()
        self._freed: SimpleQueue[int] = SimpleQueue()  # bytes of what was taken, which the thread has not counted yet
        self._bytes = 0  # that the thread counts
        self._next: tuple[Any, int] | None = None  # is taken next
        self.stopped = False

    def put(self, entry: Any, size: int) -> None:
        """Put an entry in when there is room for it. Raises _ParserStoppedError."""
        cost = size + 1_000
        while not self.stopped and (not self._freed.empty() or (self._bytes and self._bytes + cost > self._capacity)):
            self._bytes -= self._freed.get()
        if self.stopped:
            raise _ParserStoppedError
        self._bytes += cost
        self._entries.put((entry, cost))

    def put_end(self) -> None:
        self._entries.put((None, 0))

    def wait(self, seconds: float) -> bool:
        """Wait a while for the next thing or the end; returns whether one of them is there."""
        with suppress(Empty):
            self._next = self._next or self._entries.get(timeout=seconds)
        return self._next is not None or self.stopped

    def take(self) -> Any:
        """Return the next thing, which was waited for; None at the end, however often."""
        thing, cost = self._next or (None, 0)
        if thing is not None:
            self._next = None
            self._freed.put(cost)
        return thing

    def stop(self) -> None:
        self.stopped = True
        self._freed.put(0)


def _make_failure_frame(reason: str) -> Frame:
    return {"items": [], "status": ["failed", "unreadable", reason]}
