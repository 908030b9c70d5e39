"""Read the saved profiles of a collection."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from vecsearch.core.preferences import Preference, ProfileSummary
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.engine.tables import preferences

_CACHED: Final = "profile rows"
_CACHE_SIZE: Final = 64  # profiles
_DIGEST: Final = """
    SELECT group_concat(external_id, char(0)), group_concat(at), group_concat(CAST(weight * 1e9 AS INTEGER)), total(weight)
    FROM preferences WHERE collection_id = :collection AND profile = :profile
"""  # what is in the rows, without a Python object for each, a fourth of the time; fractions would take as long to be written out
_PROFILE: Final = """
    SELECT external_id, weight, at FROM preferences WHERE collection_id = :collection AND profile = :profile
    ORDER BY at DESC, external_id
"""


def load_profile(
    connection: AnyConnection, state: CollectionState, profile: str, cache: MutableMapping[str, Any]
) -> list[Preference]:
    """Return what a profile holds, the newest first; nothing for one that is not there.

    `cache` holds it for whoever asks again and again: other writes leave it as it is.
    """
    values = {"collection": state.id, "profile": profile}
    driver = get_driver(connection)
    digest = driver.execute(_DIGEST, values).fetchone()
    known: dict[str, tuple[Any, Sequence[Preference]]] = cache.get(_CACHED, {})
    if digest[0] is None:
        return []
    if profile not in known or known[profile][0] != digest:
        rows = tuple(map(Preference._make, driver.execute(_PROFILE, values)))
        known = {**dict(list(known.items())[1 - _CACHE_SIZE :]), profile: (digest, rows)}
        cache[_CACHED] = known  # another one: a thread may be reading that before
    return list(known[profile][1])


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
