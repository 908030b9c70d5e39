"""Small real inputs that were once stored wrong, beside the project: each holds what it must, and nothing that it must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.conftest import SHARED_DATA
from tests.fakes import FakeEncoder

CASES = SHARED_DATA / "cases" / "documents"
_TITLE = "TITLE:"  # what stands before a whole title


def list_cases() -> list[dict[str, Any]]:
    """Return the cases, none where their data is absent."""
    file = CASES / "cases.json"
    return json.loads(file.read_text()) if file.exists() else []


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    """All of the cases in one collection."""
    collection = vecsearch.open(tmp_path_factory.mktemp("cases") / "db", model=FakeEncoder())
    report = collection.index([CASES / case["file"] for case in list_cases()])
    assert [failure for failure in report.failed if "not well-formed XML" not in failure.error] == []
    return collection


def test_the_cases_are_there(shared: Callable[[str], Path]) -> None:
    assert len(json.loads(shared("cases/documents/cases.json").read_text())) >= 35


@pytest.mark.parametrize("case", list_cases(), ids=lambda case: str(case["file"]))
def test_a_file_is_stored_as_it_reads(collection: vecsearch.Collection, case: dict[str, Any]) -> None:
    documents = collection.get(where={"$source": CASES / case["file"]})
    titles = [document.title or "" for document in documents]
    said = "\n".join(filter(None, (part for document in documents for part in (document.title, document.text))))
    for words in case["must"]:
        if words.startswith(_TITLE):
            assert words.removeprefix(_TITLE) in titles
        else:
            assert words in said
    assert [words for words in case["must_not"] if words in said] == []
