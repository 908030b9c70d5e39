"""Values of JSON as words: each with its name, a record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def format_values(value: Any, name: str = "") -> str:
    """Return all that a value says in one line, "name: value; name: value"; what lies inside it has a name of several parts."""
    return "; ".join(f"{path}: {text}" if path else text for path, text in _iter_values(value, name))


def has_rows(value: Any) -> bool:
    """Return whether there is a list in it of more than words and numbers, which are rows to a reader."""
    if isinstance(value, dict):
        return any(map(has_rows, value.values()))
    return isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value)


def join_name(name: str, key: str) -> str:
    """Return the name of a member."""
    return f"{name}.{key}" if name and key else name or key


def _iter_values(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _iter_values(member, join_name(name, " ".join(key.split())))
    elif isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        for entry in value:
            yield from _iter_values(entry, name)
    elif text := ", ".join(filter(None, map(_format_scalar, value if isinstance(value, list) else [value]))):
        yield name, text


def _format_scalar(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
