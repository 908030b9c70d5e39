"""What others there are in a database costs a collection nothing: counted in steps of SQLite's machine, not in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from vecsearch.stores.sqlite.engine import connections

COLLECTIONS = 200
STEPS_AT_ONCE = 10
VECTOR = np.eye(1, 384, dtype=np.float32)


class CountedConnection(connections.UnmanagedConnection):
    """A connection that counts what SQLite does for it."""

    calls = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_progress_handler(self._count, STEPS_AT_ONCE)

    def _count(self) -> int:
        CountedConnection.calls += 1
        return 0


def count_steps(work: Callable[[], object]) -> int:
    CountedConnection.calls = 0
    work()
    return CountedConnection.calls * STEPS_AT_ONCE


def measure(folder: Path, *, others: int) -> dict[str, int]:
    """Return the steps of each thing that is done with one collection, beside so many others."""
    with vecsearch.connect(folder) as database:
        for n in range(others):
            database.collection(f"other{n}").add([f"another text {n}"], ids=["d"], vectors=VECTOR)
        collection = database.collection("mine")
        collection.add(["a text of mine"], ids=["d"], vectors=VECTOR)
        numbers = iter(range(100))

        def add() -> None:
            collection.add(["one more"], ids=[str(next(numbers))], vectors=VECTOR)

        def open_and_search() -> None:
            with vecsearch.open(folder, collection="mine") as opened:
                assert opened.search("text", mode="lexical")

        add()
        works: dict[str, Callable[[], object]] = {
            "names": database.collections,
            "open": open_and_search,
            "add": add,
            "search": lambda: collection.search("text", mode="lexical"),
            "delete": lambda: collection.delete("0"),
        }
        return {name: count_steps(work) for name, work in works.items()}


def test_other_collections_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **(options | {"factory": CountedConnection})))
    alone, among_others = (measure(tmp_path / str(others), others=others) for others in (0, COLLECTIONS))
    for name, steps in alone.items():
        assert among_others[name] <= 2 * steps or (name == "names" and among_others[name] <= 20 * COLLECTIONS), name
