"""Index files: how they grow together, and that what their codes leave out is not missed, against brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vecsearch
from tests.checks import is_sound
from tests.maintenance import status
from vecsearch.core import parallel
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.read.snapshot import SnapshotReader
from vecsearch.stores.sqlite.vectors import faiss_segment
from vecsearch.stores.sqlite.vectors.faiss_segment import to_float32
from vecsearch.stores.sqlite.write import compaction, merge_plan

DIMENSION = 64
ROWS = 12_000


def make_rows(count: int, seed: int = 0) -> np.ndarray:
    """Make unit vectors in a hundred clusters of unlike size, as texts have topics."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(100, DIMENSION))
    near = centres[np.minimum(random.geometric(0.03, size=count), 99)] + 0.7 * random.normal(size=(count, DIMENSION))
    return np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)


def round_rows(rows: np.ndarray) -> np.ndarray:
    """Return the directions that half precision leaves."""
    halves = rows.astype(np.float16).astype(np.float64)
    return np.asarray(halves / np.linalg.norm(halves, axis=1, keepdims=True), np.float32)


def add(path: Path, numbers: range, all_rows: np.ndarray) -> None:
    with vecsearch.open(path) as collection:
        collection.add(
            [f"text {n}" for n in numbers], ids=[f"d{n}" for n in numbers], vectors=all_rows[numbers.start : numbers.stop],
            metadatas=[{"n": n, "fifth": n % 5 == 0, "rare": n % 150 == 0} for n in numbers],
        )  # fmt: skip


def get_index(path: Path) -> dict[str, object]:
    index: dict[str, object] = status(path)["collections"][0]["index"]
    return index


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "x.vec"
    add(path, range(ROWS), make_rows(ROWS))
    return path


FILTERS = {
    "none": (None, lambda n: True),
    "a fifth": ({"fifth": True}, lambda n: n % 5 == 0),
    "rare": ({"rare": True}, lambda n: n % 150 == 0),
    "most": ({"n": {"$gte": 1_000}}, lambda n: n >= 1_000),
    "three": ({"n": {"$in": [5, 700, 11_999]}}, lambda n: n in (5, 700, 11_999)),
}


