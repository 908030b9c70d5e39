"""Check and normalise the vectors that come out of an encoder, or from a caller."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.core.errors import InputError
from vecsearch.encoders.base import Matrix

_BLOCK_ROWS: Final = 512  # whose doubles stay in the processor's cache, which makes it several times as quick


def normalize_vectors(rows: Matrix) -> Matrix:
    """Return the rows scaled to length 1. Raises InputError for NaN, infinity or a zero row."""
    units = np.empty(rows.shape, np.float32)
    for at in range(0, len(rows), _BLOCK_ROWS):
        block = rows[at : at + _BLOCK_ROWS]
        if not np.isfinite(block).all():
            raise InputError("a vector holds NaN or infinity; every number must be finite")
        norms = np.linalg.norm(block.astype(np.float64), axis=1, keepdims=True)
        if not norms.all():
            raise InputError("a vector is all zeros; it has no direction to compare")
        units[at : at + _BLOCK_ROWS] = block / norms
    return units
