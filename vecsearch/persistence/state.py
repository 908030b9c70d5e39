"""A collection's own row, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from vecsearch.core.errors import Damaged, UnknownCollection
from vecsearch.core.types import Precision
from vecsearch.persistence.connections import Either, driver


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
        return self.name.startswith(_HIDDEN)


_HIDDEN: Final = "\x1f"  # no name that a user can give begins so: it is not printable
_NAMES: Final = [field.name for field in fields(CollectionState)]
_ALL: Final = f"SELECT {', '.join(_NAMES)} FROM collections"
_STATE: Final = f"{_ALL} WHERE name = :name"
_STATES: Final = f"{_ALL} ORDER BY name"


def find_state(connection: Either, name: str) -> CollectionState | None:
    """The collection of a name, None where there is none."""
    row = driver(connection).execute(_STATE, {"name": name}).fetchone()
    return None if row is None else _state(row)


def get_state(connection: Either, name: str) -> CollectionState:
    """The collection of a name. Raises UnknownCollection."""
    state = find_state(connection, name)
    if state is None:
        raise UnknownCollection(name, [each.name for each in visible_states(connection)])
    return state


def all_states(connection: Either) -> list[CollectionState]:
    """Every collection, by name, hidden ones first."""
    return [_state(row) for row in driver(connection).execute(_STATES)]


def visible_states(connection: Either) -> list[CollectionState]:
    """Every collection that users know of, by name."""
    return [state for state in all_states(connection) if not state.is_hidden]


def successor_name(name: str) -> str:
    """Under which the collection is made that is to take the place of this one; see `succession`."""
    return f"{_HIDDEN}new {name}"


def replaced_name(state: CollectionState) -> str:
    """Under which a collection waits to be dropped, once another has its name."""
    return f"{_HIDDEN}old {state.id}"


def _state(row: Sequence[Any]) -> CollectionState:
    values = dict(zip(_NAMES, row, strict=True))
    try:
        return CollectionState(**{**values, "precision": Precision(values["precision"])})
    except ValueError as error:
        raise Damaged(f"the database is damaged: {error}; see `vecsearch doctor`") from error
