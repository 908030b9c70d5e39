"""How deeply values and JSON texts are nested, measured with a loop.

json, repr, copy and pickle recurse: what they do with a value nested too deeply depends on the recursion limit of the process,
which a host may have raised so far that its stack overflows first. Whatever a user or a file brings is therefore measured here
before anything else touches it.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final

NESTING_MAX: Final = 100  # lists and mappings inside each other that a stored value may have
_TEXT_NESTING_MAX: Final = 2 * NESTING_MAX  # of a text, in which values stand inside records
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)  # a string, closed or not, or a bracket


class NestingError(ValueError):
    """A JSON text is nested too deeply to be read."""


def is_nested_too_deeply(value: Any, limit: int = NESTING_MAX) -> bool:
    """Return whether more than `limit` containers lie inside each other; true of a container that holds itself."""
    depths: dict[int, int] = {}  # of each container, by its identity, the deepest place where it was met
    pending = [(value, 1)] if _is_container(value) else []
    while pending:
        container, depth = pending.pop()
        if depth > limit:
            return True
        if depths.get(id(container), 0) < depth:
            depths[id(container)] = depth
            pending.extend((child, depth + 1) for child in _iter_children(container) if _is_container(child))
    return False


def is_json_nested_too_deeply(text: str, limit: int = _TEXT_NESTING_MAX) -> bool:
    """Return whether more than `limit` arrays and objects are open at once in a JSON text, sound or not."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                if depth > limit:
                    return True
            case "]" | "}":
                depth -= 1
    return False


def load_json(text: str | bytes, **options: Any) -> Any:
    """Return the value of a JSON text. Raises ValueError, NestingError among them; `options` are those of json."""
    if isinstance(text, bytes | bytearray):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if len(text) > _TEXT_NESTING_MAX and is_json_nested_too_deeply(text):
        raise NestingError(f"nested too deeply: more than {_TEXT_NESTING_MAX} levels")
    return json.loads(text, **options)


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple | set | frozenset | deque | Mapping)


def _iter_children(container: Any) -> Iterable[Any]:
    return chain(container, container.values()) if isinstance(container, Mapping) else container
