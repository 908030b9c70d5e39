"""Read the map of questions that a collection keeps. What asks for it with each search takes microseconds."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from shlex import quote
from typing import Any, Final

import numpy as np

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.values import QueryMap

_CHECKSUM: Final = "SELECT checksum FROM query_maps WHERE collection_id = ?"
_ALL: Final = "SELECT matrix, record FROM query_maps WHERE collection_id = ?"
_CACHED: Final = "query_map"


def load_query_map(connection: AnyConnection, state: CollectionState, cache: MutableMapping[str, Any]) -> QueryMap | None:
    """Return the map; None where there is none. Raises DatabaseCorruptedError.

    `cache` holds it, or that there is none, for as long as nothing is written.
    """
    version = state.id, state.restored_version, state.data_version
    known: QueryMap | None
    known_version, checksum, known = cache.get(_CACHED, (None, None, None))
    if known_version == version:
        return known
    row = get_driver(connection).execute(_CHECKSUM, (state.id,)).fetchone()
    if row is None:
        known = None
    elif known is None or checksum != row[0]:
        known = _load(connection, state, row[0])
    cache[_CACHED] = version, row and row[0], known
    return known


def hash_matrix(matrix: bytes) -> str:
    """Return the checksum of a stored matrix."""
    import xxhash

    return f"xxh3:{xxhash.xxh3_128_hexdigest(matrix)}"


def _load(connection: AnyConnection, state: CollectionState, checksum: str) -> QueryMap:
    stored, record = get_driver(connection).execute(_ALL, (state.id,)).fetchone()
    if hash_matrix(stored) != checksum or len(stored) != 4 * state.dimension**2:
        raise DatabaseCorruptedError(
            f"the map of the questions of {state.name!r} is damaged; without it: vecsearch tune --drop -c {quote(state.name)}"
        )
    matrix = np.frombuffer(stored, "<f4").reshape(state.dimension, state.dimension)
    return QueryMap(matrix, json.loads(record))
