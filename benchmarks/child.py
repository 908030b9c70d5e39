"""One peer, one step, one process: `python -m benchmarks.child build|search PEER DATA FOLDER RESULT SECONDS`.

Before any clock starts, a smaller collection is built (by `build`), opened and asked beside the large one, so that imports and
first calls count for nobody.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.corpus import FILTERS, Matrix, RowFilter
from benchmarks.measuring import make_durable, measure_peak_mb, warm_cache
from benchmarks.peers import PEERS, Peer, Vector

REHEARSAL_ROWS = 10_000  # rows, so many that each peer makes an index of them, and loads what that takes
WARM_UP = 10  # searches for rows of the collection, before those that count
MIN_QUERIES = 20  # queries asked, however long they take


def build(peer: Peer, data: Path, folder: Path) -> dict[str, Any]:
    """Measure the seconds until everything is on disk, `fsync` of every file included."""
    rows = corpus.load_corpus(data)
    for place in (get_rehearsal_folder(folder), folder):
        place.mkdir(parents=True)
    peer.build(get_rehearsal_folder(folder), rows.slice_rows(0, REHEARSAL_ROWS))
    rehearse(peer, folder, rows.vectors[0])
    gc.collect()
    start_time = perf_counter()
    peer.build(folder, rows)
    make_durable(folder)
    return {"ingest_s": perf_counter() - start_time}


def search(peer: Peer, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Time single searches in turn, and return what they found; each kind of search ends after so many seconds."""
    queries: Matrix = np.load(data / "queries.npy")
    warm = np.array(np.load(data / "vectors.npy", mmap_mode="r")[:WARM_UP])
    rehearse(peer, folder, warm[0])
    warm_cache(folder)
    start_time = perf_counter()
    peer.open(folder)
    answer = peer.search(queries[0], None)
    result: dict[str, Any] = {"reopen_ms": (perf_counter() - start_time) * 1000, "answer": answer}
    for name, row_filter in FILTERS.items():
        if row_filter is None or peer.filters:
            result[name] = measure_series(peer, warm, queries, row_filter, seconds)
    result["memory_mb"] = measure_peak_mb()
    peer.close()
    return result


def measure_series(peer: Peer, warm: Matrix, queries: Matrix, row_filter: RowFilter | None, seconds: float) -> dict[str, Any]:
    for row in warm:
        peer.search(row, row_filter)
    times: list[float] = []
    found_ids: list[list[int]] = []
    for query in queries:
        start_time = perf_counter()
        hits = peer.search(query, row_filter)
        times.append((perf_counter() - start_time) * 1000)
        found_ids.append([hit.id for hit in hits])
        if sum(times) > seconds * 1000 and len(times) >= MIN_QUERIES:
            break
    p95 = sorted(times)[int(len(times) * 0.95)]
    return {"p50_ms": statistics.median(times), "p95_ms": p95, "queries": len(times), "found": found_ids}


def rehearse(peer: Peer, folder: Path, vector: Vector) -> None:
    """Open and ask the small collection that `build` made beside the large one."""
    peer.open(get_rehearsal_folder(folder))
    for row_filter in FILTERS.values():
        peer.search(vector, row_filter)
    peer.close()


def get_rehearsal_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-small")


def main(step: str, name: str, data: str, folder: str, result: str, seconds: str) -> None:
    peer = PEERS[name]()
    places = Path(data), Path(folder)
    figures = build(peer, *places) if step == "build" else search(peer, *places, float(seconds))
    Path(result).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
