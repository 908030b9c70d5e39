"""What the newest filters hold for, remembered while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from vecsearch.core.conditions import Condition
from vecsearch.core.settings import FILTERS_KEPT
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.vectors import Ids


class Filtered:
    """The chunks that the newest filters hold for, as of one revision: who asks again with the same filter need not wait for it.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._at: tuple[int, int] = (0, 0)
        self._known: dict[str, Ids] = {}
        self._lock = Lock()

    def of(self, state: CollectionState, condition: Condition, find: Callable[[], Ids]) -> Ids:
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
            elif len(self._known) >= FILTERS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[said] = found
        return found
