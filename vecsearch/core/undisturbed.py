"""Load what must not be interrupted half-way: compiled libraries that cannot be loaded a second time in the same process."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

_R = TypeVar("_R")


def run_undisturbed(work: Callable[[], _R]) -> _R:
    """Return what `work` returns, or raise what it raises. A thread that no signal reaches does it.

    An interruption of the caller, who waits, lets the work come to its end.
    """
    results: list[_R] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run, name="vecsearch-loading")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
