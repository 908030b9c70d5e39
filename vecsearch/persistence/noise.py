"""How near is near: what a collection's own texts say about chance likeness and kinship. Learned where it is asked for."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, select

from vecsearch.core.settings import NOISE_OTHERS, NOISE_SAMPLE
from vecsearch.persistence.tables import chunks
from vecsearch.persistence.vectors import Ids
from vecsearch.persistence.view import View


def floor(connection: Connection, view: View) -> float | None:
    """The cosine half-way between two texts picked at random and a text and its nearest in another document, by their medians.

    From evenly spread chunks, NOISE_SAMPLE of them against up to NOISE_OTHERS; None where there are too few documents to tell.
    """
    ids = view.ids()
    if len(ids) < NOISE_SAMPLE:
        return None
    some, others = _spread(ids, NOISE_SAMPLE), _spread(ids, NOISE_OTHERS)
    others = np.union1d(some, others)
    found, rows = view.fetch(others)
    owner = _owners(connection, found)
    at = np.searchsorted(found, some)
    cosines = rows[at].astype(np.float32) @ rows.astype(np.float32).T
    cosines[owner[at][:, np.newaxis] == owner[np.newaxis]] = np.nan
    if len(np.unique(owner)) < NOISE_SAMPLE:
        return None
    strangers, kin = np.nanmedian(cosines), np.nanmedian(np.nanmax(cosines, axis=1))
    return float((strangers + kin) / 2)


def _spread(ids: Ids, count: int) -> Ids:
    """At most so many of them, evenly spread; the same ones every time."""
    if len(ids) <= count:
        return ids
    return ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]


def _owners(connection: Connection, ids: Ids) -> Ids:
    """The document of each chunk; `ids` ascend and are there."""
    query = select(chunks.c.id, chunks.c.document_id).where(chunks.c.id.between(int(ids[0]), int(ids[-1]))).order_by(chunks.c.id)
    rows = np.array(connection.execute(query).all(), np.int64).reshape(-1, 2)
    return np.asarray(rows[np.isin(rows[:, 0], ids), 1], np.int64)
