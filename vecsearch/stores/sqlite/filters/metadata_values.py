"""The entries of the metadata index: a key or path, the kind of the value there, and the value as SQLite compares it.

Of a value of more than _TEXT_MAX characters only a digest stands there, which says what it is equal to. For more than that, and
for values that entries do not tell apart (`is_told_apart`), the metadata itself is read.
"""

from __future__ import annotations

import hashlib
import json
from enum import IntEnum
from typing import Any, Final, TypeAlias

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.json_values import find_values, is_number, iterate_paths
from vecsearch.core.settings import PATH_LENGTH_MAX
from vecsearch.core.types import JSON
from vecsearch.stores.sqlite.engine.stored_values import parse_stored_json

MetadataEntry: TypeAlias = tuple[str, int, Any]  # key, kind, value

ELEMENT: Final = 8  # what the elements of a list have more than their kind; they stand beside the list
_TEXT_MAX: Final = 1_000  # characters of a text, or of a list as JSON, that stand in the index too
_ROUNDED_FROM: Final = 2**63  # whole numbers from here on, up or down, stand as doubles


class ValueKind(IntEnum):
    """The type of a value. It is stored: a change here is a new format."""

    NULL = 0
    FALSE = 1
    TRUE = 2
    NUMBER = 3
    TEXT = 4
    LIST = 5
    OBJECT = 6
    LONG_TEXT = 7  # of more than _TEXT_MAX characters


_TEXT: Final = int(ValueKind.TEXT)


def get_value_kind(value: JSON) -> ValueKind:
    """Return the type of a value that json.loads gave."""
    match value:
        case str():
            return ValueKind.TEXT if len(value) <= _TEXT_MAX else ValueKind.LONG_TEXT
        case bool():
            return ValueKind.TRUE if value else ValueKind.FALSE
        case int() | float():
            return ValueKind.NUMBER
        case None:
            return ValueKind.NULL
        case list():
            return ValueKind.LIST
        case _:
            return ValueKind.OBJECT


def to_comparable(value: JSON) -> Any:
    """Return what SQLite holds and compares: numbers and text as they are, a list as JSON; of others the kind says all."""
    match value:
        case str():
            return value if len(value) <= _TEXT_MAX else _hash(value)
        case bool():
            return 0
        case int():
            return value if -(2**63) <= value < 2**63 else _to_float(value)
        case float():
            return value + 0.0  # SQLite holds no -0.0
        case list():
            encoded = _ENCODER.encode(value)
            return encoded if len(encoded) <= _TEXT_MAX else _hash(encoded)
        case _:
            return 0


def list_entries(stored: str) -> dict[MetadataEntry, None]:
    """Return the entries of a document's metadata, a JSON object; each once, in order. Raises DatabaseCorruptedError."""
    entries: dict[MetadataEntry, None] = {}
    if stored == "{}":
        return entries
    metadata = parse_stored_json(stored)
    if not isinstance(metadata, dict):
        raise DatabaseCorruptedError("the database is damaged: a document's metadata is no JSON object; see `vecsearch doctor`")
    for path, value in iterate_paths(metadata, length_max=PATH_LENGTH_MAX):
        if type(value) is str and len(value) <= _TEXT_MAX:
            entries[path, _TEXT, value] = None
        else:
            entries[path, int(get_value_kind(value)), to_comparable(value)] = None
        if isinstance(value, list):
            elements = (element for element in value if not isinstance(element, list | dict))
            entries.update(((path, ELEMENT + get_value_kind(element), to_comparable(element)), None) for element in elements)
    return entries


def find_stored_values(stored: str, key: str) -> tuple[JSON, ...]:
    """Return the one value under a key or path of a document's metadata; none where nothing is there."""
    metadata = parse_stored_json(stored)
    return find_values(metadata, key) if isinstance(metadata, dict) else ()


def is_told_apart(value: JSON) -> bool:
    """Return whether an entry is equal to that of a value only where the values are equal, and always then.

    Whole numbers of more than 64 bits stand as the nearest double, and equal lists and objects can be written differently.
    """
    if isinstance(value, list):
        return all(
            isinstance(element, str | bool | None) or (isinstance(element, list) and is_told_apart(element)) for element in value
        )
    return not isinstance(value, dict) and not (is_number(value) and abs(value) >= _ROUNDED_FROM)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _to_float(value: int) -> float:
    """Return a number of more than 64 bits as SQLite reads it from JSON."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
