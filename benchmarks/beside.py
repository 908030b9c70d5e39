"""Searches beside a process that makes vectors: hybrid p50 and p95, quiet and beside it.

    python -m benchmarks.beside --rows 100000 --seconds 40

A database of so many rows gets as many new texts as the encoder has work for; the questions are searched in this process, one
after the other, first alone, then while another process makes the vectors.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import numpy as np

import vecsearch
from benchmarks import corpus

_FILL = "import sys, vecsearch\nwith vecsearch.open(sys.argv[1]) as notes: notes.fill_vectors()"
_QUESTIONS = 200
_LOOK_S = 0.05
_NEW_A_SECOND = 800  # texts, more than any encoder here makes vectors of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=40.0, help="of searching beside the other process")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    new = int(_NEW_A_SECOND * args.seconds)
    texts = list(islice(corpus.iterate_texts(), args.rows + new))
    with TemporaryDirectory() as folder:
        _fill_database(Path(folder), texts[: args.rows])
        _add_pending(Path(folder), texts[args.rows :])
        with vecsearch.open(Path(folder) / "db") as notes:
            questions = [" ".join(text.split()[:8]) for text in texts[:: max(1, len(texts) // _QUESTIONS)]]
            quiet = _time_searches(notes, questions, args.seconds / 4)
            other = subprocess.Popen([sys.executable, "-c", _FILL, str(Path(folder) / "db")])
            while notes.pending_vectors >= len(texts) - args.rows and other.poll() is None:
                sleep(_LOOK_S)  # it loads its model first
            beside = _time_searches(notes, questions, args.seconds)
            made = len(texts) - args.rows - notes.pending_vectors
            other.kill()
            other.wait()
    for name, times in (("quiet", quiet), ("beside", beside)):
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{name:8} p50 {p50:6.2f} ms  p95 {p95:6.2f} ms  ({len(times):,} searches)")
    ratios = np.percentile(beside, [50, 95]) / np.percentile(quiet, [50, 95])
    print(f"ratio    p50 {ratios[0]:.2f}  p95 {ratios[1]:.2f}; meanwhile {made / args.seconds:,.0f} vectors a second were made")


def _fill_database(folder: Path, texts: list[str]) -> None:
    vectors = corpus.load_vectors(texts, None, 20_000)
    with vecsearch.open(folder / "db") as notes:
        notes.add(texts, ids=[f"old{n}" for n in range(len(texts))], vectors=vectors)
        notes.optimize()


def _add_pending(folder: Path, texts: list[str]) -> None:
    file = folder / "new.jsonl"
    corpus.write_documents(file, texts, "new")
    with vecsearch.open(folder / "db") as notes:
        notes.index([file], vectors=False)


def _time_searches(notes: vecsearch.Collection, questions: list[str], seconds: float) -> list[float]:
    for question in questions[:20]:
        notes.search(question)
    times, end = [], perf_counter() + seconds
    for question in cycle(questions):
        started = perf_counter()
        notes.search(question)
        times.append((perf_counter() - started) * 1000)
        if perf_counter() > end:
            return times
    raise AssertionError("no questions")


if __name__ == "__main__":
    main()
