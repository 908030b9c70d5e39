"""Read the saved profiles of a collection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from vecsearch.core.preferences import Preference, ProfileSummary
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.engine.tables import preferences

_PROFILE = """
    SELECT external_id, weight, at FROM preferences WHERE collection_id = :collection AND profile = :profile
    ORDER BY at DESC, external_id
"""


def load_profile(connection: AnyConnection, state: CollectionState, profile: str) -> list[Preference]:
    """Return what a profile holds, the newest first; nothing for one that is not there."""
    values = {"collection": state.id, "profile": profile}
    return list(map(Preference._make, get_driver(connection).execute(_PROFILE, values)))


def list_profiles(connection: Connection, state: CollectionState) -> Sequence[ProfileSummary]:
    """Return the profiles by name."""
    likes, dislikes = (func.count().filter(condition) for condition in (preferences.c.weight > 0, preferences.c.weight < 0))
    query = (
        select(preferences.c.profile, likes, dislikes, func.max(preferences.c.at))
        .where(preferences.c.collection_id == state.id)
        .group_by(preferences.c.profile)
        .order_by(preferences.c.profile)
    )
    return [ProfileSummary(*row) for row in connection.execute(query)]
