"""Text to searchable: documents a second, encoded by the same weights, text kept, on disk when the clock stops.

    python -m benchmarks.indexing --documents 2000 --rounds 3

Each side is a process of its own, taking turns; its model is loaded and warm before the clock starts, and what was added last is
found afterwards. vecsearch and txtai index words and meaning, Chroma meaning only. "by hand" are sentence-transformers and FAISS
alone, "encoder" is vecsearch's own encoder over the same texts, sorted by length, with nothing stored.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks import corpus
from benchmarks.measuring import make_durable
from benchmarks.peers import INSTALL_HINT, PEERS, is_installed
from vecsearch.core.batched import batched
from vecsearch.core.settings import BATCH_CHUNKS
from vecsearch.encoders.model_files import BUNDLED_MODEL, find_model_folder

WARM_UP = ["A text to warm up with.", "Another, somewhat longer text to warm up with, about nothing."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    texts = list(islice(corpus.iterate_texts(), args.documents))
    sides = {name: side for name, side in SIDES.items() if name not in PEERS or is_installed(PEERS[name])}
    for name in SIDES.keys() - sides.keys():
        print(f"{name} is not installed and left out; {INSTALL_HINT}", file=sys.stderr)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, side in sides.items():
            times[name].append(_run_in_process(side, texts))
    for name, seconds in times.items():
        ratios = [other / vecsearch_time for other, vecsearch_time in zip(seconds, times["vecsearch"], strict=True)]
        rate = len(texts) / statistics.median(seconds)
        print(f"{name:16} {rate:7,.0f} documents/s; vecsearch is {statistics.median(ratios):.2f} times as quick")


def _run_in_process(side: Callable[[Path, list[str]], float], texts: list[str]) -> float:
    os.sync()
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(side, Path(folder), texts).result()


def time_vecsearch(folder: Path, texts: list[str]) -> float:
    import vecsearch

    with vecsearch.open(folder / "warm") as warm:
        warm.add(WARM_UP)
    start_time = perf_counter()
    with vecsearch.open(folder / "db") as collection:
        collection.add(texts)
        make_durable(folder / "db")
        seconds = perf_counter() - start_time
        assert texts[-1] in [hit.text for hit in collection.search(texts[-1])]
    return seconds


def time_vecsearch_index(folder: Path, texts: list[str]) -> float:
    """Time `index` over a file of JSON lines: read, found by words, then by meaning."""
    import vecsearch

    file = folder / "texts.jsonl"
    corpus.write_documents(file, texts)
    with vecsearch.open(folder / "warm") as warm:
        warm.add(WARM_UP)
    start_time = perf_counter()
    with vecsearch.open(folder / "db") as collection:
        assert collection.index([file]).pending_vectors == 0
        make_durable(folder / "db")
        seconds = perf_counter() - start_time
        assert texts[-1] in [hit.text for hit in collection.search(texts[-1])]
    return seconds


def time_encoder(_: Path, texts: list[str]) -> float:
    from vecsearch.encoders import registry

    encoder = registry.load(None, None)
    encoder.encode_documents(WARM_UP)
    start_time = perf_counter()
    for batch in batched(sorted(texts, key=len, reverse=True), BATCH_CHUNKS):
        encoder.encode_documents(batch)
    return perf_counter() - start_time


def time_by_hand(folder: Path, texts: list[str]) -> float:
    faiss = import_module("faiss")
    model = import_module("sentence_transformers").SentenceTransformer(str(find_model_folder(BUNDLED_MODEL)))
    model.encode(WARM_UP)
    start_time = perf_counter()
    rows = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    faiss.write_index(index, str(folder / "rows.faiss"))
    make_durable(folder)
    seconds = perf_counter() - start_time
    assert len(texts) - 1 in index.search(rows[-1:], 10)[1]
    return seconds


def time_txtai(folder: Path, texts: list[str]) -> float:
    embeddings = import_module("txtai").Embeddings(path=str(find_model_folder(BUNDLED_MODEL)), content=True, hybrid=True)
    embeddings.batchtransform(WARM_UP)
    start_time = perf_counter()
    embeddings.index(texts)
    embeddings.save(str(folder / "db"))
    make_durable(folder)
    seconds = perf_counter() - start_time
    assert texts[-1] in [hit["text"] for hit in embeddings.search(texts[-1], 10)]
    return seconds


def time_chroma(folder: Path, texts: list[str]) -> float:
    chroma = import_module("chromadb")
    encode = import_module("chromadb.utils.embedding_functions").SentenceTransformerEmbeddingFunction(
        str(find_model_folder(BUNDLED_MODEL))
    )
    encode(WARM_UP)
    start_time = perf_counter()
    client = chroma.PersistentClient(str(folder / "db"), settings=chroma.Settings(anonymized_telemetry=False))
    collection = client.create_collection("rows", embedding_function=encode)
    size = client.get_max_batch_size()
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        collection.add(ids=[str(start + place) for place in range(len(batch))], documents=batch)
    make_durable(folder)
    seconds = perf_counter() - start_time
    assert texts[-1] in collection.query(query_texts=texts[-1:], n_results=10)["documents"][0]
    return seconds


SIDES: dict[str, Callable[[Path, list[str]], float]] = {
    "vecsearch": time_vecsearch, "vecsearch index": time_vecsearch_index, "encoder": time_encoder, "by hand": time_by_hand,
    "txtai": time_txtai, "chroma": time_chroma,
}  # fmt: skip


if __name__ == "__main__":
    main()
