"""How many statements a search costs: few, and no more for more hits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vecsearch

QUESTION = "the river runs past the old mill"


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    folder: Path = tmp_path_factory.mktemp("statements")
    collection = vecsearch.open(folder / "db")
    texts = [f"text {n}: the river {n % 7} runs past mill {n} and the town of {n * 7}" for n in range(60)]
    collection.add(texts, ids=[f"{n}" for n in range(60)], metadatas=[{"odd": bool(n % 2)} for n in range(60)])
    return collection


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 6),
        ({"mode": "lexical"}, 5),
        ({"mode": "dense"}, 5),
        ({"where": {"odd": True}}, 6),
        ({"explain": True}, 7),
        ({"group_by": "document"}, 7),
        ({"dedupe": True}, 7),
        ({"window": 2}, 7),
        ({"rerank": True}, 7),
    ],
)
@pytest.mark.parametrize("limit", [1, 10])
def test_a_search_with_a_warm_handle_costs_a_few_statements(
    collection: vecsearch.Collection, options: dict[str, Any], most: int, limit: int
) -> None:
    """BEGIN and COMMIT included."""
    collection.search(QUESTION, limit=limit, **options)
    statements: list[str] = []
    with collection._open_snapshot() as snapshot:
        driver: Any = snapshot._driver  # type: ignore[attr-defined]
    driver.set_trace_callback(statements.append)
    try:
        assert len(collection.search(QUESTION, limit=limit, **options)) == limit
    finally:
        driver.set_trace_callback(None)
    assert 3 <= len(statements) <= most, statements


def test_equal_contents_are_found_by_an_index_however_many_there_are(collection: vecsearch.Collection) -> None:
    """Each batch of an index run looks for them: it must not go through all documents."""
    statements: list[str] = []
    with collection._open_snapshot() as snapshot:
        driver: Any = snapshot._driver  # type: ignore[attr-defined]
        driver.set_trace_callback(statements.append)
        try:
            assert snapshot.find_by_digest(["0" * 64, "1" * 64]) == {}
        finally:
            driver.set_trace_callback(None)
        (statement,) = (each for each in statements if "digest" in each)
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert "SEARCH documents USING INDEX documents_of_content (collection_id=? AND <expr>=?)" in plan
