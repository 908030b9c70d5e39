"""Work beside the caller's in a process of its own, for pure functions that keep Python's interpreter busy.

There is one helper a process. It is started by the first work that wants it, which does not wait for it, and ends when it has
had nothing to do for a while, or when its owner has ended. Whatever goes wrong with it costs time alone: the work is then done
by the caller.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from threading import Lock
from typing import Any, Final, TypeVar

from vecsearch.core.parallel import count_cores

_R = TypeVar("_R")
_MAIN: Final = "import sys; sys.path[:] = {path!r}; from vecsearch.core.helper_process import serve; serve({socket})"
_IDLE_SECONDS: Final = 10.0  # without work: then it ends
_ANSWER_SECONDS: Final = 120.0  # after so long it counts as stuck


class HelperProcess:
    """Computes one thing at a time; whoever comes meanwhile computes alone."""

    def __init__(self) -> None:
        """Set up a helper that is started when it is first wanted."""
        self._forget()

    def _forget(self) -> None:
        """Be as new: a forked child has no part in the helper of its parent."""
        self._in_use = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_ready = self._owes_answer = False

    @contextmanager
    def begin(self, function: Callable[..., _R], *arguments: Any) -> Iterator[Callable[[], _R]]:
        """Begin to compute a module's function of values that can be pickled; gives what returns its result, to be asked once.

        On one core, and while no helper is at hand, it is computed when its result is asked for.
        """
        compute = partial(function, *arguments)
        if count_cores() == 1 or not self._in_use.acquire(blocking=False):
            yield compute
            return
        try:
            begun = self._is_at_hand() and self._ask(function, arguments)
            yield partial(self._take_answer, compute) if begun else compute
        finally:
            if self._owes_answer:  # what it says next would be the answer to this
                self.stop()
            self._in_use.release()

    def stop(self) -> None:
        """End the process; the next work starts another."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.wait()
            self._connection.close()
        self._process = self._connection = None
        self._is_ready = self._owes_answer = False

    def _is_at_hand(self) -> bool:
        """Return whether it listens. It is started, which takes longer than most work, where it does not run."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._connection is None:
            self._start()
        elif not self._is_ready and self._connection.poll():
            self._is_ready = self._receive() is not None
        return self._is_ready

    def _start(self) -> None:
        ours, its = Pipe()
        with its:
            main = _MAIN.format(path=sys.path, socket=its.fileno())
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", main], pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError:
                ours.close()
            else:
                self._connection = ours

    def _ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
        assert self._connection is not None
        self._owes_answer = True
        try:
            self._connection.send((function, arguments))
        except OSError:
            return False
        return True

    def _take_answer(self, compute: Callable[[], _R]) -> _R:
        answer = self._receive()
        if answer is None:
            return compute()
        self._owes_answer = False
        result: _R = answer[0]
        return result

    def _receive(self) -> tuple[Any] | None:
        """Return the next answer; None where none comes."""
        assert self._connection is not None
        with suppress(EOFError, OSError):
            if self._connection.poll(_ANSWER_SECONDS):
                answer: tuple[Any] | None = self._connection.recv()
                return answer
        return None


def serve(socket: int, idle_seconds: float = _IDLE_SECONDS) -> None:
    """Answer what the owner asks, until nothing has been asked for a while."""
    with suppress(EOFError, OSError), Connection(socket) as connection:
        connection.send((None,))
        while connection.poll(idle_seconds):
            function, arguments = connection.recv()
            try:
                answer = (function(*arguments),)
            except Exception:  # the owner, who computes it then, raises it
                answer = None
            connection.send(answer)


HELPER: Final = HelperProcess()
os.register_at_fork(after_in_child=HELPER._forget)
atexit.register(HELPER.stop)
