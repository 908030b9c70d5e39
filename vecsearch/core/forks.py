"""A forked child has no thread but the one that forked: what the others held, or were in the middle of, stays so for ever.

So a fork waits until every other thread is outside the package, or at a point where it is in the middle of nothing: `pause`. The
locks of `make_lock` are free in a child. A thread may take long to come to such a point, as where it loads a model; then the
child is not waited for any longer, and what it asks of the package raises UnsafeForkError, where it would else wait for ever.

The hooks of a fork run in the order opposite to that in which modules registered them. Those that take a lock until after a
fork are imported here, so that they do so once the others rest, who may need it until then.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 (see above)
import logging  # noqa: F401
import os
import sys
import time
from collections.abc import Callable, Iterator
from threading import RLock, get_ident
from types import FrameType
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from vecsearch.core.errors import UnsafeForkError

_T = TypeVar("_T")
_PACKAGE: Final = __name__.partition(".")[0]
_WAIT_SECONDS: Final = 10.0  # of a fork, for the other threads
_LOOK_SECONDS: Final = 0.001
_locks: Final[WeakValueDictionary[int, Any]] = WeakValueDictionary()
_tidying: Final[list[Callable[[], bool]]] = []


class _Forks:
    """What this process knows of its forks."""

    def __init__(self) -> None:
        self.threads: dict[int, float] = {}  # that are about to fork, and until when the others wait for them
        self.unsafe: set[int] = set()  # of them, those that have not seen every other thread in the middle of nothing
        self.is_unsafe = False  # this process came from such a fork


_forks: Final = _Forks()


def make_lock() -> RLock:
    """Return a lock that is free in a forked child, unless the thread that forked holds it.

    Use it in `with`, which alone gives it back whenever an interruption comes.
    """
    lock = RLock()
    _locks[id(lock)] = lock
    return lock


def run_before_forks(tidy: Callable[[], bool]) -> None:
    """Call a function before each fork, once every other thread rests; it returns whether there was anything to do."""
    _tidying.append(tidy)


def check_usable() -> None:
    """Raise UnsafeForkError in a child that was forked while another thread was in the middle of something."""
    if _forks.is_unsafe:
        raise UnsafeForkError(
            "this process was forked while another thread of its parent was in the middle of work in vecsearch, whose libraries "
            'are of no use here; fork before threads use vecsearch, or start processes with the method "spawn"'
        )


def pause() -> None:
    """Let other threads fork here, where the caller is in the middle of nothing that a child could need.

    Raises UnsafeForkError; see `check_usable`.
    """
    check_usable()
    if _forks.threads and not any(map(_is_held, iterate_living(_locks))):
        _wait_for_forks()


def sleep(seconds: float) -> None:
    """Sleep, and let other threads fork meanwhile."""
    pause()
    time.sleep(seconds)


def _wait_for_forks() -> None:
    own = get_ident()
    while any(thread != own and time.monotonic() < end for thread, end in list(_forks.threads.items())):
        time.sleep(_LOOK_SECONDS)


def iterate_living(things: WeakValueDictionary[int, _T]) -> Iterator[_T]:
    """Yield what is there, whatever other threads add meanwhile."""
    return (thing for reference in things.valuerefs() if (thing := reference()) is not None)


def _is_held(lock: Any) -> bool:
    """Return whether the calling thread holds a lock."""
    return bool(lock._is_owned())


def _is_at_rest(innermost: FrameType) -> bool:
    """Return whether a thread is outside the package or, inside, sleeps, or waits for another thread."""
    if innermost.f_globals.get("__name__") == "threading":
        return True
    frame: FrameType | None = innermost
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
            return frame.f_code in _RESTING
        frame = frame.f_back
    return True


def _wait_for_threads() -> None:
    """Wait until no other thread is in the middle of anything, but not for ever."""
    own, end = get_ident(), time.monotonic() + _WAIT_SECONDS
    _forks.unsafe.add(own)  # and stays so where an interruption ends the wait
    _forks.threads[own] = end + 1
    while True:
        rest = all(_is_at_rest(frame) for thread, frame in sys._current_frames().items() if thread != own)
        if rest and not any(tidy() for tidy in _tidying):  # which lets others run: then look again
            _forks.unsafe.discard(own)
            return
        if time.monotonic() > end:
            return
        if not rest:
            time.sleep(_LOOK_SECONDS)


def _finish_in_parent() -> None:
    _forks.threads.pop(get_ident(), None)
    _forks.unsafe.discard(get_ident())


def _begin_in_child() -> None:
    _forks.is_unsafe |= get_ident() in _forks.unsafe
    _forks.threads.clear()
    _forks.unsafe.clear()
    for lock in iterate_living(_locks):
        if not _is_held(lock):
            lock._at_fork_reinit()


_RESTING: Final = frozenset(function.__code__ for function in (_wait_for_forks, sleep, _wait_for_threads))
os.register_at_fork(before=_wait_for_threads, after_in_parent=_finish_in_parent, after_in_child=_begin_in_child)
