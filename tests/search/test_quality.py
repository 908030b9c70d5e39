"""The quality of answers on real, judged data: most take minutes, run with `make test-slow`, and are skipped without data."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import spearmanr

from vecsearch.encoders.base import TextEncoder
from vecsearch.evaluation import CachedCollection, Dataset, Measure, Run, evaluate, read_judgements

BARS = {  # nDCG@10 of dense and of the default, a little under what was measured
    "xquad_de": (0.685, 0.95), "xquad_en": (0.94, 0.975), "cranfield": (0.39, 0.45), "coarsewsd20_retrieval": (0.46, 0.545),
    "scifact": (0.65, 0.74),
}  # fmt: skip


@pytest.mark.slow
def test_likeness_of_sentences_is_what_people_say(shared: Callable[[str], Path], encoder: TextEncoder) -> None:
    """Spearman's correlation on the STS benchmark's test pairs; published for the default encoder: 0.820."""
    pairs = shared("sts_benchmark") / "pairs.tsv"
    rows = list(csv.DictReader(pairs.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    left, right = (encoder.encode_documents([row[side] for row in rows]) for side in ("a", "b"))
    correlation = spearmanr((left * right).sum(axis=1), [float(row["score"]) for row in rows]).statistic
    assert correlation == pytest.approx(0.820, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_the_default_is_good_and_hardly_worse_than_either_half(shared: Callable[[str], Path], name: str) -> None:
    dataset = Dataset.from_folder(shared(name))
    judgements, cached_collection = read_judgements(dataset.queries, dataset.qrels), CachedCollection.from_dataset(dataset)
    if not cached_collection.is_whole:
        cached_collection.index()
    with cached_collection.open_for_reading() as collection:
        dense, lexical, hybrid = (
            ndcg(evaluate(collection, judgements.queries, judgements.qrels, mode=mode)) for mode in ("dense", "lexical", "hybrid")
        )
    assert dense >= BARS[name][0]
    assert hybrid >= BARS[name][1]
    assert hybrid >= max(dense, lexical) - 0.01


def ndcg(run: Run) -> float:
    return run.mean(Measure.NDCG)
