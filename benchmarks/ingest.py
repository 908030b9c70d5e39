"""Where the time of ingest goes: the stages of `add` with vectors that the caller brings, by the clock and by the processor.

    python -m benchmarks.ingest --rows 100000 --batch 5000

`--batch` is how many rows one call of `add` brings. The texts are real; without --vectors their vectors are random. A stage's
time is its own, without that of the stages inside it. Timing 100,000 documents one by one costs some tenths of a second.
"""

from __future__ import annotations

import argparse
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

import numpy as np

import vecsearch
from benchmarks import corpus
from benchmarks.corpus import Matrix
from benchmarks.measuring import measure_peak_mb

Function: TypeAlias = Callable[..., Any]
_STORE = "vecsearch.stores.sqlite"
STAGES: dict[str, tuple[str, ...]] = {
    "check and copy arguments": ("vecsearch.api.arguments.parse_documents",),
    "normalize vectors": ("vecsearch.api.collection.parse_vectors",),
    "make documents, hash contents": ("vecsearch.indexing.batch_writer._make_whole_document",),
    "look for stored ids": (
        "vecsearch.api.collection.Collection._find_existing_ids", "vecsearch.indexing.batch_writer.plan_commit",
    ),
    "document rows": (f"{_STORE}.write.writer._store_documents",),
    "chunk rows, vectors": (f"{_STORE}.write.text_rows.add_chunks",),
    "metadata index": (f"{_STORE}.filters.metadata_index.add",),
    "text analysis, done or waited for": (
        "vecsearch.core.helper_process.HelperProcess._ask", "vecsearch.core.helper_process.HelperProcess._take_answer",
        f"{_STORE}.fulltext.text_analysis.encode_texts",
    ),
    "postings": (f"{_STORE}.fulltext.term_row_writes.insert_segment",),
    "merges of postings": (f"{_STORE}.fulltext.term_tables._merge_due",),
    "commits, with fsync": (f"{_STORE}.engine.connections.PooledConnection.commit",),
    "checkpoints of the log": (f"{_STORE}.engine.database_folder.DatabaseFolder._limit_wal",),
    "index files: build": (f"{_STORE}.write.compaction.build_segment",),
    "index files: write, with fsync": (f"{_STORE}.vectors.faiss_segment.Segment.save",),
}  # fmt: skip


class Seconds(NamedTuple):
    """By the clock, and of the processor."""

    wall: float
    cpu: float


class Stopwatch:
    """Adds up what calls take, each without the calls inside it that are timed too."""

    def __init__(self) -> None:
        self._totals: defaultdict[str, Seconds] = defaultdict(lambda: Seconds(0, 0))
        self._inner = [Seconds(0, 0)]  # of each call that has begun, and of all outside of any, what was timed in it

    def wrap(self, stage: str, function: Function) -> Function:
        """Return a function that does the same and is timed."""

        @functools.wraps(function)
        def run_timed(*args: Any, **options: Any) -> Any:
            wall, cpu = perf_counter(), process_time()
            self._inner.append(Seconds(0, 0))
            try:
                return function(*args, **options)
            finally:
                taken = Seconds(perf_counter() - wall, process_time() - cpu)
                self._totals[stage] = _add(self._totals[stage], _subtract(taken, self._inner.pop()))
                self._inner[-1] = _add(self._inner[-1], taken)

        return run_timed

    def list_stages(self) -> dict[str, Seconds]:
        """Return the time of each stage, and of all else that was timed as a whole."""
        return {stage: self._totals[stage] for stage in [*STAGES, "all else"]}


def _add(one: Seconds, other: Seconds) -> Seconds:
    return Seconds(one.wall + other.wall, one.cpu + other.cpu)


def _subtract(whole: Seconds, part: Seconds) -> Seconds:
    return Seconds(whole.wall - part.wall, whole.cpu - part.cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=100_000, help="rows that one call of `add` brings (default 100,000)")
    parser.add_argument("--texts", type=Path, nargs="+", help=".jsonl or lines, .gz or not (default: as for compare)")
    parser.add_argument("--vectors", type=Path, help=".npy of one row a text, in order (default: random ones)")
    args = parser.parse_args()
    texts = list(islice(corpus.iterate_texts(args.texts), args.rows))
    vectors = np.load(args.vectors)[: len(texts)] if args.vectors else make_vectors(len(texts))
    stages = measure_ingest(texts, vectors, args.batch)
    total = functools.reduce(_add, stages.values())
    print(f"{len(texts):,} rows, {args.batch:,} a call; peak {measure_peak_mb():,.0f} MB; seconds")
    print("| stage | clock | processor |\n|---|---|---|")
    for stage, seconds in {**stages, "all": total}.items():
        print(f"| {stage} | {seconds.wall:.2f} | {seconds.cpu:.2f} |")


def make_vectors(count: int) -> Matrix:
    return np.random.default_rng(0).normal(size=(count, 384)).astype(np.float32)


def measure_ingest(texts: list[str], vectors: Matrix, batch_size: int) -> dict[str, Seconds]:
    """Store all in a new database, one call of `add` a batch; return how long each stage took."""
    metadatas = corpus.make_metadatas(len(texts))
    stopwatch = Stopwatch()
    with TemporaryDirectory() as folder, vecsearch.open(f"{folder}/db") as collection, _time_stages(stopwatch):

        def add_all() -> None:
            for start in range(0, len(texts), batch_size):
                part = slice(start, start + batch_size)
                ids = [str(n) for n in range(start, start + len(texts[part]))]
                collection.add(texts[part], ids=ids, metadatas=metadatas[part], vectors=vectors[part])

        stopwatch.wrap("all else", add_all)()
    return stopwatch.list_stages()


@contextmanager
def _time_stages(stopwatch: Stopwatch) -> Iterator[None]:
    """Time every function of STAGES while the block runs."""
    patches = [patch(name, stopwatch.wrap(stage, _get_function(name))) for stage, names in STAGES.items() for name in names]
    with ExitStack() as stack:
        for patched in patches:
            stack.enter_context(patched)
        yield


def _get_function(name: str) -> Function:
    """Return the function of a dotted name: of a module, or of a class in one."""
    above, _, last = name.rpartition(".")
    try:
        holder: Any = import_module(above)
    except ModuleNotFoundError:
        holder = _get_function(above)
    function: Function = getattr(holder, last)
    return function


if __name__ == "__main__":
    main()
