"""What the newest filters hold for, remembered while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from vecsearch.core.filters import Filter
from vecsearch.core.settings import FILTER_CACHE_SIZE
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.vectors.faiss_segment import Ids


class Filtered:
    """The chunks that the newest filters hold for, as of one revision: who asks again with the same filter need not wait for it.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._at: tuple[int, int] = (0, 0)
        self._known: dict[str, Ids] = {}
        self._lock = Lock()

    def of(self, state: CollectionState, condition: Filter, find: Callable[[], Ids]) -> Ids:
        """What `find` gives, or gave for the same condition."""
        at, said = (state.id, state.revision), repr(condition)
        with self._lock:
            known = self._known.get(said) if self._at == at else None
        if known is not None:
            return known
        found = find()
        with self._lock:
            if self._at != at:
                self._at, self._known = at, {}
            elif len(self._known) >= FILTER_CACHE_SIZE:
                del self._known[next(iter(self._known))]
            self._known[said] = found
        return found
