"""Interrupts that come from another thread while a thread attempts something, at any of its moments, once in an attempt."""

from __future__ import annotations

import ctypes
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

_LOOK_SECONDS = 0.0005


@dataclass
class Outcome:
    """What became of an attempt: it was `done`, with a `value`; or raised an `error`; or neither, as it was interrupted."""

    done: bool = False
    value: Any = None
    error: Exception | None = None
    interrupted: bool = False


class InterruptibleThread:
    """The thread that made it, which can be interrupted while it attempts something, and never else.

    A main thread gets SIGINT, once `handle_signals` was called there; any other thread gets an asynchronous exception.
    """

    def __init__(self) -> None:
        self._ident, self.is_main = threading.get_ident(), threading.current_thread() is threading.main_thread()
        self._lock = threading.Lock()
        self._number = 0  # of the attempt
        self._is_open = self._is_sent = self._is_received = False
        self.sent = 0

    def handle_signals(self) -> None:
        """Let SIGINT interrupt attempts of this main thread."""

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            self._is_received = True
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt)

    def attempt(self, work: Callable[[], Any], interrupter: Interrupter | None = None, delay: float = 0.0) -> Outcome:
        """Do something; the `interrupter` may interrupt it `delay` seconds later, if it is not over then."""
        outcome = Outcome()
        with self._lock:
            self._number += 1
            self._is_sent = self._is_received = False
            self._is_open = interrupter is not None
        try:
            if interrupter is not None:
                interrupter.request(self, self._number, delay)
            self._run(work, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
        while True:
            try:
                self._close()
                break
            except KeyboardInterrupt:  # at the last moment
                outcome.interrupted = True
        return outcome

    def _run(self, work: Callable[[], Any], outcome: Outcome) -> None:
        try:
            outcome.value = work()
            outcome.done = True
        except Exception as error:
            outcome.error = error

    def _close(self) -> None:
        with self._lock:
            self._is_open = False
        if self._is_sent and self.is_main:
            while not self._is_received:  # where it is lost in a destructor, it was received, too
                time.sleep(_LOOK_SECONDS)
        elif self._is_sent:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), None)

    def interrupt(self, number: int) -> None:
        """Interrupt the attempt of a number, if it is still going on. Call it from another thread."""
        with self._lock:
            if not self._is_open or number != self._number or self._is_sent:
                return
            self._is_sent = True
            self.sent += 1
            if self.is_main:
                signal.pthread_kill(self._ident, signal.SIGINT)
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), ctypes.py_object(KeyboardInterrupt))


class Interrupter:
    """A thread that interrupts others when they asked for it."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[InterruptibleThread, int, float] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def request(self, thread: InterruptibleThread, number: int, delay: float) -> None:
        """Ask for an interruption `delay` seconds from now."""
        self._requests.put((thread, number, time.monotonic() + delay))

    def stop(self) -> None:
        """End the thread."""
        self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            thread, number, due = request
            time.sleep(max(0.0, due - time.monotonic()))
            thread.interrupt(number)
