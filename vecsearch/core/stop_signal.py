"""How a long run is stopped from outside, as by another thread: it is asked for between steps, where nothing is half done.

A stop takes the way of an interruption, up to whoever began the run, who then returns a report of what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from vecsearch.core.errors import UsageError

_T = TypeVar("_T")


class RunStoppedError(Exception):
    """Ends a run in the middle. Does not leave the package."""


class StopSignal:
    """What a caller's `should_stop` says. Once it has said yes, that holds for all of the run (`is_set`)."""

    def __init__(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Take the caller's function, which is called in the thread of the run. Raises UsageError for what cannot be called."""
        if not callable(should_stop):
            raise UsageError(
                "should_stop must be a function that returns whether to stop, such as the is_set of a threading.Event; "
                f"got {type(should_stop).__name__}"
            )
        self._should_stop = should_stop
        self.is_set = False

    def ask(self) -> bool:
        """Return whether to stop."""
        self.is_set = self.is_set or bool(self._should_stop())
        return self.is_set

    def check(self) -> None:
        """Raise RunStoppedError if it is time to stop."""
        if self.ask():
            raise RunStoppedError

    def check_each(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield the items, and check before each."""
        for item in items:
            self.check()
            yield item


NO_STOP: Final = StopSignal()
