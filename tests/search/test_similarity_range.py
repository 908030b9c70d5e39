"""A similarity lies in [-1, 1], is 1 for an exact duplicate, and is the same whichever way it was found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.types import Precision
from vecsearch.stores.sqlite.vectors.faiss_segment import Segment, compute_cosines, get_dtype, search_segments

TEXTS = [f"passage {n} about subject{n % 7} and thing{n % 11}" for n in range(60)]
IDS = [f"{n}" for n in range(60)]


@pytest.fixture(params=[(kind, dimension) for kind in Precision for dimension in (2, 3, 32)], ids=str)
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    precision, dimension = request.param
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(dimension=dimension), precision=precision) as collection:
        collection.add(TEXTS[:50], ids=IDS[:50])
        collection.optimize(full=True)
        collection.add(TEXTS[50:], ids=IDS[50:])  # which are in no index file yet
        yield collection


def test_every_exact_duplicate_is_found_by_the_least_similarity_of_1(collection: vecsearch.Collection) -> None:
    rows = collection.embed(TEXTS)
    for mode in ("dense", "hybrid"):
        for id, hits in zip(IDS, collection.search(TEXTS, mode=mode, min_similarity=1.0, limit=60), strict=True):
            assert id in {hit.id for hit in hits if hit.similarity == 1.0}
    for id, hits in zip(IDS, collection.search(rows, min_similarity=1.0, limit=60), strict=True):
        assert id in [hit.id for hit in hits]
    for n in (0, 7, 55):
        assert IDS[n] in [hit.id for hit in collection.similar(text=TEXTS[n], min_similarity=1.0)]
        assert IDS[n] in [hit.id for hit in collection.recommend([{"text": TEXTS[n]}], min_similarity=1.0)]
        assert IDS[n] in [hit.id for hit in collection.search(rows[n], min_similarity=1.0, where={"$not": {"x": 1}})]
        assert collection.search(TEXTS[n], dedupe=True, group_by="document", mode="dense")[0].similarity == 1.0


def test_a_copy_of_a_document_is_found_from_it(collection: vecsearch.Collection) -> None:
    collection.add(TEXTS, ids=[f"copy of {id}" for id in IDS])
    for id in IDS:
        assert f"copy of {id}" in [hit.id for hit in collection.similar(id=id, min_similarity=1.0, limit=100)]
        assert f"copy of {id}" in [hit.id for hit in collection.recommend([id], min_similarity=1.0, limit=100)]


def test_all_ways_to_a_pair_agree(collection: vecsearch.Collection) -> None:
    for n in (0, 33, 58):
        (row,) = collection.embed(TEXTS[n : n + 1])
        ways = [
            collection.search(TEXTS[n], mode="dense", limit=60), collection.search(TEXTS[n], limit=60),
            collection.search(row, limit=60), collection.similar(text=TEXTS[n], limit=60),
            collection.recommend([{"text": TEXTS[n]}], limit=60), collection.search(row, limit=60, where={"$not": {"x": 1}}),
            collection.search(TEXTS[n], mode="dense", limit=60, group_by="document"),
        ]  # fmt: skip
        first, *others = [{hit.id: hit.similarity for hit in hits} for hits in ways]
        assert first.keys() == set(IDS)
        assert all(similarity is not None and -1.0 <= similarity <= 1.0 for similarity in first.values())
        for other in others:
            assert other == pytest.approx(first, abs=2e-7)
        explained = collection.search(TEXTS[n], mode="dense", limit=60, explain=True)
        for hit in explained:
            assert hit.explanation is not None
            assert hit.explanation.components["dense"].score == hit.similarity == first[hit.id]


@pytest.mark.parametrize("precision", Precision)
@settings(max_examples=60, deadline=None)
@given(dimension=st.integers(1, 300), seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 8.0))
def test_cosines_of_stored_rows_are_those_of_exact_arithmetic(
    precision: Precision, dimension: int, seed: int, scale: float
) -> None:
    random = np.random.default_rng(seed)
    exact = np.exp(random.standard_normal((40, dimension)) * scale) * random.choice([-1, 1], (40, dimension))
    units = (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype(np.float32)
    rows: Any = units.astype(get_dtype(precision))
    ids, long = np.arange(1, 41), rows.astype(np.float64)
    segment = Segment.build(dimension, precision, [(ids, rows)])
    for n, query in enumerate(units[:5]):
        cosines = compute_cosines(rows, query)
        expected = long @ query.astype(np.float64) / np.linalg.norm(long, axis=1) / np.linalg.norm(query.astype(np.float64))
        assert cosines[n] == 1.0
        assert np.allclose(cosines, expected, atol=2e-6)
        assert (np.abs(cosines) <= 1.0).all()
        assert compute_cosines(rows, -query).min() >= -1.0
        found, scores = search_segments([segment], query, 10)
        assert np.array_equal(scores, cosines[found - 1])
        assert math.isclose(scores.min(), np.sort(cosines)[-10])
