"""Looking ids, or other whole numbers, up among some that ascend."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.integer[Any]]


def find_positions(sorted_ids: Ids, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each id stands among the ascending ones, and whether it does."""
    places = np.searchsorted(sorted_ids, ids)
    places[places == len(sorted_ids)] = 0
    return places, sorted_ids[places] == ids if len(sorted_ids) else np.zeros(len(ids), bool)
