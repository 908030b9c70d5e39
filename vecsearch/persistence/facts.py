"""Metadata, taken apart: a row for every value under every key, which is what a filter looks up.

A top-level key stands as it is; below it, the keys of objects stand as paths with dots. A key that has dots itself comes before
the path that reads the same, and is part of no path. The rows always follow from `documents.metadata`, so that those to take out
are known without a second index.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from enum import IntEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select

from vecsearch.core.errors import Damaged
from vecsearch.core.portions import portions
from vecsearch.core.settings import READ_ROWS
from vecsearch.core.types import JSON, Metadata
from vecsearch.persistence.statements import Prepared
from vecsearch.persistence.stored import from_json
from vecsearch.persistence.tables import documents, facts

Fact: TypeAlias = tuple[str, int, Any]  # key, kind, value

ELEMENT: Final = 8  # what the elements of a list have more than their kind; they stand beside the list
_PATH_MAX: Final = 4_096  # characters; what lies deeper is no fact, else facts would grow by the square of an object's depth


class Kind(IntEnum):
    """The type of a value. It is stored: a change here is a new format."""

    NULL = 0
    FALSE = 1
    TRUE = 2
    NUMBER = 3
    TEXT = 4
    LIST = 5
    OBJECT = 6


_TEXT: Final = int(Kind.TEXT)


def kind_of(value: JSON) -> Kind:
    """The type of what json.loads gives."""
    match value:
        case str():
            return Kind.TEXT
        case bool():
            return Kind.TRUE if value else Kind.FALSE
        case int() | float():
            return Kind.NUMBER
        case None:
            return Kind.NULL
        case list():
            return Kind.LIST
        case _:
            return Kind.OBJECT


def comparable(value: JSON) -> Any:
    """What SQLite holds and compares: numbers and text as they are, a list as JSON; of others the kind says all."""
    match value:
        case str():
            return value
        case bool():
            return 0
        case int():
            return value if -(2**63) <= value < 2**63 else _inexact(value)
        case float():
            return value + 0.0  # SQLite holds no -0.0
        case list():
            return _ENCODER.encode(value)
        case _:
            return 0


def facts_of(stored: str) -> dict[Fact, None]:
    """The facts of a document's metadata, a JSON object; each once, in order. Raises Damaged."""
    found: dict[Fact, None] = {}
    if stored == "{}":
        return found
    for path, value in _paths(from_json(stored)):
        if type(value) is str:
            found[path, _TEXT, value] = None
        else:
            found[path, int(kind_of(value)), comparable(value)] = None
        if isinstance(value, list):
            single = (each for each in value if not isinstance(each, list | dict))
            found.update(((path, ELEMENT + kind_of(each), comparable(each)), None) for each in single)
    return found


def add(connection: Connection, collection: int, stored: Iterable[tuple[int, str]]) -> None:
    """Note the facts of documents: (row, metadata as stored)."""
    _ADD.many(connection, sorted(_rows(collection, stored)))  # in the table's order, which is twice as quick


def remove(connection: Connection, collection: int, stored: Iterable[tuple[int, str]]) -> None:
    """Take out the facts of documents: (row, metadata as it was stored when they were noted)."""
    _REMOVE.many(connection, sorted(_rows(collection, stored)))


def rebuild(connection: Connection, collection: int, *, without: Container[int] = ()) -> None:
    """Note the facts of every document, `without` some (rows), of a collection that has none noted; a portion at a time."""
    for some in _documents(connection, collection):
        add(connection, collection, [(row, stored) for row, stored in some if row not in without])


def drop(connection: Connection, collection: int) -> None:
    """Forget the facts of a collection."""
    connection.execute(delete(facts).where(facts.c.collection_id == collection))


def unreadable(connection: Connection, collection: int) -> set[int]:
    """Documents (rows) whose metadata is no JSON object: nothing can be noted of them."""
    return {row for (row,) in _UNREADABLE.cursor(connection, collection=collection)}


def mismatches(connection: Connection, collection: int, *, without: Container[int] = ()) -> int:
    """How many documents, `without` some (rows), have other facts than their metadata says. Holds a number for each document."""
    balance: Counter[int] = Counter()
    for some in _documents(connection, collection):
        balance.update({row: sum(map(_number, facts_of(stored))) for row, stored in some if row not in without})
    for row, *fact in _NOTED.cursor(connection, collection=collection):
        if row in without:
            continue
        balance[row] -= _number((fact[0], fact[1], fact[2]))
    return sum(1 for left in balance.values() if left)


def _documents(connection: Connection, collection: int) -> Iterator[list[tuple[int, str]]]:
    """(row, metadata) of every document, in portions."""
    return portions(_DOCUMENTS.cursor(connection, collection=collection), READ_ROWS)


def _rows(collection: int, stored: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, int, Any, int]]:
    for document, metadata in stored:
        for key, kind, value in facts_of(metadata):
            yield collection, key, kind, value, document


def _paths(metadata: Metadata) -> Iterator[tuple[str, JSON]]:
    """Every key or path that can be asked for, with what it leads to."""
    if not isinstance(metadata, dict):
        raise Damaged("the database is damaged: a document's metadata is no JSON object; see `vecsearch doctor`")
    yield from metadata.items()
    waiting = [(key, value) for key, value in metadata.items() if isinstance(value, dict) and "." not in key]
    while waiting:
        above, within = waiting.pop()
        for key, value in within.items():
            path = f"{above}.{key}"
            if "." in key or len(path) > _PATH_MAX:
                continue
            if path not in metadata:
                yield path, value
            if isinstance(value, dict):
                waiting.append((path, value))


def _inexact(value: int) -> float:
    """As SQLite reads a number of more than 64 bits from JSON."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _number(fact: Fact) -> int:
    return hash((fact[0], fact[1], repr(fact[2])))  # as text: Python's hash takes -1 for -2


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ADD: Final = Prepared(insert(facts))
_REMOVE: Final = Prepared(delete(facts).where(*(column == bindparam(column.name) for column in facts.c)))
_NOTED: Final = Prepared(
    select(facts.c.document_id, facts.c.key, facts.c.kind, facts.c.value).where(facts.c.collection_id == bindparam("collection"))
)
_DOCUMENTS: Final = Prepared(
    select(documents.c.id, documents.c.metadata).where(documents.c.collection_id == bindparam("collection"))
)
_UNREADABLE: Final = Prepared(
    select(documents.c.id).where(
        documents.c.collection_id == bindparam("collection"),
        case(
            (func.typeof(documents.c.metadata) != "text", True),
            (func.json_valid(documents.c.metadata) == 0, True),
            else_=func.json_type(documents.c.metadata) != "object",
        ),
    )
)
