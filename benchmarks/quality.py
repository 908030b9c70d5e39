"""nDCG@10 of each mode, and of vectors kept as float16 and float32, on BEIR-layout folders.

    python benchmarks/quality.py ../shared/data/scifact ../shared/data/cranfield

Gain is linear in the grade; a document's rank is that of its best chunk; queries without a relevant document are left out.
The measure is ir-measures': pip install 'vecsearch[bench]'
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ir_measures import Qrel, ScoredDoc, calc_aggregate, nDCG

import vecsearch

CHUNKS = 100  # asked for a query: enough that ten documents stand in them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="+")
    for dataset in parser.parse_args().datasets:
        queries, relevant = read_queries(dataset), read_relevant(dataset)
        for precision in vecsearch.Precision:
            with TemporaryDirectory() as folder, vecsearch.open(folder + "/db", precision=precision) as collection:
                collection.index_lines(b"".join(lines(dataset, "corpus.jsonl")))
                for mode in vecsearch.Mode:
                    value = ndcg(collection, queries, relevant, mode)
                    print(f"{dataset.name} {precision.value} {mode.value}: nDCG@10 {value:.4f}", flush=True)


def ndcg(collection: vecsearch.Collection, queries: dict[str, str], relevant: list[Qrel], mode: vecsearch.Mode) -> float:
    asked = [name for name in queries if any(each.query_id == name for each in relevant)]
    answers = collection.search([queries[name] for name in asked], limit=CHUNKS, mode=mode)
    best: dict[tuple[str, str], float] = {}
    for name, hits in zip(asked, answers, strict=True):
        for hit in hits:
            best.setdefault((name, hit.id), hit.score)
    run = [ScoredDoc(name, document, score) for (name, document), score in best.items()]
    return float(calc_aggregate([nDCG @ 10], relevant, run)[nDCG @ 10])


def read_queries(dataset: Path) -> dict[str, str]:
    return {query["_id"]: query["text"] for query in map(json.loads, lines(dataset, "queries.jsonl"))}


def read_relevant(dataset: Path) -> list[Qrel]:
    rows = csv.reader((line.decode() for line in lines(dataset, "qrels.tsv")), delimiter="\t")
    next(rows)
    judged = [Qrel(query, document, int(grade)) for query, document, grade in rows]
    answerable = {each.query_id for each in judged if each.relevance > 0}
    return [each for each in judged if each.query_id in answerable]


def lines(dataset: Path, name: str) -> Iterator[bytes]:
    """The lines of a file of the data set, packed or not."""
    path = dataset / name
    with path.open("rb") if path.exists() else gzip.open(f"{path}.gz") as file:
        yield from file


if __name__ == "__main__":
    main()
