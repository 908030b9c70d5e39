"""A collection's own row, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from vecsearch.core.errors import CollectionNotFoundError, DatabaseCorruptedError
from vecsearch.core.types import Metadata, Precision
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.engine.stored_values import parse_stored_json


class CollectionRole(StrEnum):
    """What a collection is there for. A name has at most one live collection and one replacement. It is stored."""

    LIVE = "live"
    REPLACEMENT = "replacement"  # built beside the live one of the same name, to take its place
    REPLACED = "replaced"  # waits to be dropped, now that another has its place


class CollectionRef(NamedTuple):
    """Which collection is meant, where that need not be the live one of a name."""

    name: str
    role: CollectionRole


CollectionName: TypeAlias = str | CollectionRef  # a plain name means the live collection


@dataclass(frozen=True, slots=True)
class CollectionState:
    """See `tables.collections`."""

    id: int
    name: str
    role: CollectionRole
    model: str
    fingerprint: str
    dimension: int
    precision: Precision
    data_version: int
    index_version: int
    indexed_up_to: int
    stemmer: str
    metadata: Metadata
    restored_version: int
    pending_vectors: int
    vectorless_chunks: int
    public_id: str
    noise_floor: float | None
    noise_floor_vectors: int
    vectors_changed: int

    @property
    def is_hidden(self) -> bool:
        """Return whether users do not know of it."""
        return self.role is not CollectionRole.LIVE

    @property
    def ref(self) -> CollectionRef:
        """Return the reference that finds it again; of those that were replaced, one."""
        return CollectionRef(self.name, self.role)


_COLUMN_NAMES: Final = [field.name for field in fields(CollectionState)]
_SELECT_COLLECTIONS: Final = f"SELECT {', '.join(_COLUMN_NAMES)} FROM collections"
_SELECT_REPLACED: Final = f"{_SELECT_COLLECTIONS} WHERE name = :name AND role = :role"
_SELECT_BY_NAME: Final = (
    f"{_SELECT_REPLACED} AND role <> '{CollectionRole.REPLACED}'"  # as the index says: else all are looked at
)
_SELECT_LEFTOVERS: Final = f"""
    {_SELECT_COLLECTIONS} AS hidden WHERE role <> '{CollectionRole.LIVE}' AND (role = '{CollectionRole.REPLACED}'
    OR NOT EXISTS (SELECT 1 FROM collections WHERE name = hidden.name AND role = '{CollectionRole.LIVE}'))
"""
_SELECT_NAMES: Final = f"""
    SELECT name FROM collections WHERE role <> '{CollectionRole.REPLACED}' AND role = '{CollectionRole.LIVE}' ORDER BY name
"""
_SELECT_ALL: Final = f"{_SELECT_COLLECTIONS} ORDER BY name, role, id"


def find_state(connection: AnyConnection, name: CollectionName) -> CollectionState | None:
    """Return the collection of a name, None where there is none."""
    ref = get_ref(name)
    query = _SELECT_REPLACED if ref.role is CollectionRole.REPLACED else _SELECT_BY_NAME
    row = get_driver(connection).execute(query, {"name": ref.name, "role": ref.role.value}).fetchone()
    return None if row is None else _parse_state(row)


def get_state(connection: AnyConnection, name: CollectionName) -> CollectionState:
    """Return the collection of a name. Raises CollectionNotFoundError."""
    state = find_state(connection, name)
    if state is None:
        raise CollectionNotFoundError(get_ref(name).name, list_names(connection))
    return state


def list_states(connection: AnyConnection) -> list[CollectionState]:
    """Return every collection, by name."""
    return [_parse_state(row) for row in get_driver(connection).execute(_SELECT_ALL)]


def list_visible_states(connection: AnyConnection) -> list[CollectionState]:
    """Return every collection that users know of, by name."""
    return [state for state in list_states(connection) if not state.is_hidden]


def list_names(connection: AnyConnection) -> list[str]:
    """Return the names of the collections that users know of, ascending."""
    return [name for (name,) in get_driver(connection).execute(_SELECT_NAMES)]


def list_leftovers(connection: AnyConnection) -> list[CollectionState]:
    """Return the collections that were replaced, and those that were to replace one that is gone."""
    return [_parse_state(row) for row in get_driver(connection).execute(_SELECT_LEFTOVERS)]


def get_ref(name: CollectionName) -> CollectionRef:
    """Return what a name means."""
    return name if isinstance(name, CollectionRef) else CollectionRef(name, CollectionRole.LIVE)


def get_replacement_ref(name: str) -> CollectionRef:
    """Return what finds the collection that is to take the place of the live one of this name."""
    return CollectionRef(name, CollectionRole.REPLACEMENT)


def _parse_state(row: Sequence[Any]) -> CollectionState:
    number, name, role, model, fingerprint, dimension, precision, data, index, indexed, stemmer, metadata, *rest = row
    try:
        return CollectionState(
            number, name, CollectionRole(role), model, fingerprint, dimension, Precision(precision), data, index, indexed,
            stemmer, {} if metadata == "{}" else parse_stored_json(metadata), *rest,
        )  # fmt: skip
    except ValueError as error:
        raise DatabaseCorruptedError(f"the database is damaged: {error}; see `vecsearch doctor`") from error
