"""Texts analysed in a process beside are indexed as those that are analysed here."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests import maintenance
from vecsearch.core import helper_process
from vecsearch.stores.sqlite.fulltext import text_analysis


def test_the_index_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_analysis, "HELPER_CHARACTERS_MIN", 1_000)
    monkeypatch.setattr("vecsearch.indexing.batch_writer.BATCH_PROVIDED_VECTORS", 200)
    asked: list[object] = []
    ask = helper_process.HelperProcess._ask

    def note(helper: helper_process.HelperProcess, *what: Any) -> bool:
        asked.append(what)
        return ask(helper, *what)

    monkeypatch.setattr(helper_process.HelperProcess, "_ask", note)
    rows = np.random.default_rng(1).normal(size=(1_000, 384))
    texts = [f"row {n} of C++ v1.{n % 7} Über-{n % 11} 漢字{n % 5} the sea-{n}" for n in range(1_000)]
    for cores in (1, 2):
        monkeypatch.setattr(helper_process, "count_cores", lambda cores=cores: cores)
        while cores == 2 and not helper_process.HELPER._is_ready:
            with helper_process.HELPER.begin(len, "") as get_result:
                get_result()
            time.sleep(0.01)
        with vecsearch.open(tmp_path / str(cores)) as collection:
            ids = [str(n) for n in range(1_000)]
            collection.add(texts, ids=ids, titles=[f"Title {n % 3}" for n in range(1_000)], vectors=rows)
            collection.add(texts[:300], ids=ids[:300], vectors=rows[:300], on_conflict="replace")
            collection.delete(ids[500:600])
            collection.optimize()
        assert bool(asked) == (cores == 2)
        assert maintenance.check(tmp_path / str(cores)) == []
    assert read_index(tmp_path / "1") == read_index(tmp_path / "2")


def read_index(folder: Path) -> list[object]:
    with sqlite3.connect(folder / "vecsearch.db") as database:
        return [
            database.execute(f"SELECT * FROM {table}").fetchall() for table in ("term_blocks", "position_blocks", "term_segments")
        ]
