"""Run every query in one mode, and compare the modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np

from vecsearch.api.collection import Collection
from vecsearch.core.batched import batched
from vecsearch.core.checks import check_choice
from vecsearch.core.errors import InputError
from vecsearch.core.measures import Interval, Measure, Values, compute_interval, compute_measures
from vecsearch.core.types import AnyMode, Mode

DEPTH: Final = 100  # documents requested for a query: all that the measures look at
PORTION: Final = 64  # queries run together
_NO_OPTIONS: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Run:
    """What a mode was worth. `values`: query id → measure → value, in the order of the queries; `seconds` is spent searching."""

    mode: Mode
    documents: int
    values: Mapping[str, Mapping[Measure, float]]
    seconds: float

    @property
    def ms_per_query(self) -> float:
        """Return milliseconds a query, of queries run PORTION at a time; loading the model does not count."""
        return self.seconds * 1000 / len(self.values)

    def get_values(self, measure: Measure) -> Values:
        """Return the values of a measure, one a query."""
        return np.array([by_measure[measure] for by_measure in self.values.values()])

    def mean(self, measure: Measure) -> float:
        """Return the mean of a measure over the queries."""
        return float(self.get_values(measure).mean())

    def compute_interval(self, measure: Measure) -> Interval:
        """Compute the 95 % interval of that mean."""
        return compute_interval(self.get_values(measure))


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much `mode` is better than `other`, and the 95 % interval of that; one that holds 0 may be chance."""

    measure: Measure
    mode: Mode
    other: Mode
    mean: float
    interval: Interval


def evaluate(
    collection: Collection, queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], *, mode: AnyMode = Mode.HYBRID,
    options: Mapping[str, Any] = _NO_OPTIONS, progress: Callable[[int], None] | None = None,
) -> Run:  # fmt: skip
    """Run the queries that have a relevant document, and measure the first DEPTH documents of each answer.

    A document counts once, by its best chunk. `options` are further arguments of `Collection.search`. `progress` is called
    with how many more queries were run. Raises InputError when no query has a relevant document, and what `search` raises.
    """
    chosen = check_choice(Mode, mode, "mode")
    query_ids = select_answerable(queries, qrels)
    if not query_ids:
        raise InputError("nothing to measure: no query has a relevant document (a judgement with a score above 0)")
    switches = {**options, "limit": DEPTH, "mode": chosen, "group_by": "document"}
    collection.search(["warm up"], **switches)  # so that no query pays for loading the model and the index
    rankings: dict[str, list[str]] = {}
    seconds = 0.0
    for batch in batched(query_ids, PORTION):
        started = perf_counter()
        answers = collection.search([queries[query] for query in batch], **switches)
        seconds += perf_counter() - started
        rankings.update((query, [hit.id for hit in hits]) for query, hits in zip(batch, answers, strict=True))
        if progress:
            progress(len(batch))
    values = compute_measures({query: qrels[query] for query in query_ids}, rankings)
    return Run(chosen, collection.count(), values, seconds)


def select_answerable(queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the ids of the queries that have a document with a grade above 0, in the order of `queries`."""
    return [query for query in queries if any(grade > 0 for grade in qrels.get(query, {}).values())]


def compare_runs(runs: Sequence[Run], *, mode: Mode = Mode.HYBRID) -> list[Difference]:
    """Compare the run of `mode` with the best of the others, for each measure; empty when it or they are not there.

    The runs are of the same queries. The interval is of the paired differences, query by query.
    """
    ours = [run for run in runs if run.mode is mode]
    others = [run for run in runs if run.mode is not mode]
    if not ours or not others:
        return []
    return [_compare(ours[0], max(others, key=lambda run: run.mean(measure)), measure) for measure in Measure]


def _compare(run: Run, other: Run, measure: Measure) -> Difference:
    paired = run.get_values(measure) - other.get_values(measure)
    return Difference(measure, run.mode, other.mode, float(paired.mean()), compute_interval(paired))
