"""What `tune` gains on real data, on questions that were held out, and how long it takes.

    python -m benchmarks.tuning ../shared/data --parts scifact banking-map banking-encoder

- scifact: the 809 claims of the training part, on 5,183 abstracts: a map of questions, in dense and in hybrid mode. Many claims
  are about the same abstracts, so that the first number is large; the second is what a map teaches about other abstracts.
- cranfield: 225 questions with many answers each, on 1,400 abstracts: a map of questions.
- banking-map, banking-encoder: 2,000 messages of banking77 with their 77 intents as labels; the second number is of intents that
  were never trained on. The encoder level needs accelerate and datasets.

Collections are kept in --folder, so that they are encoded once.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import vecsearch
from benchmarks.corpus import DATA_FOLDER
from vecsearch.evaluation import read_judgements
from vecsearch.interfaces.rendering.tuning_text import format_tuning

PARTS: Final = ("scifact", "cranfield", "banking-map", "banking-encoder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=DATA_FOLDER)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--modes", nargs="+", choices=("dense", "hybrid"), default=("dense", "hybrid"))
    parser.add_argument("--texts", type=int, default=2_000, help="of banking77")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folder", type=Path, help="where collections are kept  [default: nowhere]")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        for part in arguments.parts:
            for seed in arguments.seeds:
                for mode in arguments.modes:
                    print(f"\n{part}, seed {seed}")
                    for line in format_tuning(measure_part(part, arguments.data, folder, arguments.texts, mode, seed), None):
                        print(line, flush=True)


def measure_part(part: str, data: Path, folder: Path, texts: int, mode: str, seed: int) -> vecsearch.Tuning:
    """Tune, and keep nothing."""
    options: dict[str, Any] = {"mode": mode, "seed": seed, "dry_run": True}
    if part in ("scifact", "cranfield"):
        ending = ".train" if part == "scifact" else ""
        judgements = read_judgements(data / part / f"queries{ending}.jsonl", data / part / f"qrels{ending}.tsv")
        with vecsearch.open(folder / f"{part}.vec") as collection:
            if not len(collection):
                collection.index([data / part / "corpus.jsonl"])
            return collection.tune(queries=judgements.queries, qrels=judgements.qrels, **options)
    with vecsearch.open(folder / f"banking-{texts}.vec") as collection:
        if not len(collection):
            messages = read_messages(data / "banking77" / "train.tsv", texts)
            labels = [{"label": label} for _, label in messages]
            collection.add([text for text, _ in messages], ids=[f"t{n}" for n in range(len(messages))], metadatas=labels)
        if part == "banking-encoder":
            options |= {"level": "encoder", "out": folder / f"banking-model-{seed}"}
        return collection.tune(label="label", **options)


def read_messages(file: Path, count: int) -> Sequence[tuple[str, str]]:
    """Read so many messages with their intents, chosen by chance, always the same ones."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    Random(0).shuffle(rows)
    return rows[:count]


if __name__ == "__main__":
    main()
