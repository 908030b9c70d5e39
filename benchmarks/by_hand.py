"""vecsearch compared with sentence-transformers + faiss by hand: the same texts, each side in its own process, in turns.

    python -m benchmarks.by_hand --documents 1000 --rounds 3

Indexing: vecsearch reads, splits, encodes, stores text, vectors and words; by hand encodes the same chunks and writes a flat
index. Asking: one query from a cold shell. Prints seconds, start-up included, and vecsearch's share of the other side's time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import vecsearch
from benchmarks import corpus
from vecsearch.encoders.model_files import BUNDLED_MODEL, find_model_folder

INDEX_SCRIPT = """
import json, sys, faiss
from sentence_transformers import SentenceTransformer
texts = json.load(open(sys.argv[1]))
rows = SentenceTransformer(sys.argv[3]).encode(texts, normalize_embeddings=True)
index = faiss.IndexFlatIP(rows.shape[1])
index.add(rows)
faiss.write_index(index, sys.argv[2])
"""
SEARCH_SCRIPT = """
import json, sys, faiss
from sentence_transformers import SentenceTransformer
texts = json.load(open(sys.argv[1]))
row = SentenceTransformer(sys.argv[3]).encode([sys.argv[4]], normalize_embeddings=True)
for place in faiss.read_index(sys.argv[2]).search(row, 10)[1][0]:
    print(texts[place][:200])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", type=Path, nargs="?", help=".jsonl of documents, .gz or not (default: scifact, else docstrings)"
    )
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--query", default="vitamin D and the risk of heart disease")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    args.corpus = args.corpus or corpus.find_text_files(corpus.DATA_FOLDER / "scifact/corpus.jsonl")[0]
    with TemporaryDirectory() as folder:
        compare(Path(folder), args)


def compare(folder: Path, args: argparse.Namespace) -> None:
    lines, chunks, flat = folder / "some.jsonl", folder / "chunks.json", folder / "flat.faiss"
    with corpus.open_text(args.corpus) as documents:
        lines.write_text("".join(islice(documents, args.documents)), encoding="utf-8")
    with vecsearch.open(folder / "first.vec") as first:  # not timed: gives the chunks, and warms the disk for both sides
        report = first.index([lines])
        chunks.write_text(json.dumps(read_chunk_texts(first)), encoding="utf-8")
    model = find_model_folder(BUNDLED_MODEL)
    print(f"{report.documents} documents, {report.chunks} chunks, {os.cpu_count()} cores, {args.rounds} rounds")
    shell = [sys.executable, "-m", "vecsearch", "--db"]
    rounds = iter(range(args.rounds))
    time_sides("index", args.rounds,
        run_vecsearch=lambda: time_command(*shell, folder / f"{next(rounds)}.vec", "index", lines),
        run_baseline=lambda: time_command(sys.executable, "-c", INDEX_SCRIPT, chunks, flat, model))  # fmt: skip
    time_sides("ask", args.rounds,
        run_vecsearch=lambda: time_command(*shell, folder / "0.vec", "search", args.query),
        run_baseline=lambda: time_command(sys.executable, "-c", SEARCH_SCRIPT, chunks, flat, model, args.query))  # fmt: skip


def read_chunk_texts(collection: vecsearch.Collection) -> list[str]:
    """Return what the encoder saw of each chunk, as near as the public interface tells: title and span."""
    documents = collection.get([summary.id for summary in collection.list_documents(limit=1_000_000)])
    return [f"{document.title}\n{document.text[span.start : span.end]}" for document in documents for span in document.chunks]


def time_sides(label: str, rounds: int, run_vecsearch: Callable[[], float], run_baseline: Callable[[], float]) -> None:
    pairs = [(run_vecsearch(), run_baseline()) for _ in range(rounds)]
    ratios = [vecsearch_s / other for vecsearch_s, other in pairs]
    print(f"{label}: vecsearch {statistics.median(a for a, _ in pairs):.1f} s, "
          f"by hand {statistics.median(b for _, b in pairs):.1f} s, "
          f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


def time_command(*command: object) -> float:
    start_time = perf_counter()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start_time


if __name__ == "__main__":
    main()
