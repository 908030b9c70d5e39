"""A number of the metadata that speaks for a document besides what is asked: how popular it is, say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from vecsearch.core.errors import InputError
from vecsearch.core.settings import BOOST_CANDIDATES, BOOST_WEIGHT
from vecsearch.stores.base import ChunkSet, Ids, ScoredChunks, Scores, Snapshot


@dataclass(frozen=True, slots=True)
class Boost:
    """What chunks get besides their scores, by ascending chunk, in [0, BOOST_WEIGHT].

    It is the share of the numbers at the key that are less, so that counts, years and prices all do, and one document that
    stands out far does not hide the differences of the others. A chunk without a number gets nothing.
    """

    shares: ScoredChunks

    @classmethod
    def from_key(cls, snapshot: Snapshot, key: str, within: ChunkSet | None) -> Self:
        """Read the numbers. Raises InputError where no document has one."""
        cached: dict[str, tuple[Any, ScoredChunks]] = snapshot.cache.setdefault("numbers", {})
        if key not in cached or cached[key][0] != snapshot.info.version:
            cached[key] = (snapshot.info.version, _rank_numbers(snapshot, key))
        shares = cached[key][1]
        if within is None:
            return cls(shares)
        ids = snapshot.load_numbers(key, within=within).ids
        return cls(ScoredChunks(ids, shares.look_up(ids)))

    def list_best(self, exclude: Ids) -> Ids:
        """Return the chunks that get most, up to BOOST_CANDIDATES, without some."""
        order = np.argsort(-self.shares.scores, kind="stable")[: BOOST_CANDIDATES + len(exclude)]
        ids = self.shares.ids[order]
        return ids[~np.isin(ids, exclude)][:BOOST_CANDIDATES]

    def get(self, ids: Ids) -> Scores:
        """Return what each of some chunks gets."""
        return self.shares.look_up(ids, missing=0.0)


def _rank_numbers(snapshot: Snapshot, key: str) -> ScoredChunks:
    numbers = snapshot.load_numbers(key)
    if not len(numbers):
        raise InputError(f"no document has a number at {key!r} in its metadata to boost by; see `vecsearch facets`")
    less = np.searchsorted(np.sort(numbers.scores), numbers.scores, side="left")
    return ScoredChunks(numbers.ids, BOOST_WEIGHT * less / max(len(numbers) - 1, 1))
