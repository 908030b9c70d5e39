"""A collection's own row, frozen."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from vecsearch.core.errors import UnknownCollection
from vecsearch.core.types import Precision
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
    index_rows: int
    checksum: str | None
    language: str


_COLUMNS = [collections.c[field.name] for field in fields(CollectionState)]


def find_state(connection: Connection, name: str) -> CollectionState | None:
    """The collection of a name, None where there is none."""
    row = connection.execute(select(*_COLUMNS).where(collections.c.name == name)).one_or_none()
    return None if row is None else _state(row)


def get_state(connection: Connection, name: str) -> CollectionState:
    """The collection of a name. Raises UnknownCollection."""
    state = find_state(connection, name)
    if state is None:
        raise UnknownCollection(name, [each.name for each in all_states(connection)])
    return state


def all_states(connection: Connection) -> list[CollectionState]:
    """Every collection, by name."""
    return [_state(row) for row in connection.execute(select(*_COLUMNS).order_by(collections.c.name))]


def _state(row: object) -> CollectionState:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    return CollectionState(**{**values, "precision": Precision(values["precision"])})
