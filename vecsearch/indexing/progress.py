"""How a long run tells how it goes."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how a long run goes."""

    def begin(self, total: int) -> None:
        """Take note of how much there is to do, in bytes or characters."""

    def advance(self, amount: float, chunks: int) -> None:
        """Take note that so much more is done, and so many more chunks have a vector."""


class NullProgress:
    """Tells nobody."""

    def begin(self, total: int) -> None:
        """Do nothing."""

    def advance(self, amount: float, chunks: int) -> None:
        """Do nothing."""