@pytest.fixture(scope="module")
def segmented_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same in several segments, of which five or more have codes."""
    path = tmp_path_factory.mktemp("parted") / "x.vec"
    with pytest.MonkeyPatch.context() as patch:
        for module in (compaction, merge_plan):
            patch.setattr(module, "SEGMENT_ROWS_MAX", 2_300)
        patch.setattr(faiss_segment, "PQ_MIN_ROWS", 1_000)
        add(path, range(ROWS), make_rows(ROWS))
    return path


@pytest.mark.parametrize("name", FILTERS)
def test_what_codes_of_several_segments_propose_is_looked_at_together(
    segmented_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(list((segmented_path / "index").glob("*.codes.faiss"))) >= 5
    monkeypatch.setattr(faiss_segment, "PARALLEL_ROWS", 1_000)
    monkeypatch.setattr(parallel, "count_cores", lambda: 2)
    check_against_brute_force(segmented_path, name)


@pytest.mark.parametrize("name", FILTERS)
def test_codes_find_what_brute_force_finds(large: Path, name: str) -> None:
    assert get_index(large)["kind"] == "compressed"
    check_against_brute_force(large, name)


def check_against_brute_force(path: Path, name: str) -> None:
    where, holds = FILTERS[name]
    stored = round_rows(make_rows(ROWS))
    allowed = np.array([n for n in range(ROWS) if holds(n)])
    found_count, expected = 0, 0
    with vecsearch.open(path) as collection:
        for query in make_rows(50, seed=7):
            hits = collection.search(query, limit=10, where=where)
            best = sorted(allowed, key=lambda n: -float(stored[n] @ query))[:10]
            assert len(hits) == len(best)
            assert all(holds(hit.metadata["n"]) for hit in hits)
            assert [hit.similarity for hit in hits] == pytest.approx(
                [stored[hit.metadata["n"]] @ query for hit in hits], abs=1e-5
            )
            found_count += len({hit.metadata["n"] for hit in hits} & set(best))
            expected += len(best)
    assert found_count / expected >= 0.99


def test_halves_are_made_single_bit_by_bit_alike() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 32)
    for rows in (finite, finite[::2], finite[:, ::2], finite[:0]):
        assert np.array_equal(to_float32(rows).view(np.uint32), rows.astype(np.float32).view(np.uint32))
    numbers = finite.astype(np.float32)
    assert np.array_equal(to_float32(numbers), numbers)


def test_a_filter_against_the_query_still_gives_k(tmp_path: Path) -> None:
    """What matches lies in another corner than the query: codes alone would propose too little of it."""
    stored = make_rows(ROWS)
    query = stored[0]
    far_rows = {int(n) for n in np.argsort(stored @ query)[:2_500]}
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(
            ["x"] * ROWS,
            ids=[str(n) for n in range(ROWS)],
            vectors=stored,
            metadatas=[{"far": n in far_rows} for n in range(ROWS)],
        )
        hits = collection.search(query, limit=20, where={"far": True})
    best = sorted(far_rows, key=lambda n: -float(stored[n] @ query))[:20]
    assert len(hits) == 20
    assert len(set(best) & {int(hit.id) for hit in hits}) >= 19


def test_segments_grow_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, all_rows = tmp_path / "x.vec", make_rows(2_000)
    monkeypatch.setattr(compaction, "INDEX_FLUSH_ROWS", 50)
    monkeypatch.setattr(faiss_segment, "PQ_MIN_ROWS", 400)
    for start in range(0, 2_000, 100):
        add(path, range(start, start + 100), all_rows)
    index = get_index(path)
    assert 1 < int(str(index["segments"])) <= 8
    assert (index["rows"], index["unindexed"]) == (2_000, 0)
    assert is_sound(path)
    with vecsearch.open(path) as collection:
        assert [hit.id for hit in collection.search(all_rows[1_234], limit=1)] == ["d1234"]
        collection.delete(where={"n": {"$lt": 300}})
        assert [hit.id for hit in collection.search(all_rows[17], limit=1)] != ["d17"]
        collection.optimize(full=True)
        assert [hit.id for hit in collection.search(all_rows[1_234], limit=1)] == ["d1234"]
    assert (get_index(path)["segments"], get_index(path)["rows"]) == (1, 1_700)
    assert len(list((path / "index").glob("*-*.faiss"))) == 2  # its rows and its codes
    assert is_sound(path)


def test_a_segment_has_a_largest_size_and_several_are_searched_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, all_rows = tmp_path / "x.vec", make_rows(2_000)
    monkeypatch.setattr(compaction, "INDEX_FLUSH_ROWS", 50)
    for module in (compaction, merge_plan):
        monkeypatch.setattr(module, "SEGMENT_ROWS_MAX", 450)
    monkeypatch.setattr(faiss_segment, "PARALLEL_ROWS", 1_000)
    monkeypatch.setattr(parallel, "count_cores", lambda: 2)
    add(path, range(1_000), all_rows)
    add(path, range(1_000, 2_000), all_rows)
    with vecsearch.open(path) as collection:
        stored = round_rows(all_rows)
        expected = [f"d{n}" for n in np.argsort(-(stored @ all_rows[3]), kind="stable")[:20]]
        assert [hit.id for hit in collection.search(all_rows[3], limit=20)] == expected
        assert get_index(path)["segments"] == 6
        collection.optimize(full=True)
        assert [hit.id for hit in collection.search(all_rows[3], limit=20)] == expected
        index_version = get_index(path)["index_version"]
        collection.optimize(full=True)  # there is nothing left to do
    assert (get_index(path)["segments"], get_index(path)["rows"], get_index(path)["index_version"]) == (5, 2_000, index_version)
    assert is_sound(path)


def test_a_reader_goes_on_while_segments_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, all_rows = tmp_path / "x.vec", make_rows(600)
    monkeypatch.setattr(compaction, "INDEX_FLUSH_ROWS", 50)
    add(path, range(200), all_rows)
    with vecsearch.open(path, readonly=True) as reader:
        assert reader.search(all_rows[50], limit=1)[0].id == "d50"
        add(path, range(200, 400), all_rows)
        assert reader.search(all_rows[350], limit=1)[0].id == "d350"
        with vecsearch.open(path) as writer:
            writer.optimize(full=True)
        add(path, range(400, 600), all_rows)
        assert [reader.search(all_rows[n], limit=1)[0].id for n in (50, 350, 599)] == ["d50", "d350", "d599"]


def test_damaged_codes_are_never_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, all_rows = tmp_path / "x.vec", make_rows(600)
    monkeypatch.setattr(faiss_segment, "PQ_MIN_ROWS", 400)
    add(path, range(600), all_rows)
    with vecsearch.open(path) as collection:
        collection.optimize()
    (codes,) = (path / "index").glob("*.codes.faiss")
    data = bytearray(codes.read_bytes())
    data[len(data) // 2] ^= 0x40
    codes.write_bytes(data)
    with vecsearch.open(path, readonly=True) as collection:
        assert [hit.id for hit in collection.search(all_rows[50], limit=1)] == ["d50"]
    with vecsearch.open(path) as collection:
        collection.optimize()
    assert is_sound(path)


def test_an_older_snapshot_sees_what_was_deleted_since_though_the_file_is_gone(tmp_path):
    """Another thread's newer snapshot makes the missing segment in memory, of the rows that are left by then."""
    with vecsearch.open(tmp_path / "db") as collection:
        collection.add(["a keel", "a mast", "a sail"], ids=["a", "b", "c"], vectors=np.eye(3, 384))
        collection.optimize()
        reader = SnapshotReader(DatabaseFolder(tmp_path / "db"), "default")
        with reader.open_snapshot() as old:
            for file in (tmp_path / "db/index").glob("*"):
                file.unlink()
            collection.delete("b")
            with reader.open_snapshot() as new:
                assert new is not None and len(new.view) == 2
            assert old is not None and len(old.view) == 3
            assert old.view.find_nearest(np.eye(3, 384, dtype=np.float32)[1], 1).ranked.scores[0] == pytest.approx(1, abs=1e-3)
        with reader.open_snapshot() as new:
            assert new is not None and len(new.view) == 2
