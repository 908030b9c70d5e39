"""What the encoder and a collection can tell: similar sentences, synonyms, and questions that have no answer here.

    python -m benchmarks.likeness ../shared/data

- sts: Spearman's correlation of the cosine with people's judgement (STS benchmark, test).
- synonyms: of the first 10 words found for a word of WordNet's probe, among all words of its synonym groups, the share of the
  probe's synonyms, and of its family, that are there; with word forms and without them (`collapse`).
- nothing here: how often `min_similarity="auto"` gives an answer to a banking question (banking77), which an unrelated collection
  cannot answer, and how often it gives none to a question that it can.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import vecsearch
from benchmarks.corpus import DATA_FOLDER
from vecsearch.encoders import registry
from vecsearch.evaluation.cache import CachedCollection
from vecsearch.evaluation.datasets import Dataset

DATASETS = ("xquad_en", "xquad_de", "cranfield", "coarsewsd20_retrieval", "scifact")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=DATA_FOLDER)
    data = parser.parse_args().data
    require_data(data)
    print(f"sts: Spearman {measure_sts(data / 'sts_benchmark' / 'pairs.tsv'):.4f}", flush=True)
    measure_synonyms(data / "wordnet")
    for name in DATASETS:
        measure_no_answer(data, name)


def require_data(data: Path) -> None:
    """Exit where a data set is absent: people's judgements cannot be made by a command."""
    folders = ("sts_benchmark", "wordnet", "banking77", *DATASETS)
    if absent := [name for name in folders if not (data / name).is_dir()]:
        raise SystemExit(f"{data} lacks {', '.join(absent)}: these hold judgements by people, and no command makes them")


def measure_sts(pairs: Path) -> float:
    rows = list(csv.DictReader(pairs.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    encoder = registry.load(None)
    left, right = (encoder.encode_documents([row[side] for row in rows]) for side in ("a", "b"))
    return float(spearmanr((left * right).sum(axis=1), [float(row["score"]) for row in rows]).statistic)


def measure_synonyms(wordnet: Path) -> None:
    probe = list(read_records(wordnet / "synonym_probe.jsonl"))
    words = {word for group in read_records(wordnet / "synonym_groups.jsonl") for word in group["words"]}
    words |= {word for entry in probe for word in (entry["seed"], *entry["family"])}
    words |= {form for entry in probe for form in build_word_forms(entry["seed"])}
    with TemporaryDirectory() as folder, vecsearch.open(f"{folder}/db") as collection:
        collection.add(sorted(words), ids=sorted(words))
        for collapse in (False, True):
            neighbours = [
                {hit.id for hit in collection.search(entry["seed"], limit=11, dedupe=collapse)} - {entry["seed"]}
                for entry in probe
            ]
            shares = [
                np.mean(
                    [
                        len(set(entry[key]) & ten) / min(10, len(entry[key]))
                        for entry, ten in zip(probe, neighbours, strict=True)
                        if entry[key]
                    ]
                )
                for key in ("synonyms", "family")
            ]
            label = "collapsed" if collapse else "as they are"
            print(
                f"synonyms, {len(words):,} words, {label}: synonyms {shares[0]:.3f}, family {shares[1]:.3f} in the first 10",
                flush=True,
            )


def build_word_forms(word: str) -> list[str]:
    """Build the regular forms of a word, as an index of running text would hold them."""
    stem = word.removesuffix("e")
    return [f"{word}s", f"{stem}ing", f"{stem}ed"]


def measure_no_answer(data: Path, name: str) -> None:
    cached_collection = CachedCollection.from_dataset(Dataset.from_folder(data / name))
    if not cached_collection.is_whole:
        cached_collection.index()
    banking = [
        row["text"]
        for row in csv.DictReader((data / "banking77" / "test.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    ]
    with cached_collection.open_for_reading() as collection:
        answered_share = compute_answered_share(collection, banking[::6])
        own_questions = [query["text"] for query in read_records(data / name / "queries.jsonl")]
        missed_share = 1 - compute_answered_share(collection, own_questions[:300])
    print(
        f"nothing here, {name}: {answered_share:.1%} of unrelated questions answered, {missed_share:.1%} of its own not",
        flush=True,
    )


def compute_answered_share(collection: vecsearch.Collection, questions: list[str]) -> float:
    return float(np.mean([bool(hits) for hits in collection.search(questions, limit=1, min_similarity="auto")]))


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of a JSON lines file, packed or not."""
    with path.open("rb") if path.exists() else gzip.open(f"{path}.gz") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()
