"""One search from a cold shell: seconds from start to end and peak memory, for vecsearch and for other tools.

    python -m benchmarks.cold --chunks 100000 --vectors FILE.npy --keep build/cold

All answer the same question from the same texts with the same weights, text of the hits printed, sides taking turns. vecsearch
encodes the texts itself; the others are given vectors. `--keep` is where the collections stay for the next time. Files are in the
system's cache: each side is run once before it counts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.peers import INSTALL_HINT, PEERS, is_installed
from vecsearch.encoders.model_files import BUNDLED_MODEL, find_model_folder

LAUNCH_SCRIPT = """
import json, os, sys, time
started = time.perf_counter()
null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, usage = os.wait4(process, 0)
print(json.dumps([time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e6, status]))
"""  # small itself, since what is started inherits the peak of what started it
BY_HAND_SCRIPT = """
import sqlite3, sys, faiss
from sentence_transformers import SentenceTransformer
folder, model, question = sys.argv[1:]
row = SentenceTransformer(model).encode([question], normalize_embeddings=True)
texts = sqlite3.connect(folder + "/texts.db")
for place in faiss.read_index(folder + "/flat.faiss").search(row, 10)[1][0]:
    print(texts.execute("SELECT text FROM texts WHERE id = ?", [int(place)]).fetchone()[0])
"""
TXTAI_SCRIPT = """
import sys, txtai
folder, model, question = sys.argv[1:]
embeddings = txtai.Embeddings()
embeddings.load(folder + "/c", config={"method": "transformers", "path": model})
for hit in embeddings.search(question, 10):
    print(hit["text"])
"""
CHROMA_SCRIPT = """
import sys, chromadb
from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction
folder, model, question = sys.argv[1:]
client = chromadb.PersistentClient(folder, settings=chromadb.Settings(anonymized_telemetry=False))
rows = client.get_collection("rows", embedding_function=SentenceTransformerEmbeddingFunction(model))
for text in rows.query(query_texts=[question], n_results=10)["documents"][0]:
    print(text)
"""
SEARCH_COMMAND = [sys.executable, "-m", "vecsearch", "search", "--db"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--vectors", type=Path, help=".npy of one row a text, in order; else the default encoder makes and keeps them"
    )
    parser.add_argument("--keep", type=Path, default=Path("build/cold"))
    parser.add_argument("--question", default="asynchronous client for a message queue")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    corpus.find_text_files()
    names = [name for name in BUILDERS if name == "by hand" or is_installed(PEERS[name])]
    for name in BUILDERS.keys() - set(names):
        print(f"{name} is not installed and left out; {INSTALL_HINT}", file=sys.stderr)
    folder = args.keep.resolve() / str(args.chunks)
    for name in names:
        if not (folder / name / "done").exists():
            build_collection(name, folder / name, args)
    runs = time_commands(build_commands(folder, args.question, names), args.rounds)
    base_seconds = statistics.median(seconds for seconds, _ in runs["vecsearch, hybrid"])
    print(f"{args.chunks:,} chunks, median of {args.rounds} rounds")
    for side, times in runs.items():
        seconds, memory = statistics.median(time for time, _ in times), statistics.median(peak for _, peak in times)
        print(f"{side:32} {seconds:6.2f} s {memory:6,.0f} MB {seconds / base_seconds:6.1f} ×")


def build_commands(folder: Path, question: str, names: list[str]) -> dict[str, list[str]]:
    database, model = str(folder / "vecsearch/db"), str(find_model_folder(BUNDLED_MODEL))
    sides = {
        "vecsearch, hybrid": [*SEARCH_COMMAND, database, question],
        "vecsearch, --mode lexical": [*SEARCH_COMMAND, database, question, "--mode", "lexical"],
    }
    scripts = {"by hand": BY_HAND_SCRIPT, "txtai": TXTAI_SCRIPT, "chroma": CHROMA_SCRIPT}
    labels = {"by hand": "sentence-transformers + FAISS", "txtai": "txtai, hybrid", "chroma": "Chroma"}
    other_sides = {
        labels[name]: [sys.executable, "-c", scripts[name], str(folder / name), model, question]
        for name in names
        if name in labels
    }
    return sides | other_sides


def time_commands(sides: dict[str, list[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Measure the seconds and megabytes of each run."""
    for name, command in sides.items():  # not timed: fills the system's cache, and proves that there is an answer
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert len(output.splitlines()) >= 10, f"{name} printed {output!r}"
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, command in sides.items():
            result = subprocess.run(
                [sys.executable, "-S", "-c", LAUNCH_SCRIPT, *command], check=True, capture_output=True, text=True
            )
            seconds, memory, status = json.loads(result.stdout)
            assert status == 0, f"{name} failed: {result.stderr}"
            runs[name].append((seconds, memory))
    return runs


def build_collection(name: str, folder: Path, args: argparse.Namespace) -> None:
    """Make one side's collection, in a process of its own."""
    print(f"building {name}, {args.chunks:,} chunks, in {folder} …", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("spawn").Process(target=BUILDERS[name], args=(folder, args.chunks, args.vectors))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{name} could not be built")
    (folder / "done").touch()


def _read_texts(count: int) -> list[str]:
    return list(islice(corpus.iterate_texts(), count))


def _load_rows(texts: list[str], vectors_file: Path | None) -> Any:
    return corpus.normalize_rows(corpus.load_vectors(texts, vectors_file))


def build_vecsearch(folder: Path, count: int, vectors_file: Path | None) -> None:
    import vecsearch

    with vecsearch.open(folder / "db") as collection:
        texts = _read_texts(count)
        for start in range(collection.count(), count, 10_000):
            collection.add(texts[start : start + 10_000])


def build_by_hand(folder: Path, count: int, vectors_file: Path | None) -> None:
    import faiss

    texts = _read_texts(count)
    rows = _load_rows(texts, vectors_file)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    faiss.write_index(index, str(folder / "flat.faiss"))
    database = sqlite3.connect(folder / "texts.db")
    database.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT)")
    database.executemany("INSERT INTO texts VALUES (?, ?)", enumerate(texts))
    database.commit()
    database.close()


def build_txtai(folder: Path, count: int, vectors_file: Path | None) -> None:
    texts = _read_texts(count)
    row_of = dict(zip(texts, _load_rows(texts, vectors_file), strict=True))

    def transform(batch: list[str]) -> list[Any]:
        return [row_of[text] for text in batch]

    embeddings = import_module("txtai").Embeddings(method="external", transform=transform, content=True, hybrid=True)
    embeddings.index(texts)
    del embeddings.config["transform"]
    embeddings.save(str(folder / "c"))


def build_chroma(folder: Path, count: int, vectors_file: Path | None) -> None:
    chroma, texts = import_module("chromadb"), _read_texts(count)
    rows = _load_rows(texts, vectors_file)
    encode = import_module("chromadb.utils.embedding_functions").SentenceTransformerEmbeddingFunction(
        str(find_model_folder(BUNDLED_MODEL))
    )
    client = chroma.PersistentClient(str(folder), settings=chroma.Settings(anonymized_telemetry=False))
    collection = client.create_collection("rows", embedding_function=encode)
    for start in range(0, count, 5_000):
        batch = texts[start : start + 5_000]
        keys = [str(start + place) for place in range(len(batch))]
        collection.add(ids=keys, embeddings=rows[start : start + 5_000], documents=batch)


BUILDERS: dict[str, Callable[[Path, int, Path | None], None]] = {
    "vecsearch": build_vecsearch, "by hand": build_by_hand, "txtai": build_txtai, "chroma": build_chroma,
}  # fmt: skip


if __name__ == "__main__":
    main()
