"""What stands in the metadata of documents: their keys with types and ranges, the values of a key with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from vecsearch.core.json_values import find_values, iterate_paths
from vecsearch.core.results import Facets, KeySummary, ValueCount
from vecsearch.core.types import JSON, Metadata

CountedMetadata: TypeAlias = Iterable[tuple[Metadata, int]]  # metadata, and how many documents have it
_Scalar: TypeAlias = tuple[str, Any]  # type and value: True is no 1
_TYPES: Final = {str: "text", bool: "boolean", int: "number", float: "number", type(None): "null", list: "list", dict: "object"}
_RANGED: Final = ("number", "text")  # numbers where there are any, else texts, among which are dates


@dataclass(slots=True)
class _Tally:
    """What is known of one key so far."""

    documents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def add(self, value: JSON, count: int) -> None:
        kind = _get_type(value)
        self.documents += count
        self.types[kind] += count
        for element in _list_scalars(value):
            least, most = self.ranges.get(element[0], (element[1], element[1]))
            if element[0] in _RANGED:
                self.ranges[element[0]] = min(least, element[1]), max(most, element[1])

    def get_range(self) -> tuple[Any, Any]:
        """Return the least and the greatest of the numbers, or else of the texts."""
        return next((self.ranges[kind] for kind in _RANGED if kind in self.ranges), (None, None))


def summarize_keys(metadatas: CountedMetadata) -> list[KeySummary]:
    """Return the keys, and the paths below them, by name."""
    tallies: dict[str, _Tally] = {}
    for metadata, count in metadatas:
        for path, value in iterate_paths(metadata):
            tallies.setdefault(path, _Tally()).add(value, count)
    return [
        KeySummary(path, tally.documents, dict(sorted(tally.types.items())), *tally.get_range())
        for path, tally in sorted(tallies.items())
    ]


def count_values(metadatas: CountedMetadata, key: str, limit: int | None) -> Facets:
    """Return the values of a key or path, the most frequent first; each element of a list is one."""
    tally, counts, missing = _Tally(), Counter[_Scalar](), 0
    for metadata, count in metadatas:
        values = find_values(metadata, key)
        missing += 0 if values else count
        for value in values:
            tally.add(value, count)
            for scalar in dict.fromkeys(_list_scalars(value)):
                counts[scalar] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0][0], _make_sort_key(item[0][1])))
    values_found = tuple(ValueCount(value, count) for (_, value), count in ordered[:limit])
    least, most = tally.get_range()
    return Facets(key, tally.documents, missing, dict(sorted(tally.types.items())), least, most, len(counts), values_found)


def _get_type(value: JSON) -> str:
    return _TYPES[type(value)]


def _list_scalars(value: JSON) -> list[_Scalar]:
    """Return what a filter can compare a value to: itself, or the elements of a list."""
    parts = value if isinstance(value, list) else [value]
    return [(_get_type(part), part) for part in parts if not isinstance(part, list | dict)]


def _make_sort_key(value: Any) -> Any:
    return 0 if value is None else value
