"""What must not be interrupted half-way: to load compiled libraries, which cannot be loaded a second time in the same process,
and to use a handle that no object holds."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import Final, TypeVar

_R = TypeVar("_R")
_WAIT_SECONDS: Final = 10.0  # for the work, after an interruption


def run_undisturbed(work: Callable[[], _R]) -> _R:
    """Return what `work` returns, or raise what it raises. A thread that no signal reaches does it.

    An interruption of the caller, who waits, is raised once the work has come to its end. It is a bare thread, awaited by a bare
    lock: `threading.Thread` keeps a lock for ever, which its thread needs, where an interruption comes while it starts.
    """
    results: list[_R] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()

    def run(ending: _Ending) -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            del ending  # which the traceback of an error would keep

    done.acquire()
    try:
        _thread.start_new_thread(run, (_Ending(done),))
        with done:
            pass
    except RuntimeError:  # no thread could be started
        raise
    except BaseException:
        done.acquire(timeout=_WAIT_SECONDS)
        raise
    if errors:
        raise errors[0]
    if not results:
        raise KeyboardInterrupt  # which ended the thread before its work began
    return results[0]


class _Ending:
    """Tells that a thread has ended, in whatever way: it lives as long as the thread refers to it.

    An exception that is sent to the caller (`PyThreadState_SetAsyncExc`) while the thread starts comes to the thread, before its
    first step: until then both have one number.
    """

    def __init__(self, done: _thread.LockType) -> None:
        self._done = done

    def __del__(self) -> None:
        if (done := getattr(self, "_done", None)) is not None:  # else an interruption came while this was made
            done.release()
