"""The stores that the contract is run over. Another store is one more function here, and one more row of STORES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from tests.stores.memory import MemoryStore
from vecsearch.stores.base import Store
from vecsearch.stores.sqlite.engine.creation import create_database
from vecsearch.stores.sqlite.fulltext import term_blocks, term_rows
from vecsearch.stores.sqlite.store import SQLiteStore, is_database
from vecsearch.stores.sqlite.write import compaction, merge_plan, text_rows


class StoreMaker(Protocol):
    """Open the database of a test, which is created the first time; called again, it opens the same as another process would."""

    def __call__(self, *, readonly: bool = False, lock_timeout: float = 30.0) -> Store: ...


def make_sqlite_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    def open_store(**options: Any) -> Store:
        path = folder / ".vecsearch"
        if not is_database(path):
            create_database(path)
        return SQLiteStore(path, **options)

    return open_store


def make_segmented_sqlite_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """Publish an index file after every few rows, and merge none; merge the text index a few terms at a time."""
    monkeypatch.setattr(term_blocks, "BLOCK_BYTES", 40)
    monkeypatch.setattr(term_rows, "BLOCKS_TOGETHER", 3)
    monkeypatch.setattr(compaction, "INDEX_FLUSH_ROWS", 8)
    monkeypatch.setattr(merge_plan, "MERGE_RATIO", 0)
    return make_sqlite_store(folder, monkeypatch)


def make_parted_sqlite_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """Store all but the shortest texts in parts."""
    monkeypatch.setattr(text_rows, "TEXT_PART_CHARACTERS", 4)
    return make_sqlite_store(folder, monkeypatch)


def make_memory_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """Make a store, or give the same one a second time, or a view of it that cannot be written: there is nothing to open."""
    stores: list[MemoryStore] = []

    def open_store(**options: Any) -> Store:
        if not stores:
            stores.append(MemoryStore(folder, **options))
        if options.get("readonly"):
            view = MemoryStore(folder, readonly=True)
            view.states = stores[0].states
            return view
        return stores[0]

    return open_store


STORES: Final = {
    "sqlite": make_sqlite_store,
    "sqlite-segments": make_segmented_sqlite_store,
    "sqlite-parts": make_parted_sqlite_store,
    "memory": make_memory_store,
}


@pytest.fixture(params=list(STORES))
def make_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreMaker]:
    open_stores: list[Store] = []
    open_store = STORES[request.param](tmp_path, monkeypatch)

    def make(**options: Any) -> Store:
        open_stores.append(open_store(**options))
        return open_stores[-1]

    yield make
    for store in open_stores:
        store.close()


@pytest.fixture
def store(make_store: StoreMaker) -> Store:
    return make_store()
