"""How well what people will like is found from what they liked before: likes of a later time are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from vecsearch.api.collection import Collection
from vecsearch.core.errors import InputError
from vecsearch.core.measures import Interval, Measure, Values, compute_interval, compute_measures
from vecsearch.core.nesting import load_json
from vecsearch.core.preferences import Preference, Profile
from vecsearch.core.types import AnyPath
from vecsearch.evaluation.datasets import read_lines

KNOWN_SHARE: Final = 0.8  # of a profile's preferences, the oldest
DEPTH: Final = 100  # documents requested for a profile: all that the measures look at
_LINE: Final = '{"profile": "ann", "id": "heron.md", "weight": 1, "at": "2026-05-01T09:00:00+00:00"}'


@dataclass(frozen=True, slots=True)
class ProfileRun:
    """What recommendations were worth. `values`: profile → measure → value; `seconds` is spent recommending."""

    documents: int
    values: Mapping[str, Mapping[Measure, float]]
    seconds: float

    @property
    def ms_per_profile(self) -> float:
        """Return milliseconds a profile."""
        return self.seconds * 1000 / len(self.values)

    def get_values(self, measure: Measure) -> Values:
        """Return the values of a measure, one a profile."""
        return np.array([by_measure[measure] for by_measure in self.values.values()])

    def mean(self, measure: Measure) -> float:
        """Return the mean of a measure over the profiles."""
        return float(self.get_values(measure).mean())

    def compute_interval(self, measure: Measure) -> Interval:
        """Compute the 95 % interval of that mean."""
        return compute_interval(self.get_values(measure))


def read_profiles(file: AnyPath) -> list[Profile]:
    """Read lines of JSON, packed with gzip or not, that `vecsearch profile export` prints: "profile", "id", "weight" and "at".

    `weight`, in [-1, 1], is above 0 for a like, below for a dislike, 0 for a document that was seen. `at` is a time in ISO
    8601, or seconds since 1970. Raises UnreadableFileError; InputError for a bad line, with its number.
    """
    path = Path(file).expanduser()
    profiles: dict[str, dict[str, Preference]] = {}
    for number, line in read_lines(path):
        try:
            name, preference = _parse_line(line)
        except InputError as error:
            raise InputError(f"{path}, line {number:,}: {error}") from error
        profiles.setdefault(name, {})[preference.id] = preference
    if not profiles:
        raise InputError(f"{path} holds no preference; expected lines such as {_LINE}")
    return [Profile(name, _sort_by_age(preferences.values())) for name, preferences in profiles.items()]


def _sort_by_age(preferences: Iterable[Preference]) -> tuple[Preference, ...]:
    return tuple(sorted(preferences, key=lambda one: one.at, reverse=True))


def _parse_line(line: str) -> tuple[str, Preference]:
    try:
        value: Any = load_json(line)
        name, id, weight, at = (value[key] for key in ("profile", "id", "weight", "at"))
        moment = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else datetime.fromisoformat(at)
        sound = isinstance(name, str) and isinstance(id, str) and not isinstance(weight, bool) and -1 <= weight <= 1
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        sound = False
    if not sound:
        raise InputError(f"expected an object such as {_LINE}, got {line[:120]!r}")
    in_utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return name, Preference(id, float(weight), in_utc.isoformat())


def evaluate_profiles(
    collection: Collection, profiles: Sequence[Profile], *, half_life: float | None = None, boost: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> ProfileRun:  # fmt: skip
    """Recommend by the oldest KNOWN_SHARE of each profile, and look for the documents that its other preferences like.

    Documents of the older part are not recommended, whatever it says of them. A profile without a like in both parts, among the
    documents that are there, is left out. `half_life` and `boost` are those of `Collection.recommend`. Raises InputError where
    none is left.
    """
    parts = [parts for profile in profiles if (parts := _split_profile(profile, collection)) is not None]
    if not parts:
        raise InputError(
            "nothing to measure: no profile likes documents of the collection both in its older four fifths and in its newest"
        )
    rankings: dict[str, list[str]] = {}
    collection.recommend(profile=parts[0][0], limit=1)  # so that no profile pays for loading the index
    seconds = 0.0
    for known, _ in parts:
        started = perf_counter()
        hits = collection.recommend(profile=known, half_life=half_life, boost=boost, limit=DEPTH, group_by="document")
        seconds += perf_counter() - started
        rankings[known.name] = [hit.id for hit in hits]
        if progress:
            progress(1)
    values = compute_measures({known.name: dict.fromkeys(wanted, 1) for known, wanted in parts}, rankings)
    return ProfileRun(collection.count(), values, seconds)


def _split_profile(profile: Profile, collection: Collection) -> tuple[Profile, list[str]] | None:
    """Return the older part of a profile, and the documents that the newer one likes; None where either likes nothing."""
    oldest_first = sorted(profile.preferences, key=lambda one: one.at)
    count = int(len(oldest_first) * KNOWN_SHARE)
    known = Profile(profile.name, _sort_by_age(oldest_first[:count]))
    wanted = [one.id for one in oldest_first[count:] if one.weight > 0 and one.id in collection]
    has_likes = any(id in collection for id in known.likes)
    return (known, wanted) if wanted and has_likes else None
