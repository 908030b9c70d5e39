"""What the newest filters hold for, remembered while nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

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
        self._results: dict[Hashable, Ids] = {}  # the oldest first
        self._lock = make_lock()

    def get(self, state: CollectionState, where: Filter, find: Callable[[], Ids]) -> Ids:
        """Return what `find` returns, or has returned for the same filter."""
        version, key = (state.id, state.data_version), identify_filter(where)
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

    def _store(self, key: Hashable, ids: Ids) -> None:
        if ids.nbytes > FILTER_CACHE_BYTES:
            return
        self._results[key] = ids
        while len(self._results) > FILTER_CACHE_SIZE or self._count_bytes() > FILTER_CACHE_BYTES:
            del self._results[next(iter(self._results))]

    def _count_bytes(self) -> int:
        return sum(ids.nbytes for ids in self._results.values())


def identify_filter(condition: Filter) -> Hashable:
    """Return what is equal for filters of the same meaning alone; see `json_values.identify_value`."""
    from vecsearch.core.filters import And, Not, Or

    parts: Iterable[Hashable]
    match condition:
        case Not(term=term):
            parts = (identify_filter(term),)
        case And(terms=terms) | Or(terms=terms):
            parts = map(identify_filter, terms)
        case _:
            parts = (_identify_part(getattr(condition, field.name)) for field in fields(condition))
    return (type(condition).__name__, *parts)


def _identify_part(part: Any) -> Hashable:
    from vecsearch.core.filters import Comparison, DocumentField
    from vecsearch.core.json_values import identify_value

    return (type(part).__name__, part.name) if isinstance(part, Comparison | DocumentField) else identify_value(part)
