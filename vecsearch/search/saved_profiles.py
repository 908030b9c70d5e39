"""A saved profile as votes: which of its documents are there, what they say, and how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import numpy as np

from vecsearch.core.errors import InputError
from vecsearch.core.preferences import Preference, Profile
from vecsearch.core.settings import PROFILE_CACHE_SIZE, PROFILE_EXAMPLES_MAX
from vecsearch.core.types import format_names
from vecsearch.encoders.unit_vectors import scale_rows
from vecsearch.search.votes import PreferenceProfile, Votes
from vecsearch.stores.base import NO_IDS, Ids, Matrix, Snapshot

_DAY: Final = 86_400.0  # seconds
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class StoredExamples:
    """The examples of a profile that are stored, and the chunks of all documents that it names, which are not to be found."""

    profile: PreferenceProfile
    votes: Votes
    chunks: Ids


def load_profile(snapshot: Snapshot, name: str) -> Profile:
    """Return a saved profile. Raises InputError where nothing is saved under this name."""
    preferences = snapshot.load_profile(name)
    if not preferences:
        known = [profile.name for profile in snapshot.list_profiles()]
        raise InputError(
            f"nothing is saved of {name!r} in collection {snapshot.info.name!r}: {format_names(known) or 'there is no profile'}; "
            f"to save something: vecsearch profile like {name} ID"
        )
    return Profile(name, tuple(preferences))


def load_examples(snapshot: Snapshot, profile: Profile, half_life: float | None) -> StoredExamples:
    """Return the vectors of the documents of a profile that are there, the newest PROFILE_EXAMPLES_MAX liked and not liked.

    `half_life`: days after which a preference counts half; the newest counts in full, whenever that was. A document that is not
    there, or has no vector yet, is passed over.
    """
    return remember(snapshot, (profile.preferences, half_life), lambda: _load_examples(snapshot, profile, half_life))


def remember(snapshot: Snapshot, asked: Hashable, make: Callable[[], StoredExamples]) -> StoredExamples:
    """Return what was made before of the same examples in the same state of the collection, as one asks again and again."""
    known: dict[Hashable, StoredExamples] = snapshot.cache.setdefault("profiles", {})
    key = (snapshot.info.version, snapshot.info.pending_vectors, asked)
    examples = known.get(key)
    if examples is None:
        examples = make()
        snapshot.cache["profiles"] = {**dict(list(known.items())[1 - PROFILE_CACHE_SIZE :]), key: examples}
    return examples


def _load_examples(snapshot: Snapshot, profile: Profile, half_life: float | None) -> StoredExamples:
    chunks = snapshot.find_chunk_ids([preference.id for preference in profile.preferences])
    positive, negative = (
        _weigh(snapshot, [one for one in profile.preferences if one.weight * sign > 0 and one.id in chunks], chunks, half_life)
        for sign in (1, -1)
    )
    examples = PreferenceProfile(positive[0], negative[0], positive[1], negative[1])
    found = np.sort(np.concatenate([NO_IDS, *chunks.values()]))
    return StoredExamples(examples, Votes.from_profile(snapshot, examples), found)


def _weigh(
    snapshot: Snapshot, preferences: Sequence[Preference], chunks: dict[str, Ids], half_life: float | None
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the unit mean of the vectors of each document that has one, and how much it counts."""
    chosen = sorted(preferences, key=lambda one: one.at, reverse=True)[:PROFILE_EXAMPLES_MAX]
    means = load_means(snapshot, [chunks[one.id] for one in chosen])
    has_vector = means.any(axis=1)
    weights = np.abs([one.weight for one in chosen]) * _compute_decay(chosen, half_life)
    return means[has_vector], weights[has_vector]


def load_means(snapshot: Snapshot, documents: Sequence[Ids]) -> Matrix:
    """Return the unit mean of the vectors of each document, given by its chunks, as far as they are made; zeros for none."""
    rows = snapshot.load_vectors(np.concatenate([NO_IDS, *documents]).tolist())
    means = rows
    if len(rows) != len(documents):  # some have several
        means = np.add.reduceat(rows, np.cumsum([0, *map(len, documents[:-1])]), axis=0)
    return scale_rows(means)


def _compute_decay(preferences: Sequence[Preference], half_life: float | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if half_life is None or not preferences:
        return np.ones(len(preferences))
    moments = np.array([datetime.fromisoformat(one.at).timestamp() for one in preferences])
    return np.asarray(np.maximum(0.5 ** ((moments.max() - moments) / _DAY / half_life), 1e-9), np.float64)
