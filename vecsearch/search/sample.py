"""What a few chunks tell of a whole collection: learned when it is first asked for, again when the few are others."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from vecsearch.core.forks import make_lock
from vecsearch.stores.base import Ids, Snapshot

T = TypeVar("T")


class SampleCache(Generic[T]):
    """What was learned of a steady sample, which changes seldom. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        """Start empty; learn from at most `size` chunks."""
        self._size = size
        self._version: Hashable = None
        self._learned_from: Hashable = None
        self._learned: T | None = None
        self._lock = make_lock()

    def get(self, snapshot: Snapshot, learn: Callable[[Ids], T], *, state: Hashable = None) -> T:
        """Return what `learn` returns for the sample of a collection that holds a chunk.

        While the version is the same, not even the sample is asked for; what was learned is kept while the sample is, and
        `state`: whatever else it hangs on.
        """
        with self._lock:
            if self._learned is None or self._version != snapshot.info.version:
                chunks = snapshot.sample_chunks(self._size, steady=True)
                learned_from = chunks.tobytes(), state
                if self._learned is None or self._learned_from != learned_from:
                    self._learned, self._learned_from = learn(chunks), learned_from
                self._version = snapshot.info.version
            return self._learned
