"""How near is near: what a collection's own texts say about chance likeness and kinship. Learned where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vecsearch.core.settings import NOISE_OTHERS, NOISE_SAMPLE
from vecsearch.core.types import ChunkId
from vecsearch.stores.sqlite.vectors.faiss_segment import Ids, to_float32
from vecsearch.stores.sqlite.vectors.vector_view import VectorView


def estimate_noise_floor(view: VectorView, documents_of: Callable[[Sequence[ChunkId]], Mapping[ChunkId, int]]) -> float | None:
    """The cosine half-way between two texts picked at random and a text and its nearest in another document, by their medians.

    From evenly spread chunks, NOISE_SAMPLE of them against up to NOISE_OTHERS; None where there are too few documents to tell.
    """
    ids = view.list_ids()
    some, others = _sample_evenly(ids, NOISE_SAMPLE), _sample_evenly(ids, NOISE_OTHERS)
    found, rows = view.fetch(np.union1d(some, others))
    owners = documents_of(found.tolist())
    owner = np.array([owners[chunk] for chunk in found.tolist()], np.int64)
    if len(np.unique(owner)) < NOISE_SAMPLE:
        return None
    at = np.searchsorted(found, some)
    cosines = to_float32(rows[at]) @ to_float32(rows).T
    cosines[owner[at][:, np.newaxis] == owner[np.newaxis]] = np.nan
    strangers, kin = np.nanmedian(cosines), np.nanmedian(np.nanmax(cosines, axis=1))
    return float((strangers + kin) / 2)


def _sample_evenly(ids: Ids, count: int) -> Ids:
    """At most so many of them, evenly spread; the same ones every time."""
    if len(ids) <= count:
        return ids
    return ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]
