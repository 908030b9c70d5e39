"""The Python API."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.checks import get_vectors, is_sound
from tests.conftest import CountingEncoder
from tests.fakes import FakeEncoder
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, SCHEMA_VERSION
from vecsearch.core.types import AnyPrecision


@pytest.fixture
def notes(tmp_path: Path, counting_encoder: CountingEncoder) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "notes.vec", model=counting_encoder) as collection:
        yield collection


def list_ids(hits: list[vecsearch.Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_the_example_of_the_package_works(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "notes.vec") as notes:
        assert len(notes.add(["bound", "leap", "hop"])) == 3
        hits = notes.search("jump")
    assert [hit.text for hit in hits][:2] == ["leap", "hop"]
    assert all(isinstance(hit, vecsearch.Hit) for hit in hits)


def test_a_hit_says_where_its_text_stands(notes: vecsearch.Collection) -> None:
    text = "  First about bats.  " + "Then about something else entirely. " * 200
    notes.add([text], ids=["long"], titles=["A title"], metadatas=[{"lang": "en"}])
    hits = notes.search("bats", limit=50)
    assert len(hits) > 3
    assert {hit.chunk_index for hit in hits} == set(range(len(hits)))
    for hit in hits:
        assert hit.text == text[hit.start : hit.end]
        assert (hit.title, hit.source, dict(hit.metadata)) == ("A title", None, {"lang": "en"})
    (document,) = notes.get("long")
    assert document.text == text
    assert [(place.start, place.end) for place in document.chunks] == sorted((hit.start, hit.end) for hit in hits)


def test_many_queries_give_many_answers_and_one_gives_one(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    notes.add(["bound", "leap", "hop"], ids=["bound", "leap", "hop"])
    hits = notes.search("jump")
    assert notes.search(["jump"]) == [hits]
    assert [list_ids(hits)[0] for hits in notes.search(["bound", "leap"])] == ["bound", "leap"]
    vector = counting_encoder.encode_queries(["leap"])[0]
    assert list_ids(notes.search(vector))[0] == "leap"
    assert list_ids(notes.search(list(map(float, vector))))[0] == "leap"
    assert [list_ids(hits)[0] for hits in notes.search(np.stack([vector, vector]))] == ["leap", "leap"]


def test_vectors_of_one_s_own_are_normalised_and_load_no_model(tmp_path: Path) -> None:
    class NoEncoder:
        name, fingerprint, dimension, max_tokens = "mine", "mine-1", 3, 100

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    with vecsearch.open(tmp_path / "x.vec", model=NoEncoder()) as collection:
        collection.add(["a", "b"], ids=["a", "b"], vectors=[[10, 0, 0], [0, 3, 4]])
        hits = collection.search([0.0, 6, 8])
    assert [(hit.id, hit.score) for hit in hits] == [("b", pytest.approx(1, abs=1e-3)), ("a", 0)]


def test_brought_vectors_are_committed_in_batches_and_keep_every_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.indexing.batch_writer.BATCH_PROVIDED_VECTORS", 7)
    rows = np.eye(384)[:60]
    with vecsearch.open(tmp_path / "x.vec") as collection:
        names = [f"d{n}" for n in range(40)]
        texts, metadatas = [f"word{n} of old" for n in range(40)], [{"n": n} for n in range(40)]
        collection.add(texts, ids=names, metadatas=metadatas, vectors=rows[:40])
        assert [hit.id for hit in collection.search(rows[23], limit=1)] == ["d23"]
        before = chunk_rows(tmp_path / "x.vec")
        newer = range(30, 50)
        collection.add(
            [f"word{n} of new" for n in newer], ids=[f"d{n}" for n in newer], metadatas=[{"n": -n} for n in newer],
            vectors=rows[30:50], on_conflict="replace",
        )  # fmt: skip
        after = chunk_rows(tmp_path / "x.vec")
        assert {key: after[key] for key in names[:30]} == {key: before[key] for key in names[:30]}
        assert all(after[key][0] == before[key][0] for key in names[30:])  # a document keeps its row …
        assert min(after[f"d{n}"][1] for n in range(30, 50)) > max(chunk for _, chunk in before.values())  # … its chunks do not
        assert collection.count({"n": {"$lt": 0}}) == 20
        assert [hit.id for hit in collection.search("word35", mode="lexical")] == ["d35"]
        assert len(collection.search("old", mode="lexical", limit=100)) == 30
        collection.delete(where={"n": {"$lt": 0}})
        collection.add(["again"], ids=["d49"], vectors=rows[49:50])
        assert chunk_rows(tmp_path / "x.vec")["d49"] > max(after.values())  # no row is ever used again
    assert is_sound(tmp_path / "x.vec")


def chunk_rows(folder: Path) -> dict[str, tuple[int, int]]:
    """Return by id the rows of documents of one chunk, and of that chunk."""
    connection = sqlite3.connect(folder / DATABASE_FILE)
    query = "SELECT d.external_id, d.id, c.id FROM documents d JOIN chunks c ON c.document_id = d.id"
    rows = connection.execute(query).fetchall()
    connection.close()
    return {key: (document, chunk) for key, document, chunk in rows}


def test_a_collection_of_foreign_vectors_refuses_texts_of_another_width(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["a"], ids=["a"], vectors=[[1.0, 0, 0]])
        with pytest.raises(vecsearch.DimensionMismatchError, match=r"3 dimensions.*384"):
            collection.add(["b"])
        with pytest.raises(vecsearch.DimensionMismatchError, match=r"3 dimensions.*384"):
            collection.search("a")
        assert list_ids(collection.search("a", mode="lexical")) == ["a"]
        assert collection.count() == 1


def test_vectors_of_another_width_are_compared_with_no_text_and_explained_without_tokens(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a text")
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["alpha bravo", "beta"], ids=["a", "b"], vectors=np.eye(4)[:2])
        calls: list[Callable[[], object]] = [
            lambda: collection.similar(text="alpha"), lambda: collection.similar(file=tmp_path / "x.txt"),
            lambda: collection.recommend([{"text": "alpha"}]), lambda: collection.recommend(["a"], [{"text": "alpha"}]),
            lambda: collection.search("alpha", explain=True), lambda: collection.context("alpha"),
            lambda: collection.update("a", text="alpha alone"), lambda: collection.index([tmp_path / "x.txt"]),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(vecsearch.DimensionMismatchError, match=r"4 dimensions, got 384"):
                call()
        answers = [
            collection.search(np.eye(4)[0], explain=True), collection.search("alpha", vector=np.eye(4)[0], explain=True),
            collection.similar(id="b", explain=True), collection.recommend(["b"], explain=True),
        ]  # fmt: skip
        for hits in answers:
            assert hits[0].id == "a" and hits[0].explanation is not None
            assert "dense" in hits[0].explanation.components and hits[0].explanation.tokens == ()
        (hit, *_) = collection.search("alpha", mode="lexical", rerank=True, explain=True)
        assert hit.id == "a" and hit.explanation is not None and "rerank" in hit.explanation.components


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_the_precision_says_how_vectors_are_stored(tmp_path: Path, precision: AnyPrecision) -> None:
    with vecsearch.open(tmp_path / "x.vec", precision=precision) as collection:
        collection.add(["leap", "hop"], ids=["leap", "hop"])
        collection.optimize()
        assert list_ids(collection.search("leap"))[0] == "leap"
    with sqlite3.connect(tmp_path / "x.vec" / DATABASE_FILE) as connection:
        (size,) = connection.execute("SELECT DISTINCT length(vector) FROM vectors").fetchone()
    assert size == 384 * (2 if precision == "float16" else 4)


def test_on_conflict_says_what_happens_to_an_id_that_is_there(
    notes: vecsearch.Collection, counting_encoder: CountingEncoder
) -> None:
    notes.add(["one", "two"], ids=["1", "2"])
    with pytest.raises(vecsearch.InputError, match="'2' is there already"):
        notes.add(["three", "again"], ids=["3", "2"])
    assert notes.count() == 2
    counting_encoder.documents.clear()
    notes.add(["three", "again"], ids=["3", "2"], on_conflict="skip")
    assert counting_encoder.documents == ["three"]
    assert notes.get("2")[0].text == "two"
    notes.add(["again"], ids=["2"], on_conflict="replace", metadatas=[{"n": 2}])
    assert (notes.get("2")[0].text, notes.count()) == ("again", 3)
    assert list_ids(notes.search("again", mode="lexical")) == ["2"]
    assert notes.search("two", mode="lexical") == []


def test_equal_texts_under_two_ids_stay_two_documents(notes: vecsearch.Collection) -> None:
    notes.add(["the same", "the same"], ids=["a", "b"])
    assert list_ids(notes.search("the same")) == ["a", "b"]
    notes.delete("a")
    assert list_ids(notes.search("the same")) == ["b"]


def test_metadata_change_without_encoding(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    notes.add(["one"], ids=["1"], metadatas=[{"lang": "en", "year": 2020}])
    counting_encoder.documents.clear()
    document = notes.update("1", metadata={"year": 2021, "lang": None, "tag": ["x"]})
    assert dict(document.metadata) == {"year": 2021, "tag": ["x"]}
    assert counting_encoder.documents == []
    assert list_ids(notes.search("one", where={"year": 2021})) == ["1"]
    assert notes.search("one", where={"lang": "en"}) == []


def test_a_changed_text_is_encoded_again_and_only_that(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    notes.add(["one", "two"], ids=["1", "2"], metadatas=[{"a": 1}, None])
    counting_encoder.documents.clear()
    assert notes.update("1", text="leap").text == "leap"
    assert counting_encoder.documents == ["leap"]
    assert dict(notes.get("1")[0].metadata) == {"a": 1}
    assert notes.update("1", title="Jumps").title == "Jumps"
    assert counting_encoder.documents == ["leap", "Jumps\nleap"]
    with pytest.raises(vecsearch.InputError, match="no document with id 'x'"):
        notes.update("x", text="y")


def test_similar_to_a_long_document_leaves_all_its_chunks_out(notes: vecsearch.Collection) -> None:
    notes.add(["bats fly at dusk. " * 200, "a bat in the evening", "loans"], ids=["long", "bat", "loans"])
    assert list_ids(notes.similar(id="long", limit=50)) == ["bat", "loans"]
    assert set(list_ids(notes.similar(text="bats fly at dusk", limit=50))) == {"long", "bat", "loans"}
    assert list_ids(notes.similar(id="bat", limit=50, where={"no": 1})) == []


def test_get_keeps_the_order_asked_for(notes: vecsearch.Collection) -> None:
    notes.add(["a", "b", "c"], ids=["a", "b", "c"])
    assert [document.id for document in notes.get(["c", "a"])] == ["c", "a"]
    assert [summary.id for summary in notes.list_documents(limit=2, offset=1)] == ["b", "c"]


def test_a_collection_that_nobody_wrote_to_is_empty(notes: vecsearch.Collection) -> None:
    assert (notes.list_documents(), notes.count(), len(notes), list(notes), "x" in notes) == ([], 0, 0, [], False)
    assert notes.delete(where={"a": 1}) == []
    notes.optimize()
    for ask in (
        lambda: notes.search("x"), lambda: notes.search(["x", "y"]), lambda: notes.similar(text="x"), lambda: notes.context("x"),
        lambda: notes.recommend([{"text": "x"}]), lambda: notes.get(where={"a": 1}), lambda: notes.export_documents("x.jsonl"),
    ):  # fmt: skip
        with pytest.raises(vecsearch.CollectionNotFoundError, match="no collection named 'default'"):
            ask()


def test_the_verbs_that_users_of_other_databases_expect(notes: vecsearch.Collection) -> None:
    notes.upsert(["a jump", "a limit"], ids=["leap", "bound"])
    notes.upsert(["a leap over the fence"], ids=["leap"], metadatas=[MappingProxyType({"lang": "en"})])
    assert (len(notes), "leap" in notes, "hop" in notes, list(notes)) == (2, True, False, ["bound", "leap"])
    (document,) = notes.get("leap", include_vectors=True)
    assert document.metadata == {"lang": "en"}
    assert get_vectors(document).shape == (1, notes.dimension)
    assert get_vectors(document)[0] @ notes.embed([document.text])[0] == pytest.approx(1, abs=1e-3)
    assert notes.get("leap")[0].vectors is None
    assert (notes.model, notes.path.name, notes.metadata) == ("all-MiniLM-L6-v2", "notes.vec", {})
    assert notes.status()["documents"] == 2
    assert notes.embed([]).shape == (0, notes.dimension)


def test_a_collection_is_created_empty_with_metadata_of_its_own(tmp_path: Path) -> None:
    with vecsearch.connect(tmp_path / "x.vec") as database:
        papers = database.create_collection("papers", metadata={"owner": "me"})
        assert (len(papers), papers.metadata, papers.search("anything")) == (0, {"owner": "me"}, [])
        with pytest.raises(vecsearch.InputError, match="there is a collection named 'papers' already"):
            database.create_collection("papers")
        assert database.collections() == ["papers"]
    with vecsearch.open(tmp_path / "x.vec", collection="papers") as second:
        assert second.metadata == {"owner": "me"}


@pytest.mark.parametrize("seconds", ["30", None, float("nan"), -1, True])
def test_a_lock_timeout_is_a_number_of_seconds(tmp_path: Path, seconds: Any) -> None:
    with pytest.raises(vecsearch.InputError, match="lock_timeout must be a number of seconds, 0 or more, got"):
        vecsearch.open(tmp_path / "x.vec", lock_timeout=seconds)
    assert not (tmp_path / "x.vec").exists()


def test_whole_numbers_of_numpy_are_whole_numbers(notes: vecsearch.Collection) -> None:
    notes.add(["a", "b", "c"])
    options: dict[str, Any] = {"limit": np.int64(2), "window": np.int8(1)}
    assert len(notes.search("a", **options)) == 2
    page: dict[str, Any] = {"limit": np.int32(2), "offset": np.uint8(1)}
    assert len(notes.list_documents(**page)) == 2
    with pytest.raises(vecsearch.InputError, match="limit must be a whole number of at least 1, got True"):
        notes.search("a", limit=True)


def test_add_asks_a_few_questions_of_sqlite_however_many_texts_it_takes(notes: vecsearch.Collection) -> None:
    notes.add(["warm"])
    store: Any = notes._store
    counts = []
    pool = store.database._file.pool
    begin = pool.begin

    def begin_counting(**options: Any) -> Any:
        counts.append(options)
        return begin(**options)

    pool.begin = begin_counting
    notes.add([f"text {n}" for n in range(100)])
    assert len(counts) < 20
    counts.clear()
    notes.get(list(notes))
    assert len(counts) < 6


def test_a_title_alone_is_a_document(notes: vecsearch.Collection) -> None:
    notes.add([""], ids=["t"], titles=["Leaping over fences"])
    (hit,) = notes.search("leap")
    assert (hit.text, hit.start, hit.end, hit.title) == ("", 0, 0, "Leaping over fences")


def test_threads_may_share_a_collection(notes: vecsearch.Collection) -> None:
    notes.add([f"text {n}" for n in range(50)], ids=[str(n) for n in range(50)])
    notes.search("warm up")
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                notes.add([f"more {number} {turn}"], ids=[f"{number}-{turn}"])
                assert f"{number}-{turn}" in list_ids(notes.search(f"more {number} {turn}", mode="lexical", limit=100))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert notes.count() == 70


def test_the_file_says_what_it_is(notes: vecsearch.Collection, tmp_path: Path) -> None:
    notes.add(["one"])
    with sqlite3.connect(tmp_path / "notes.vec" / DATABASE_FILE) as connection:
        messages = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "page_size", "auto_vacuum", "journal_mode")
        }
        (head,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert messages == {
        "application_id": APPLICATION_ID, "user_version": SCHEMA_VERSION, "page_size": 8192, "auto_vacuum": 2,
        "journal_mode": "wal",
    }  # fmt: skip
    assert int(head) == SCHEMA_VERSION


def test_deleted_text_is_gone_from_the_file(notes: vecsearch.Collection, tmp_path: Path) -> None:
    notes.add(["a secret: zyzzogeton-4711"], ids=["s"])
    notes.add(["another"], ids=["a"])
    notes.delete("s")
    notes.optimize()
    for file in (tmp_path / "notes.vec").rglob("*"):
        assert file.is_dir() or b"zyzzogeton-4711" not in file.read_bytes(), file


def test_status_counts_what_is_there(notes: vecsearch.Collection, tmp_path: Path) -> None:
    from tests import maintenance

    notes.add(["one", "two"], ids=["1", "2"])
    (before,) = maintenance.status(tmp_path / "notes.vec")["collections"]
    assert before["index"] == {
        "kind": "exact",
        "state": "none",
        "index_version": 0,
        "segments": 0,
        "rows": 0,
        "unindexed": 2,
        "deleted": 0,
    }
    notes.optimize()
    notes.delete("1")
    (after,) = maintenance.status(tmp_path / "notes.vec")["collections"]
    assert after["index"] == {
        "kind": "exact",
        "state": "current",
        "index_version": 1,
        "segments": 1,
        "rows": 2,
        "unindexed": 0,
        "deleted": 1,
    }
    assert (after["documents"], after["chunks"]) == (1, 1)
    assert json.dumps(after)


def test_an_empty_filter_deletes_nothing_and_delete_all_everything(notes: vecsearch.Collection) -> None:
    notes.add(["bound", "leap"], ids=["bound", "leap"], metadatas=[{"n": 1}, {"n": 2}])
    empty: list[Mapping[str, Any]] = [{}, MappingProxyType({}), OrderedDict()]
    for where in empty:
        with pytest.raises(vecsearch.FilterError, match="delete_all"):
            notes.delete(where=where)
        with pytest.raises(vecsearch.FilterError, match="delete_all"):
            notes.delete(where=where, dry_run=True)
    with pytest.raises(vecsearch.InputError, match="source is empty"):
        notes.delete(source="")
    assert notes.delete([]) == []
    assert len(notes) == 2
    assert notes.delete_all(dry_run=True) == ["bound", "leap"]
    assert len(notes) == 2
    assert notes.delete_all() == ["bound", "leap"]
    assert (len(notes), notes.delete_all(), notes.search("leap")) == (0, [], [])


class SoloEncoder:
    """An encoder that refuses to do two things at once, and notes which threads encode."""

    def __init__(self) -> None:
        self._inner, self._free = FakeEncoder(), threading.Lock()
        self.threads: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        assert self._free.acquire(blocking=False), "used while it encodes"
        try:
            return self._inner.token_spans(text)
        finally:
            self._free.release()

    def encode_documents(self, texts: Sequence[str]) -> Any:
        assert self._free.acquire(blocking=False), "used while it is used"
        try:
            self.threads.append(threading.get_ident())
            return self._inner.encode_documents(texts)
        finally:
            self._free.release()

    encode_queries = encode_documents


@pytest.mark.parametrize("cores", ["1", "2"])
def test_add_uses_its_encoder_for_one_thing_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    monkeypatch.setattr("vecsearch.indexing.batch_writer.BATCH_CHUNKS", 40)
    encoder = SoloEncoder()
    with vecsearch.open(tmp_path / "db", model=encoder) as collection:
        collection.add([f"buoy {n}" for n in range(40)])
        assert set(encoder.threads) == {threading.get_ident()}  # there is nothing to commit meanwhile
        texts = [f"gull {n} of {n % 9}" for n in range(330)] + ["gull 3 of 3"]
        collection.add(texts, ids=[f"g{n}" for n in range(331)])
        hits = collection.search("gull 300 of 3", mode="dense", limit=1)
        assert [hit.text for hit in hits] == ["gull 300 of 3"]
        assert len(collection) == 371
    assert is_sound(tmp_path / "db")


class SharedEncoder(SoloEncoder):
    """An encoder that may be shared; what it encodes beside the caller waits until the caller has cut some texts more."""

    is_thread_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.cuts, self._cut = 0, threading.Condition()

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        with self._cut:
            self.cuts += 1
            self._cut.notify_all()
        return self._inner.token_spans(text)

    def encode_documents(self, texts: Sequence[str]) -> Any:
        self.threads.append(threading.get_ident())
        with self._cut:
            assert self._cut.wait_for(lambda: self.cuts > 40, timeout=60), "nothing was cut meanwhile"
        return self._inner.encode_documents(texts)


def test_texts_are_cut_while_an_encoder_that_may_be_shared_encodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.core.parallel.count_cores", lambda: 2)
    monkeypatch.setattr("vecsearch.indexing.batch_writer.BATCH_CHUNKS", 40)
    encoder = SharedEncoder()
    with vecsearch.open(tmp_path / "db", model=encoder) as collection:
        collection.add([f"gull {n} of the {n % 9} that fly over the northern sea in winter" for n in range(91)])
        assert threading.get_ident() not in encoder.threads[:2]
        text = "gull 70 of the 7 that fly over the northern sea in winter"
        assert collection.search(text, mode="dense", limit=1)[0].text == text
        assert len(collection) == 91
    assert is_sound(tmp_path / "db")
