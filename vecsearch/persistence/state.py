"""A collection's own row, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from vecsearch.core.errors import UnknownCollection
from vecsearch.core.types import Precision
from vecsearch.persistence.statements import Prepared
from vecsearch.persistence.tables import collections


@dataclass(frozen=True, slots=True)
class CollectionState:
    """See `tables.collections`."""

    id: int
    name: str
    encoder: str
    fingerprint: str
    dimension: int
    precision: Precision
    revision: int
    generation: int
    covers: int
    language: str


_NAMES: Final = [field.name for field in fields(CollectionState)]
_ALL = select(*(collections.c[name] for name in _NAMES)).order_by(collections.c.name)
_ALL_STATES: Final = Prepared(_ALL)
_STATE: Final = Prepared(_ALL.where(collections.c.name == bindparam("name")))


def find_state(connection: Connection, name: str) -> CollectionState | None:
    """The collection of a name, None where there is none."""
    rows = _STATE.all(connection, name=name)
    return _state(rows[0]) if rows else None


def get_state(connection: Connection, name: str) -> CollectionState:
    """The collection of a name. Raises UnknownCollection."""
    state = find_state(connection, name)
    if state is None:
        raise UnknownCollection(name, [each.name for each in all_states(connection)])
    return state


def all_states(connection: Connection) -> list[CollectionState]:
    """Every collection, by name."""
    return [_state(row) for row in _ALL_STATES.all(connection)]


def _state(row: Sequence[Any]) -> CollectionState:
    values = dict(zip(_NAMES, row, strict=True))
    return CollectionState(**{**values, "precision": Precision(values["precision"])})
