"""The measures of a ranking, by ir_measures, and how sure one can be of them. Reads no file and searches no collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2_000
_SEED: Final = 20_090_719  # any number: the same values give the same interval each time
_INTERVAL: Final = (2.5, 97.5)  # percentiles

Values: TypeAlias = NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]


class Measure(StrEnum):
    """What is measured of a query's ranking, each in [0, 1], larger is better.

    nDCG: Järvelin & Kekäläinen (ACM TOIS 2002), Σ grade / log₂(rank + 1) over the first ten, divided by the most that it could
    be. Recall: the share of the relevant documents that stand among the first hundred. MRR: 1 / rank of the first relevant one
    (Voorhees, TREC-8 1999), 0 beyond ten. MAP: the mean over the relevant documents of the precision at their rank, 0 for one
    that was not found (Buckley & Voorhees, SIGIR 2000). The means over the queries go by the same names.
    """

    NDCG = "ndcg@10"
    RECALL = "recall@100"
    MRR = "mrr@10"
    MAP = "map"


def compute_measures(
    qrels: Mapping[str, Mapping[str, int]], rankings: Mapping[str, Sequence[str]]
) -> dict[str, dict[Measure, float]]:
    """Compute each query's values. `rankings`: query id → document ids, best first, none twice; the order is not changed."""
    from ir_measures import AP, RR, R, iter_calc, nDCG

    measures = {nDCG @ 10: Measure.NDCG, R @ 100: Measure.RECALL, RR @ 10: Measure.MRR, AP: Measure.MAP}
    run = {query: {document: -float(rank) for rank, document in enumerate(ranked)} for query, ranked in rankings.items()}
    values: dict[str, dict[Measure, float]] = {query: {} for query in qrels}
    for metric in iter_calc(list(measures), qrels, run):
        values[metric.query_id][measures[metric.measure]] = float(metric.value)
    return values


def compute_interval(values: Values) -> Interval:
    """Compute the 95 % interval of a mean by the percentile bootstrap (Efron, Annals of Statistics 1979), over the queries.

    `values`: one a query, not empty; the differences of two runs in the same order make it the paired one. Equal values give
    equal intervals.
    """
    random = np.random.default_rng(_SEED)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, _INTERVAL)
    return float(low), float(high)
