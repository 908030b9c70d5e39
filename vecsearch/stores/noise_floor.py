"""How similar is similar: the similarity of unrelated and of related texts, estimated from a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from vecsearch.core.settings import NOISE_REFERENCE_CHUNKS, NOISE_SAMPLE_CHUNKS

if TYPE_CHECKING:
    from vecsearch.stores.base import Snapshot


_KEY: Final = "noise_floor"  # in the snapshot's cache: (version, floor)


def get_noise_floor(snapshot: Snapshot) -> float | None:
    """Return the similarity below which a chunk is no better than noise; None where there are too few documents to tell.

    It is what the store keeps, estimated when at most a fifth of the vectors were others than now.
    Where it keeps none yet, in a collection that an older program wrote and nobody has written to since, it is estimated from
    what there is, once for each version of the collection in this process.
    """
    if snapshot.info.noise_floor_vectors:
        return snapshot.info.noise_floor
    cached: tuple[object, float | None] | None = snapshot.cache.get(_KEY)
    if cached is None or cached[0] != snapshot.info.version:
        cached = snapshot.cache[_KEY] = (snapshot.info.version, estimate_noise_floor(snapshot))
    return cached[1]


def estimate_noise_floor(snapshot: Snapshot) -> float | None:
    """Return the cosine half-way between two texts picked at random and a text and its nearest in another document.

    Both by their medians, from evenly spread chunks, NOISE_SAMPLE_CHUNKS against up to NOISE_REFERENCE_CHUNKS. None where there
    are too few documents to estimate it.
    """
    sample, others = snapshot.sample_chunks(NOISE_SAMPLE_CHUNKS), snapshot.sample_chunks(NOISE_REFERENCE_CHUNKS)
    ids = np.union1d(sample, others)
    document_by_chunk = snapshot.find_document_rows(ids.tolist())
    documents = np.array([document_by_chunk[chunk] for chunk in ids.tolist()], np.int64)
    if len(np.unique(documents)) < NOISE_SAMPLE_CHUNKS:
        return None
    rows = snapshot.load_vectors(ids.tolist())
    positions = np.searchsorted(ids, sample)
    cosines = rows[positions] @ rows.T
    cosines[documents[positions][:, np.newaxis] == documents[np.newaxis]] = np.nan
    strangers, kin = np.nanmedian(cosines), np.nanmedian(np.nanmax(cosines, axis=1))
    return min(float((strangers + kin) / 2), 1.0)
