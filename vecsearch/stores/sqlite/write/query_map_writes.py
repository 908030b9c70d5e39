"""Write the map of questions that a collection keeps."""

from __future__ import annotations

import json

import numpy as np
from sqlalchemy import Connection, delete, insert

from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import query_maps
from vecsearch.stores.sqlite.engine.versions import increase_data_version
from vecsearch.stores.sqlite.read.query_map_rows import hash_matrix
from vecsearch.stores.values import QueryMap


def set_query_map(connection: Connection, state: CollectionState, query_map: QueryMap | None) -> bool:
    """Keep a map in the place of the one that is there, if any; None: keep none. Returns whether there was one."""
    there = connection.execute(delete(query_maps).where(query_maps.c.collection_id == state.id)).rowcount > 0
    if query_map is not None:
        matrix = np.ascontiguousarray(query_map.matrix, "<f4").tobytes()
        values = {"matrix": matrix, "checksum": hash_matrix(matrix), "record": json.dumps(dict(query_map.record))}
        connection.execute(insert(query_maps).values(collection_id=state.id, **values))
    increase_data_version(connection, state)  # by which readers know that it is another
    return there
