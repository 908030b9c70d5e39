"""Work beside the caller's in a process of its own, for pure functions that keep Python's interpreter busy.

There is one helper a process. It is started by the first work that wants it, which does not wait for it, and ends when it has
had nothing to do for a while, or when its owner has ended. Whatever goes wrong with it costs time alone: the work is then done
by the caller.
"""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any, Final, Generic, TypeVar

from vecsearch.core.errors import ignore_os_errors, raise_foreign
from vecsearch.core.forks import make_lock
from vecsearch.core.memory_limits import keep_little_memory
from vecsearch.core.parallel import count_cores

_R = TypeVar("_R")
_MAIN: Final = "import sys; sys.path[:] = {path!r}; from vecsearch.core.helper_process import serve; serve({socket})"
_IDLE_SECONDS: Final = 10.0  # without work: then it ends
_ANSWER_SECONDS: Final = 120.0  # after so long it counts as stuck


class _Claim:
    """What whoever has the helper holds on to."""


class Computation(Generic[_R]):
    """What is computed once, by the helper where it has begun, else by whoever asks for the result."""

    def __init__(self, get_result: Callable[[], _R], is_under_way: Callable[[], bool] = lambda: False) -> None:
        self._get_result, self._is_under_way = get_result, is_under_way

    @property
    def is_under_way(self) -> bool:
        """Return whether the helper works on it: asked for the result now, one would wait."""
        return self._is_under_way()

    def __call__(self) -> _R:
        """Return the result; to be asked once."""
        self._is_under_way = lambda: False
        return self._get_result()


class HelperProcess:
    """Computes one thing at a time; whoever comes meanwhile computes alone."""

    def __init__(self) -> None:
        """Set up a helper that is started when it is first wanted."""
        self._forget()

    def _forget(self) -> None:
        """Be as new: a forked child has no part in the helper of its parent."""
        self._lock = make_lock()
        self._find_claim: Callable[[], _Claim | None] = lambda: None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_ready = self._owes_answer = False

    @contextmanager
    def begin(self, function: Callable[..., _R], *arguments: Any) -> Iterator[Computation[_R]]:
        """Begin to compute a module's function of values that can be pickled; gives what returns its result, to be asked once.

        On one core, and while no helper is at hand, it is computed when its result is asked for.
        """
        compute = partial(function, *arguments)
        claim = _Claim()
        if count_cores() == 1 or not self._take(claim):
            yield Computation(compute)
            return
        try:
            begun = self._is_at_hand() and self._ask(function, arguments)
            yield Computation(partial(self._take_answer, compute), self._is_computing) if begun else Computation(compute)
        finally:
            if self._owes_answer:  # what it says next would be the answer to this
                self.stop()
            del claim

    def _take(self, claim: _Claim) -> bool:
        """Claim the helper for as long as the claim lives, which no interruption outlasts; returns whether it was free."""
        with self._lock:
            if self._find_claim() is not None:
                return False
            self._find_claim = weakref.ref(claim)
        if self._owes_answer:  # the one before was interrupted
            self.stop()
        return True

    def stop(self) -> None:
        """End the process; the next work starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
        self._is_ready = self._owes_answer = False

    def _is_at_hand(self) -> bool:
        """Return whether it listens. It is started, which takes longer than most work, where it does not run."""
        if self._process is not None and (self._connection is None or self._process.poll() is not None):
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
            except OSError as error:
                ours.close()
                raise_foreign(error)
            else:
                self._connection = ours

    def _ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
        assert self._connection is not None
        self._owes_answer = True
        try:
            self._connection.send((function, arguments))
        except OSError as error:
            raise_foreign(error)
            return False
        return True

    def _is_computing(self) -> bool:
        if self._connection is None:
            return False
        look = select.poll()  # the connection's own makes far more for each look, and this is asked once for each file
        try:
            look.register(self._connection.fileno(), select.POLLIN)
            return not look.poll(0)
        except OSError as error:
            raise_foreign(error)
            return False

    def _take_answer(self, compute: Callable[[], _R]) -> _R:
        answer = self._receive()
        if answer is None:
            return compute()
        self._owes_answer = False
        result: _R = answer[0]
        return result

    def _receive(self) -> tuple[Any] | None:
        """Return the next answer; None where none comes. Interrupted in the middle of one, it hears nothing more."""
        connection, self._connection = self._connection, None
        assert connection is not None
        answer: tuple[Any] | None = None
        with suppress(EOFError), ignore_os_errors():
            if connection.poll(_ANSWER_SECONDS):
                answer = connection.recv()
        self._connection = connection
        return answer


def serve(socket: int, idle_seconds: float = _IDLE_SECONDS) -> None:
    """Answer what the owner asks, until nothing has been asked for a while."""
    keep_little_memory()
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
