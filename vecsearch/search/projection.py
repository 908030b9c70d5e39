"""From vectors to places on a plane, by t-SNE (van der Maaten and Hinton, JMLR 2008).

Two principal components keep 7 % of the five nearest of 453 words, t-SNE 52 %: that is why there is no quicker map.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import InputError, UnavailableError

_PERPLEXITY: Final = 30.0  # its authors' usual choice; a third of the documents where they are few
_NEIGHBOURS: Final = 5
_TINY: Final = 1e-6
POINTS_MIN: Final = 3


def reduce_to_plane(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Return places (n, 2) in [0, 1] for unit vectors (n, dimension), the same for the same seed on the same machine.

    Raises InputError for fewer than 3, UnavailableError where scikit-learn is not installed.
    """
    count = len(vectors)
    if count < POINTS_MIN:
        raise InputError(f"a map needs at least {POINTS_MIN} documents with vectors, got {count}")
    make_model, limit_threads = _load_scikit_learn()
    is_constant = bool(np.ptp(vectors, axis=0).max() < _TINY)
    model = make_model(
        n_components=2, metric="cosine", init="random" if is_constant or count < _NEIGHBOURS else "pca",
        perplexity=min(_PERPLEXITY, (count - 1) / 3), random_state=seed,
    )  # fmt: skip
    with limit_threads(1):  # several would add up in another order each time
        places = np.asarray(model.fit_transform(vectors), np.float64)
    low, span = places.min(axis=0), max(float(np.ptp(places, axis=0).max()), 1e-12)
    centered: NDArray[np.float64] = (places - low) / span + (1 - np.ptp(places, axis=0) / span) / 2
    return centered


def measure_kept_neighbours(vectors: NDArray[np.float32], places: NDArray[np.float64]) -> float:
    """Return the share of each vector's five nearest that are among its five nearest places too."""
    near = min(_NEIGHBOURS, len(vectors) - 1)
    by_cosine = _find_nearest(-(vectors @ vectors.T), near)
    by_place = _find_nearest(np.square(places[:, np.newaxis] - places).sum(axis=2), near)
    kept = [len(np.intersect1d(a, b)) for a, b in zip(by_cosine, by_place, strict=True)]
    return float(np.mean(kept)) / near


def _find_nearest(distances: NDArray[Any], near: int) -> NDArray[np.int64]:
    np.fill_diagonal(distances, np.inf)
    return np.argpartition(distances, near - 1, axis=1)[:, :near]


def _load_scikit_learn() -> tuple[Any, Any]:
    """Return t-SNE, and what limits the threads of the libraries below it. Raises UnavailableError."""
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("sklearn", "threadpoolctl"):
            raise
        raise UnavailableError("a map needs scikit-learn, which is not installed; pip install scikit-learn") from error
    return TSNE, threadpool_limits
