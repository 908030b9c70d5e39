"""Write the saved profiles of a collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core.batched import batched
from vecsearch.core.preferences import Preference
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import preferences

_IN_VALUES_MAX = 10_000


def set_preferences(connection: Connection, state: CollectionState, profile: str, changed: Iterable[Preference]) -> None:
    """Store preferences of a profile, in the place of those of the same documents."""
    statement = upsert(preferences)
    values = {name: statement.excluded[name] for name in ("weight", "at")}
    statement = statement.on_conflict_do_update(index_elements=["collection_id", "profile", "external_id"], set_=values)
    rows = [
        {"collection_id": state.id, "profile": profile, "external_id": one.id, "weight": one.weight, "at": one.at}
        for one in changed
    ]
    if rows:
        connection.execute(statement, rows)


def delete_preferences(connection: Connection, state: CollectionState, profile: str, ids: Sequence[str] | None) -> int:
    """Delete what a profile holds of some documents, or all of it; returns how many preferences there were."""
    whole = delete(preferences).where(preferences.c.collection_id == state.id, preferences.c.profile == profile)
    if ids is None:
        return connection.execute(whole).rowcount
    return sum(
        connection.execute(whole.where(preferences.c.external_id.in_(batch))).rowcount for batch in batched(ids, _IN_VALUES_MAX)
    )
