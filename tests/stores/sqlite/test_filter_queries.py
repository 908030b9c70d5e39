"""How SQLite answers a filter: by which index, and with how many values bound."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.search.where_parser import parse_where
from vecsearch.stores.sqlite.filters.field_sql import SOURCE_ROOT
from vecsearch.stores.sqlite.filters.filter_sql import HOLDS, build_chunk_query, build_document_query


@pytest.fixture
def collection(tmp_path: Path) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path / "db", model=FakeEncoder())
    collection.add(["text"] * 20, ids=[str(n) for n in range(20)], metadatas=[{"a": n} for n in range(20)])
    return collection


@pytest.mark.parametrize(
    "where",
    [
        {"$id": "1"}, {"$id": {"$in": [str(n) for n in range(5_000)]}}, {"a": {"$gte": 1}, "$id": "3"},
        {"$text": {"$regex": "x"}, "$id": "3"}, {"$and": [{"$source": "/docs"}, {"$id": {"$in": ["1", "2"]}}]},
    ],
    ids=range(5),
)  # fmt: skip
def test_ids_lead_to_documents_by_their_index(where: dict[str, Any], collection: vecsearch.Collection, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db" / DATABASE_FILE)
    connection.create_function(f"{HOLDS}_0", 1, lambda value: True)
    condition = parse_where(where)
    assert condition is not None
    for query in (build_chunk_query(condition, 1), build_document_query(condition, 1)):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.text}", {**query.values, SOURCE_ROOT: "/"})]
        assert any(step.startswith("SEARCH documents USING COVERING INDEX") and "external_id=?" in step for step in plan)
        assert not [step for step in plan if step.startswith(("SCAN documents", "SCAN chunks", "SCAN metadata_index"))]
    connection.close()


def test_many_conditions_of_many_values_are_not_too_many_to_bind(collection: vecsearch.Collection) -> None:
    texts = {"$or": [{f"k{m}": {"$in": [str(n) for n in range(900)]}} for m in range(100)] + [{"a": 3}]}
    assert collection.count(texts) == 1
    assert collection.count({"$or": [{f"k{m}": {"$in": [n / 2 for n in range(900)]}} for m in range(100)] + [{"a": 3}]}) == 1
    assert collection.count({"a": {"$nin": [n / 2 for n in range(5_000)]}}) == 0
    assert collection.count({"a": {"$in": [2**64 + n for n in range(5_000)] + [3.0]}}) == 1
