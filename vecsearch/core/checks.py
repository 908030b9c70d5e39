"""Arguments at the border: what was expected, what came."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from numbers import Integral
from operator import index
from typing import Any, Final, TypeVar

from vecsearch.core.errors import InputError, UsageError
from vecsearch.core.nesting import is_nested_too_deeply
from vecsearch.core.settings import COLLECTION_NAME_MAX, LIMIT_MIN

_Choice = TypeVar("_Choice", bound=StrEnum)
GRADE_MAX: Final = 1_000  # of a judgement; the measures keep a table as long as the highest grade
_COUNT_MAX: Final = 2**53  # more than there can be of anything, and no more than SQLite counts to


def shorten_repr(value: Any, *, limit: int = 80) -> str:
    """Return a value as text for a one-line message: cut when it is long, and never an error itself."""
    try:
        text = f"a deeply nested {type(value).__name__}" if is_nested_too_deeply(value) else repr(value)
    except Exception:  # thousands of digits, or a caller's own class
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def is_unicode(text: str) -> bool:
    """Return whether SQLite and every encoder can hold it: half a surrogate pair is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_table(values: Any) -> bool:
    """Return whether something has rows and columns, as a matrix or a DataFrame has."""
    shape = getattr(values, "shape", ())
    return isinstance(shape, tuple) and len(shape) > 1


def check_choice(kind: type[_Choice], value: Any, label: str) -> _Choice:
    """Return the member of a closed choice. Raises InputError with all of them."""
    try:
        return kind(value)
    except ValueError as error:
        raise InputError(f"{label} must be one of {', '.join(kind)}, got {shorten_repr(value)}") from error


def check_whole_number(value: Any, label: str, *, minimum: int, maximum: int | None = None) -> int:
    """Return a whole number, NumPy's kinds too. Raises InputError for anything else, or one that is too small or too large."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum:,}"
        raise InputError(f"{label} must be a whole number {bounds}, got {shorten_repr(value)}")
    return number


def _check_count(value: Any, label: str, minimum: int) -> int:
    """Return a count, no larger than SQLite counts to."""
    return min(check_whole_number(value, label, minimum=minimum), _COUNT_MAX)


def check_limit(limit: Any, label: str = "limit") -> int:
    """Return a number of answers, or of something else that is counted. Raises InputError."""
    return _check_count(limit, label, LIMIT_MIN)


def check_offset(offset: Any) -> int:
    """Return how many to leave out first. Raises InputError."""
    return _check_count(offset, "offset", 0)


def check_collection_name(name: Any) -> str:
    """Return a collection's name: printable, not empty, of sensible length. Raises InputError."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > COLLECTION_NAME_MAX:
        raise InputError(
            f"a collection name is 1 to {COLLECTION_NAME_MAX} printable characters, got {shorten_repr(name, limit=120)}"
        )
    return name


def check_query(text: Any) -> str:
    """Return a query with something in it. Raises InputError, of which UsageError says that there is nothing in it."""
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"the query is empty: expected some words, got {shorten_repr(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the query is no valid Unicode at position {error.start}") from error
    return text.replace("\0", " ")


def check_grades(qrels: Any) -> None:
    """Raise InputError unless it is query id → document id → grade, a whole number of at most GRADE_MAX."""
    if not isinstance(qrels, Mapping):
        raise InputError(f"qrels must be a mapping, query id → document id → grade, got {shorten_repr(qrels)}")
    for query, grades in qrels.items():
        if not isinstance(grades, Mapping):
            raise InputError(
                f"the judgements of query {query!r} must be a mapping, document id → grade, got {shorten_repr(grades)}"
            )
        for document, grade in grades.items():
            if not isinstance(grade, Integral) or int(grade) > GRADE_MAX:
                expected = f"a whole number of at most {GRADE_MAX:,}"
                raise InputError(f"the grade of {document!r} for query {query!r} must be {expected}, got {shorten_repr(grade)}")


def check_pair(question: Any, answer: Any) -> tuple[str, str]:
    """Return a question and what answers it: the id of a document, or its text. Raises InputError."""
    if not isinstance(answer, str) or not answer.strip():
        raise InputError(f"expected the id of a document that answers the question, or its text, got {shorten_repr(answer)}")
    return check_query(question), answer
