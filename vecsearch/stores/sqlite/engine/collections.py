"""A collection's own row, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from vecsearch.core.errors import CollectionNotFoundError, DatabaseCorruptedError
from vecsearch.core.types import Precision
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver


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

    @property
    def is_hidden(self) -> bool:
        """Whether users do not know of it: it is being made beside another, or was replaced and waits to be dropped."""
        return self.name.startswith(_HIDDEN_PREFIX)


_HIDDEN_PREFIX: Final = "\x1f"  # no name that a user can give begins so: it is not printable
_COLUMN_NAMES: Final = [field.name for field in fields(CollectionState)]
_SELECT_COLLECTIONS: Final = f"SELECT {', '.join(_COLUMN_NAMES)} FROM collections"
_SELECT_BY_NAME: Final = f"{_SELECT_COLLECTIONS} WHERE name = :name"
_SELECT_ALL: Final = f"{_SELECT_COLLECTIONS} ORDER BY name"


def find_state(connection: AnyConnection, name: str) -> CollectionState | None:
    """The collection of a name, None where there is none."""
    row = get_driver(connection).execute(_SELECT_BY_NAME, {"name": name}).fetchone()
    return None if row is None else _parse_state(row)


def get_state(connection: AnyConnection, name: str) -> CollectionState:
    """The collection of a name. Raises UnknownCollection."""
    state = find_state(connection, name)
    if state is None:
        raise CollectionNotFoundError(name, [each.name for each in list_visible_states(connection)])
    return state


def list_states(connection: AnyConnection) -> list[CollectionState]:
    """Every collection, by name, hidden ones first."""
    return [_parse_state(row) for row in get_driver(connection).execute(_SELECT_ALL)]


def list_visible_states(connection: AnyConnection) -> list[CollectionState]:
    """Every collection that users know of, by name."""
    return [state for state in list_states(connection) if not state.is_hidden]


def get_replacement_name(name: str) -> str:
    """Under which the collection is made that is to take the place of this one; see `succession`."""
    return f"{_HIDDEN_PREFIX}new {name}"


def get_retired_name(state: CollectionState) -> str:
    """Under which a collection waits to be dropped, once another has its name."""
    return f"{_HIDDEN_PREFIX}old {state.id}"


def _parse_state(row: Sequence[Any]) -> CollectionState:
    values = dict(zip(_COLUMN_NAMES, row, strict=True))
    try:
        return CollectionState(**{**values, "precision": Precision(values["precision"])})
    except ValueError as error:
        raise DatabaseCorruptedError(f"the database is damaged: {error}; see `vecsearch doctor`") from error
