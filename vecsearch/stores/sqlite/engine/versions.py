"""The version of a collection's rows, which tells whoever remembers something of them that it is out of date."""

from __future__ import annotations

from sqlalchemy import Connection, update

from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import collections


def increase_data_version(connection: Connection, state: CollectionState) -> None:
    """Let what others remember of the collection be out of date."""
    values = {"data_version": collections.c.data_version + 1}
    connection.execute(update(collections).where(collections.c.id == state.id).values(**values))
