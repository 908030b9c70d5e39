"""What stands in a collection for the store that it let go."""

from __future__ import annotations

from typing import NoReturn

from vecsearch.core.errors import DatabaseClosedError


class ClosedStore:
    """Say where a store lies that is not used any more; whatever else is asked of it raises DatabaseClosedError."""

    def __init__(self, location: str, what: str) -> None:
        """Take the place of the store at `location`; `what` was closed, for the message."""
        self.location, self._what = location, what

    def close(self) -> None:
        """Do nothing: to close twice is no error."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what Python itself looks for
            raise AttributeError(name)
        raise DatabaseClosedError(f"{self._what} was closed; open it again: vecsearch.open({self.location!r})")
