"""One peer, one step, one process: `python -m benchmarks.child STEP PEER DATA FOLDER RESULT SECONDS`.

The steps are `build` and `search` for vectors, `build-texts` and `ask` for questions in words. Before any clock starts, a smaller
collection is built (by the first step), opened and asked beside the large one, so that imports and first calls count for nobody.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.asking import measure_questions, rehearse_questions
from benchmarks.corpus import FILTERS, Matrix, RowFilter
from benchmarks.measuring import make_durable, measure_peak_mb, summarize_times, time_calls, warm_cache
from benchmarks.peers import PEERS, AnyPeer, Peer, Vector
from benchmarks.questions import load_questions
from benchmarks.text_peers import TEXT_PEERS, TextPeer

REHEARSAL_ROWS = 10_000  # rows, so many that each peer makes an index of them, and loads what that takes
WARM_UP = 10  # searches for rows of the collection, before those that count


def build(peer: AnyPeer, data: Path, folder: Path, rehearse: Callable[[], None]) -> dict[str, Any]:
    """Measure the seconds until everything is on disk, `fsync` of every file included."""
    rows = corpus.load_corpus(data)
    for place in (get_rehearsal_folder(folder), folder):
        place.mkdir(parents=True)
    peer.build(get_rehearsal_folder(folder), rows.slice_rows(0, REHEARSAL_ROWS))
    rehearse()
    gc.collect()
    start_time = perf_counter()
    peer.build(folder, rows)
    make_durable(folder)
    return {"ingest_s": perf_counter() - start_time}


def build_vectors(name: str, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    peer = PEERS[name]()
    return build(peer, data, folder, lambda: rehearse_search(peer, folder, load_warm_rows(data)[0]))


def search(name: str, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Time single searches in turn, and return what they found; each kind of search ends after so many seconds."""
    peer = PEERS[name]()
    queries: Matrix = np.load(data / "queries.npy")
    warm = load_warm_rows(data)
    rehearse_search(peer, folder, warm[0])
    warm_cache(folder)
    start_time = perf_counter()
    peer.open(folder)
    answer = peer.search(queries[0], None)
    result: dict[str, Any] = {"reopen_ms": (perf_counter() - start_time) * 1000, "answer": answer}
    for kind, row_filter in FILTERS.items():
        if row_filter is None or peer.filters:
            result[kind] = measure_series(peer, warm, queries, row_filter, seconds)
    result["memory_mb"] = measure_peak_mb()
    peer.close()
    return result


def load_warm_rows(data: Path) -> Matrix:
    return np.array(np.load(data / "vectors.npy", mmap_mode="r")[:WARM_UP])


def measure_series(peer: Peer, warm: Matrix, queries: Matrix, row_filter: RowFilter | None, seconds: float) -> dict[str, Any]:
    for row in warm:
        peer.search(row, row_filter)
    times, answers = time_calls(lambda query: peer.search(query, row_filter), list(queries), seconds)
    return summarize_times(times) | {"found": [[hit.id for hit in hits] for hits in answers]}


def rehearse_search(peer: Peer, folder: Path, vector: Vector) -> None:
    """Open and ask the small collection that `build` made beside the large one."""
    peer.open(get_rehearsal_folder(folder))
    for row_filter in FILTERS.values():
        peer.search(vector, row_filter)
    peer.close()


def build_texts(name: str, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    peer = TEXT_PEERS[name]()
    return build(peer, data, folder, lambda: rehearse_ask(peer, data, folder))


def ask(name: str, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Time single questions in turn, and return what they found; each series ends after so many seconds."""
    peer = TEXT_PEERS[name]()
    rehearse_ask(peer, data, folder)
    warm_cache(folder)
    first = load_questions(data)["short"][0]
    start_time = perf_counter()
    peer.open(folder)
    peer.ask(peer.modes[0], first.text, None, None)
    result: dict[str, Any] = {"reopen_ms": (perf_counter() - start_time) * 1000}
    peer.close()
    result |= measure_questions(peer, data, folder, seconds)
    return result | {"memory_mb": measure_peak_mb()}


def rehearse_ask(peer: TextPeer, data: Path, folder: Path) -> None:
    """Open and ask the small collection that `build` made beside the large one."""
    peer.open(get_rehearsal_folder(folder))
    rehearse_questions(peer, data)
    peer.close()


def get_rehearsal_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-small")


STEPS: dict[str, Callable[[str, Path, Path, float], dict[str, Any]]] = {
    "build": build_vectors, "search": search, "build-texts": build_texts, "ask": ask,
}  # fmt: skip


def main(step: str, name: str, data: str, folder: str, result: str, seconds: str) -> None:
    figures = STEPS[step](name, Path(data), Path(folder), float(seconds))
    Path(result).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
