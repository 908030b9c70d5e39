"""How many cores this process may really use, and work that is done on all of them."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_T = TypeVar("_T")
_R = TypeVar("_R")
_BEGIN_WAIT_S: Final = 0.002  # for a helper, all of whom may be busy
_TURN_SECONDS: Final = 0.0002
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of work in each period


def count_cores() -> int:
    """Count the cores that the process may use, or fewer where a container's quota or $OMP_NUM_THREADS says so."""
    try:
        most = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        most = os.cpu_count() or 1
    most = min(most, _read_cpu_quota() or most)
    with suppress(KeyError, ValueError):
        most = min(most, int(os.environ["OMP_NUM_THREADS"]))
    return max(1, most)


@cache
def _read_cpu_quota() -> int | None:
    """Read the limit once: each search needs it."""
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return -(-int(quota) // int(period))
    return None


class _Turns:
    """How long a thread keeps the interpreter while others wait for it: `sys.setswitchinterval`, which is the whole process's."""

    def __init__(self) -> None:
        self._lock, self._users, self._usual = Lock(), 0, 0.0

    @contextmanager
    def shorten(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, _TURN_SECONDS))
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    sys.setswitchinterval(self._usual)

    def start_anew(self) -> None:
        """Set what a forked child has: none of the threads that wanted it otherwise."""
        if self._users:
            sys.setswitchinterval(self._usual)
        self._lock, self._users = Lock(), 0


_turns: Final = _Turns()


def map_parallel(work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Map `work` over the items, begun in order, as many at a time as there are cores; results keep the order of the items.

    It should spend its time where other threads can run. The caller's thread takes part, so that nothing waits for a helper
    that is busy elsewhere. The first error is raised once all have stopped.
    """
    helpers = min(count_cores(), len(items)) - 1
    if helpers < 1:
        return [work(item) for item in items]
    waiting = deque(enumerate(items))
    done: dict[int, _R] = {}

    def take() -> None:
        while True:
            try:
                place, item = waiting.popleft()
            except IndexError:
                return
            done[place] = work(item)

    helping = [_get_helper_pool().submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        waiting.clear()
        for other in helping:
            if not other.cancel():
                other.result()
    return [done[place] for place in range(len(items))]


def start(work: Callable[[], _R]) -> Callable[[], _R]:
    """Begin work beside the caller's; returns what waits for its result. On one core it is done when its result is asked for.

    It should soon come to where other threads can run: the caller, who may not let others run for long, waits until it has begun.
    Until it is done the threads of this process take turns more often: one that needs Python for a moment between two runs of a
    model would else wait 5 ms for one that computes in Python, and its core with it.
    """
    if count_cores() == 1:
        return cache(work)
    begun = Lock()
    begun.acquire()

    def run() -> _R:
        begun.release()
        with _turns.shorten():
            return work()

    waiting = _get_helper_pool().submit(run)
    begun.acquire(timeout=_BEGIN_WAIT_S)  # not an Event: an interruption may leave it locked, and the helper waiting for it
    return waiting.result


def _forget_threads() -> None:
    """Make a forked child start its own: it has none of its parent's."""
    _get_helper_pool.cache_clear()
    _turns.start_anew()


@cache
def _get_helper_pool() -> ThreadPoolExecutor:
    """Return the pool of helper threads, which is kept: a thread takes longer to start than a search may last."""
    from concurrent.futures import ThreadPoolExecutor

    os.register_at_fork(after_in_child=_forget_threads)
    return ThreadPoolExecutor(os.cpu_count(), "vecsearch")
