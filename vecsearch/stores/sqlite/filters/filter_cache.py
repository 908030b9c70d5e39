"""What the newest filters hold for, remembered while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vecsearch.core.forks import make_lock
from vecsearch.core.settings import FILTER_CACHE_BYTES, FILTER_CACHE_SIZE
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.collections import CollectionState

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter


class FilterCache:
    """The chunks that the newest filters hold for, as of one version: a filter that is used again costs nothing.

    Holds at most FILTER_CACHE_SIZE results and FILTER_CACHE_BYTES. Safe to share between threads.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._version: tuple[int, int] = (0, 0)
        self._results: dict[str, Ids] = {}  # the oldest first
        self._lock = make_lock()

    def get(self, state: CollectionState, where: Filter, find: Callable[[], Ids]) -> Ids:
        """Return what `find` returns, or has returned for the same filter."""
        version, key = (state.id, state.data_version), repr(where)
        with self._lock:
            cached = self._results.get(key) if self._version == version else None
        if cached is not None:
            return cached
        ids = find()
        with self._lock:
            if self._version != version:
                self._version, self._results = version, {}
            self._store(key, ids)
        return ids

    def _store(self, key: str, ids: Ids) -> None:
        if ids.nbytes > FILTER_CACHE_BYTES:
            return
        self._results[key] = ids
        while len(self._results) > FILTER_CACHE_SIZE or self._count_bytes() > FILTER_CACHE_BYTES:
            del self._results[next(iter(self._results))]

    def _count_bytes(self) -> int:
        return sum(ids.nbytes for ids in self._results.values())
