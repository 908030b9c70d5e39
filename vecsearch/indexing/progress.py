"""How a long run reports its progress: first texts, which are found by their words from then on, then vectors."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a long run."""

    def begin(self, total: int) -> None:
        """Take note of how much there is to read: in files, where files are indexed, else in bytes or characters."""

    def advance(self, amount: float, chunks: int) -> None:
        """Take note that so much more is read, and that so many more chunks are found by their words."""

    def begin_vectors(self, total: int) -> None:
        """Take note of how many chunks wait for a vector."""

    def advance_vectors(self, count: int) -> None:
        """Take note that so many more have one."""


class NullProgress:
    """Reports to nobody."""

    def begin(self, total: int) -> None:
        """Do nothing."""

    def advance(self, amount: float, chunks: int) -> None:
        """Do nothing."""

    def begin_vectors(self, total: int) -> None:
        """Do nothing."""

    def advance_vectors(self, count: int) -> None:
        """Do nothing."""
