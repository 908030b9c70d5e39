"""How a long run reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a long run."""

    def begin(self, total: int) -> None:
        """Take note of how much there is to do, in bytes or characters."""

    def advance(self, amount: float, chunks: int) -> None:
        """Take note that so much more is done, and so many more chunks have a vector."""


class NullProgress:
    """Reports to nobody."""

    def begin(self, total: int) -> None:
        """Do nothing."""

    def advance(self, amount: float, chunks: int) -> None:
        """Do nothing."""
