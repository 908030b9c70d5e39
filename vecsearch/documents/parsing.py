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

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.settings import PARSE_AHEAD_BYTES, PARSE_SECONDS, PARSE_SECONDS_PER_MB
from vecsearch.core.types import Item
from vecsearch.documents import wire, worker

_MAIN: Final = "import sys; sys.path[:] = {path!r}; from vecsearch.documents.worker import main; main()"
Frame: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read. `name` is what its document's id will be; `known` the sha256 of the bytes that need no reading."""

    path: Path
    name: str
    size: int = 0
    known: str | None = None


class Reading:
    """What one file says, as it comes. Take all items before the next reading."""

    def __init__(self, request: Request, frames: Iterator[Frame]) -> None:
        self.request, self._frames = request, frames
        self.digest: str | None = None
        self.unchanged = False

    def items(self) -> Iterator[Item]:
        """In the file's order; then `digest` is the sha256 of its bytes, or `unchanged` is True and there were no items.

        Raises NotText, NoText, or UnreadableFile with the reason, perhaps after some items.
        """
        for frame in self._frames:
            yield from map(wire.unpacked, frame["items"])
            match frame.get("said"):
                case ["unchanged"]:
                    self.unchanged = True
                case ["end", digest]:
                    self.digest = digest
                case ["failed", kind, reason]:
                    raise worker.KINDS.get(kind, UnreadableFile)(reason)


class Parser:
    """A worker process, made when it is first needed. Use in `with`: nothing of it stays behind."""

    def __init__(self, *, passwords: Sequence[str] = (), seconds: float = PARSE_SECONDS) -> None:
        """`seconds`: how long a file may take, more for large ones."""
        self._passwords, self._seconds = list(passwords), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._ahead = _Ahead(PARSE_AHEAD_BYTES)
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="vecsearch-", ignore_cleanup_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ahead.stop()
        if self._process is not None:
            self._process.kill()  # the thread, which may be waiting for it, then ends too
        if self._thread is not None:
            self._thread.join()
        self._kill()
        if self._folder is not None:
            self._folder.cleanup()

    def read(self, requests: Iterable[Request]) -> Iterator[Reading]:
        """Each file in turn, while the next ones are read already. Once for a parser."""
        self._thread = Thread(target=self._pump, args=(iter(requests),), name="vecsearch-parsing", daemon=True)
        self._thread.start()
        while (request := self._ahead.take()) is not None:
            reading = Reading(request, self._frames())
            yield reading
            for _ in reading._frames:  # what the caller did not take
                pass
        if self._error is not None:
            raise self._error

    def _frames(self) -> Iterator[Frame]:
        while True:
            frame = self._ahead.take()
            if frame is None:
                raise UnreadableFile("the parser was stopped")
            yield frame
            if "said" in frame:
                return

    # -- in the thread

    def _pump(self, requests: Iterator[Request]) -> None:
        try:
            for request in requests:
                self._ahead.put(request, 0)
                for frame, size in self._answers(request):
                    self._ahead.put(frame, size)
        except _Stopped:
            pass
        except BaseException as error:  # is raised where the readings are wanted
            self._error = error
        finally:
            self._ahead.put_end()

    def _answers(self, request: Request) -> Iterator[tuple[Frame, int]]:
        """The worker's frames; a last one of our own when it fails to give one."""
        left = self._seconds + request.size / 1e6 * PARSE_SECONDS_PER_MB
        limit = left
        try:
            process = self._ready()
            assert process.stdin is not None and process.stdout is not None
            wire.send(process.stdin, {
                "path": str(request.path), "name": request.name, "known": request.known, "passwords": self._passwords,
                "seconds": left,
            })  # fmt: skip
            while True:
                started = monotonic()
                if not select.select([process.stdout], [], [], left)[0]:
                    raise TimeoutError
                frame, size = wire.receive(process.stdout)
                left = max(0.0, left - (monotonic() - started))
                yield frame, size
                if "said" in frame:
                    return
        except TimeoutError:
            self._kill()
            yield _failed(f"took longer than {limit:.0f} seconds to be read"), 0
        except (EOFError, OSError):
            yield _failed(self._cause_of_death(limit)), 0

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            assert self._folder is not None
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN.format(path=sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True, bufsize=0, env={**os.environ, "TMPDIR": self._folder.name},
            )  # fmt: skip
            if self._ahead.stopped:
                self._kill()
                raise _Stopped
            assert self._process.stdout is not None
            wire.receive(self._process.stdout)  # it says when it is ready
        return self._process

    def _cause_of_death(self, limit: float) -> str:
        self._kill(after=1.0)
        status = 0 if self._process is None else self._process.returncode
        if status == -signal.SIGALRM:
            return f"took longer than {limit:.0f} seconds to be read"
        if status in (-signal.SIGABRT, -signal.SIGKILL):  # what allocators do, and the system to the greediest
            return f"crashed its parser, or {worker.memory_said()}"
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"crashed its parser ({name})"

    def _kill(self, *, after: float = 0.0) -> None:
        process = self._process
        if process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class _Stopped(Exception):
    """Nobody wants the rest."""


class _Ahead:
    """A queue between the thread and its owner that holds so many bytes, and at least one thing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._changed = Condition()
        self.stopped = self._ended = False

    def put(self, thing: Any, size: int) -> None:
        """Waits for room. Raises _Stopped."""
        cost = size + 1_000
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or not self._things or self._bytes + cost <= self._most)
            if self.stopped:
                raise _Stopped
            self._things.append((thing, cost))
            self._bytes += cost
            self._changed.notify_all()

    def put_end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> Any:
        """The next thing; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._things or self._ended or self.stopped)
            if not self._things:
                return None
            thing, cost = self._things.popleft()
            self._bytes -= cost
            self._changed.notify_all()
            return thing

    def stop(self) -> None:
        with self._changed:
            self.stopped = True
            self._changed.notify_all()


def _failed(reason: str) -> Frame:
    return {"items": [], "said": ["failed", "unreadable", reason]}
