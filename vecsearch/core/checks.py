"""Arguments at the border: what was expected, what came."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from vecsearch.core.errors import InputError
from vecsearch.core.settings import COLLECTION_NAME_MAX, LIMIT_MIN

_Choice = TypeVar("_Choice", bound=StrEnum)


def checked_choice(kind: type[_Choice], value: Any, what: str) -> _Choice:
    """The member of a closed choice. Raises InputError with all of them."""
    try:
        return kind(value)
    except ValueError as error:
        raise InputError(f"{what} must be one of {', '.join(kind)}, got {value!r}") from error


def checked_limit(limit: Any, what: str = "limit") -> int:
    """A number of answers, or of something else that is counted. Raises InputError."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < LIMIT_MIN:
        raise InputError(f"{what} must be a whole number of at least {LIMIT_MIN}, got {limit!r}")
    return min(limit, 2**53)


def checked_name(name: Any) -> str:
    """A collection's name: printable, not empty, of sensible length. Raises InputError."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > COLLECTION_NAME_MAX:
        raise InputError(f"a collection name is 1 to {COLLECTION_NAME_MAX} printable characters, got {name!r:.120}")
    return name


def checked_query(text: Any) -> str:
    """A query with something in it. Raises InputError."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"the query is empty: expected some words, got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the query is no valid Unicode at position {error.start}") from error
    return text.replace("\0", " ")
