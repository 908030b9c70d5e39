"""Where the time of a search goes: each stage in a collection of many chunks, and the cost of reranking.

    python -m benchmarks.stages --chunks 100000

The texts are real, their vectors random: what a stage costs depends on how many there are, and encoding so many would take the
better part of an hour. The figures are medians of milliseconds over the queries, the model being loaded.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import vecsearch
from benchmarks import corpus

BATCH_SIZE = 10_000
QUERIES = [
    "parse command line arguments", "asynchronous HTTP client", "numpy 1.26.4", "image classification with neural networks",
    "tool for managing virtual environments", "redis cache backend for django", "json schema validation", "foo_bar",
    "time series database client", "a library that does what I want",
]  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "hybrid": {}, "dense": {"mode": "dense"}, "lexical": {"mode": "lexical"}, "hybrid, 1 in 1,000 match": {"where": {"n": 7}},
    "hybrid, half match": {"where": {"even": True}}, "hybrid, by document": {"group_by": "document"},
    "hybrid, collapsed": {"dedupe": True}, "hybrid, varied": {"mmr": 0.5}, "hybrid, above chance": {"min_similarity": "auto"},
    "hybrid, second look": {"rerank": True}, "hybrid, reasons": {"explain": True},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", help=".jsonl of title and text, .gz or not (default: as for compare)")
    parser.add_argument("--chunks", type=int, default=100_000)
    args = parser.parse_args()
    files = [args.corpus] if args.corpus else corpus.find_text_files()
    with TemporaryDirectory() as folder, vecsearch.open(f"{folder}/db") as collection:
        fill(collection, files, args.chunks)
        collection.search("warm up", rerank=True)
        print(f"{collection.count():,} documents; milliseconds, median of {len(QUERIES)} queries")
        for way, options in VARIANTS.items():
            print(f"{way:26} {format_timings(collection, options)}", flush=True)


def fill(collection: vecsearch.Collection, files: Sequence[Path], count: int) -> None:
    random = np.random.default_rng(0)
    texts = (text.replace("\n", ": ", 1) for text in corpus.iterate_texts(files) if "\n" in text)
    numbered_texts = enumerate(islice(texts, count))
    while batch := list(islice(numbered_texts, BATCH_SIZE)):
        collection.add(
            [text for _, text in batch], ids=[str(n) for n, _ in batch], vectors=random.normal(size=(len(batch), 384)),
            metadatas=[{"n": n % 1000, "even": n % 2 == 0} for n, _ in batch],
        )  # fmt: skip
    collection.optimize()


def format_timings(collection: vecsearch.Collection, options: dict[str, Any]) -> str:
    plans = [collection.search(query, **options).profile for query in QUERIES]
    names = dict.fromkeys(stage for plan in plans if plan for stage in plan.timings_ms)
    times = {name: statistics.median(collect_timings(plans, name)) for name in names}
    return f"{sum(times.values()):8.1f}  " + "  ".join(f"{name} {time:.1f}" for name, time in times.items())


def collect_timings(profiles: Sequence[vecsearch.QueryProfile | None], stage: str) -> Iterator[float]:
    return (plan.timings_ms.get(stage, 0.0) for plan in profiles if plan)


if __name__ == "__main__":
    main()
