"""Texts are found by their words at once; their vectors follow, the newest first, and are made once whatever comes between."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.checks import get_vectors
from tests.fakes import FakeEncoder, Matrix
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.documents.chunk_inputs import build_encoder_input, refit_chunks
from vecsearch.indexing import batch_writer, vector_filler
from vecsearch.indexing.vector_filler import VectorFiller
from vecsearch.indexing.write_target import CollectionTarget
from vecsearch.stores.sqlite.vectors.segment_rows import StoredSegment
from vecsearch.stores.sqlite.write import compaction, merge_plan
from vecsearch.stores.sqlite.write.merge_plan import list_stretches, plan_merges

COUNT = 60


class StoppedError(Exception):
    """Ends a run in the middle."""


@dataclass(frozen=True)
class WatchedEncoder(FakeEncoder):
    """Remembers what it has encoded, in order; after so many batches it fails."""

    encoded: list[str] = field(default_factory=list)
    batches_left: list[int] = field(default_factory=list)
    act: Callable[[], object] = lambda: None

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        if self.batches_left:
            self.batches_left[0] -= 1
            if self.batches_left[0] < 0:
                raise StoppedError
        self.act()
        self.encoded.extend(texts)
        return super().encode_documents(texts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write files, and let batches be small."""
    for module, name, value in (
        (batch_writer, "BATCH_TEXT_CHUNKS", 7), (vector_filler, "FILL_CHUNKS", 5), (vector_filler, "FILL_WINDOW", 12),
        (compaction, "INDEX_FLUSH_ROWS", 9), (merge_plan, "INDEX_RUN_ROWS_MIN", 4),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(COUNT):
        (folder / f"{n:02}.txt").write_text(make_text(n))
    return folder


def make_text(n: int) -> str:
    return f"a note number{n} about seal{n % 7} and sand{n % 5}"


def open_collection(folder: Path, encoder: FakeEncoder, **options: object) -> vecsearch.Collection:
    return vecsearch.open(folder.parent / "x.vec", model=encoder, **options)  # type: ignore[arg-type]


def check_sound(folder: Path) -> None:
    with vecsearch.connect(folder.parent / "x.vec") as database:
        findings = database.check(model=FakeEncoder())
    assert [finding for finding in findings if finding.severity is vecsearch.Severity.ERROR] == []


def rank_by_brute_force(texts: Sequence[str], query: str, limit: int) -> list[str]:
    scores = FakeEncoder().encode_documents(texts) @ FakeEncoder().encode_queries([query])[0]
    return [texts[n] for n in np.argsort(-scores, kind="stable")[:limit]]


def test_words_are_found_before_there_is_a_vector(folder: Path) -> None:
    encoder = WatchedEncoder()
    with open_collection(folder, encoder) as collection:
        report = collection.index([folder], vectors=False)
        assert (report.added, report.chunks, report.pending_vectors, encoder.encoded) == (COUNT, COUNT, COUNT, [])
        assert collection.pending_vectors == collection.status()["pending_vectors"] == COUNT
        assert [hit.text for hit in collection.search("number7", mode="lexical")] == [make_text(7)]
        hits = collection.search("number7 seal0", explain=True)
        assert (hits[0].text, hits[0].similarity, hits.pending_vectors) == (make_text(7), None, COUNT)
        assert "dense" not in hits[0].explanation.components  # type: ignore[union-attr]
        assert collection.search("number7", mode="dense") == []
        assert collection.search("number7", min_similarity=0.0) == []  # no similarity is known
        assert collection.context("number7").pending_vectors == COUNT
        assert not get_vectors(collection.get("files/07.txt", include_vectors=True)[0]).any()
        with pytest.raises(vecsearch.InputError, match=r"the vector of 'files/07\.txt' is still to be made"):
            collection.similar(id="files/07.txt")
        with pytest.raises(vecsearch.InputError, match="is still to be made"):
            collection.recommend(["files/07.txt"])
    check_sound(folder)


def test_what_was_filled_later_answers_as_what_was_stored_at_once(folder: Path, tmp_path: Path) -> None:
    with open_collection(folder, FakeEncoder()) as late, vecsearch.open(tmp_path / "y.vec", model=FakeEncoder()) as early:
        late.index([folder], vectors=False)
        assert late.fill_vectors().pending_vectors == 0
        early.add([make_text(n) for n in range(COUNT)], ids=[f"files/{n:02}.txt" for n in range(COUNT)])
        for query in ("seal3 sand2", "number12", "a note about", "nothing of it"):
            for mode in ("hybrid", "dense", "lexical"):
                answers = [
                    [(hit.id, hit.score, hit.similarity) for hit in collection.search(query, mode=mode)]
                    for collection in (late, early)
                ]
                assert answers[0] == answers[1]


def test_the_newest_come_first(folder: Path) -> None:
    encoder = WatchedEncoder()
    with open_collection(folder, encoder) as collection:
        collection.index([folder], vectors=False)
        collection.fill_vectors()
    windows = [encoder.encoded[at : at + 12] for at in range(0, COUNT, 12)]
    texts = [make_text(n) for n in reversed(range(COUNT))]
    assert [set(window) for window in windows] == [set(texts[at : at + 12]) for at in range(0, COUNT, 12)]


def test_at_each_moment_exactly_what_has_a_vector_is_searched_by_it(folder: Path) -> None:
    """Also by a handle that was open all the while, and by one that is opened now."""
    with open_collection(folder, FakeEncoder()) as collection, open_collection(folder, FakeEncoder()) as reader:
        collection.index([folder], vectors=False)
        while collection.pending_vectors:
            asked = iter(range(5))  # some batches at most
            collection.fill_vectors(should_stop=lambda asked=asked: next(asked, None) is None)  # type: ignore[misc]
            with collection._open_snapshot() as snapshot:
                waiting = {chunk.text for chunk in snapshot.load_pending_chunks(COUNT)}
            there = [text for text in map(make_text, range(COUNT)) if text not in waiting]
            with open_collection(folder, FakeEncoder(), readonly=True) as fresh:
                for each in (collection, reader, fresh):
                    hits = each.search("seal3 sand2", mode="dense", limit=8)
                    assert hits.pending_vectors == len(waiting)
                    assert {hit.text for hit in hits[:3]} == set(rank_by_brute_force(there, "seal3 sand2", 3))
                    assert len(hits) == min(8, len(there))
                    assert {hit.text for hit in each.search("seal3", mode="lexical", limit=99)} == {
                        make_text(n) for n in range(3, COUNT, 7)
                    }
            check_sound(folder)


@pytest.mark.parametrize("batches", [0, 1, 4, 9])
def test_an_interrupted_run_goes_on_and_encodes_nothing_twice(folder: Path, batches: int) -> None:
    first, second = WatchedEncoder(batches_left=[batches]), WatchedEncoder()
    with open_collection(folder, first) as collection:
        with pytest.raises(StoppedError):
            collection.index([folder])
        assert len(collection) == COUNT
        assert collection.pending_vectors == COUNT - len(first.encoded) and len(first.encoded) >= 4 * batches
    (folder / "03.txt").write_text("another text")  # meanwhile
    (folder / "59.txt").unlink()
    with open_collection(folder, second) as collection:
        report = collection.index([folder])
        assert (report.updated, report.removed, report.pending_vectors) == (1, 1, 0)
        assert not set(first.encoded) & set(second.encoded)
        assert set(first.encoded) | set(second.encoded) >= {*map(make_text, range(4, COUNT - 1)), "another text"}
    check_sound(folder)


def test_indexing_one_file_keeps_the_vectors_made_for_another(folder: Path) -> None:
    first, second = WatchedEncoder(batches_left=[6]), WatchedEncoder()
    with open_collection(folder, first) as collection, pytest.raises(StoppedError):
        collection.index([folder])
    other = folder.parent / "other.txt"
    other.write_text("a text of another file")
    with open_collection(folder, second) as collection:
        collection.index([other])  # which fills all that waits
        assert collection.pending_vectors == 0
    assert sorted(first.encoded + second.encoded) == sorted([*map(make_text, range(COUNT)), "a text of another file"])


def test_equal_texts_are_encoded_once(tmp_path: Path, folder: Path) -> None:
    for n in range(COUNT):
        (folder / f"copy{n}.txt").write_text(make_text(n))
    encoder = WatchedEncoder()
    with open_collection(folder, encoder) as collection:
        collection.index([folder])
        assert (len(collection), collection.pending_vectors) == (2 * COUNT, 0)
    assert sorted(encoder.encoded) == sorted(map(make_text, range(COUNT)))


def test_two_fillers_share_the_work(folder: Path) -> None:
    meet = threading.Barrier(2)
    encoders = [WatchedEncoder(), WatchedEncoder()]

    def run(encoder: WatchedEncoder) -> None:
        with open_collection(folder, encoder) as collection:
            meet.wait()
            collection.fill_vectors()
            pending.append(collection.pending_vectors)

    pending: list[int] = []
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
    threads = [threading.Thread(target=run, args=[encoder]) for encoder in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pending == [0, 0]  # neither comes back before all is there
    assert sorted(encoders[0].encoded + encoders[1].encoded) == sorted(map(make_text, range(COUNT)))


def test_who_holds_the_write_lock_does_not_wait_for_one_who_waits_for_it(folder: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection, open_collection(folder, FakeEncoder()) as other:
        collection.index([folder], vectors=False)
        store = collection._store
        filler = VectorFiller(CollectionTarget(store, "default"), get_encoder=FakeEncoder, source_root=store.source_root)
        with other._store.claim_filling("default") as claimed, store.open_writer("default"):
            assert claimed
            assert filler.run(holds_lock=True).pending_vectors == 0


def test_a_claim_that_an_interrupted_run_of_this_process_has_lost_is_not_waited_for_for_ever(folder: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
        claim = collection._store.claim_filling("default")
        lost: list[object] = [claim]
        lost.append(lost)  # as the frames of an error hold what they held, and themselves
        gc.disable()
        try:
            assert claim.__enter__()
            del claim, lost
            assert collection.index([folder]).pending_vectors == 0
        finally:
            gc.enable()


def test_what_is_changed_while_its_vector_is_made_keeps_the_change(folder: Path) -> None:
    def change() -> None:
        with open_collection(folder, FakeEncoder()) as other:
            other.delete(["files/58.txt"])
            (folder / "59.txt").write_text("it was changed")
            other.index([folder / "59.txt"], vectors=False)
            other.update("files/57.txt", metadata={"seen": True})

    changes: list[Callable[[], None]] = [change]
    encoder = WatchedEncoder(act=lambda: changes.pop()() if changes else None)
    with open_collection(folder, encoder) as collection:
        collection.index([folder])
        assert collection.pending_vectors == 0
        assert "files/58.txt" not in collection
        assert collection.search("it was changed", mode="dense", limit=1)[0].id == "files/59.txt"
        assert collection.get("files/57.txt")[0].metadata == {"seen": True}
    check_sound(folder)


def test_texts_that_are_gone_are_not_encoded(folder: Path) -> None:
    def delete() -> None:
        with open_collection(folder, FakeEncoder()) as other:
            other.delete(source=folder)

    deletes: list[Callable[[], None]] = [delete]
    encoder = WatchedEncoder(act=lambda: deletes.pop()() if deletes else None)
    with open_collection(folder, encoder) as collection:
        collection.index([folder], vectors=False)
        assert (collection.fill_vectors().encoded, len(collection)) == (5, 0)


def test_a_dropped_collection_leaves_no_claim_behind(folder: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder])
        collection.reembed(FakeEncoder(salt=5))
    files = {path.name for path in (folder.parent / "x.vec").glob("fill-*")}
    with vecsearch.connect(folder.parent / "x.vec") as database:
        database.delete_collection("default")
    assert (len(files), [*(folder.parent / "x.vec").glob("fill-*")]) == (1, [])


def test_code_stores_vectors_at_once_whatever_waits(folder: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
        collection.add(["a jump over a fence"], ids=["jump"])
        assert collection.pending_vectors == COUNT
        assert [hit.id for hit in collection.search("jump fence", mode="dense")] == ["jump"]
        collection.update("jump", text="a leap over a wall")
        assert [hit.text for hit in collection.search("leap wall", mode="dense")] == ["a leap over a wall"]
        collection.delete(source=folder)
        assert (collection.pending_vectors, len(collection)) == (0, 1)
    check_sound(folder)


def test_a_copy_of_what_waits_waits_too(folder: Path, tmp_path: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
        for name in ("all.jsonl", "all.parquet"):
            collection.export_documents(tmp_path / name)
            with vecsearch.open(tmp_path / f"of {name}", model=FakeEncoder()) as copy:
                assert copy.import_documents(tmp_path / name, vectors=False).pending_vectors == COUNT
                assert [hit.text for hit in copy.search("number7", mode="lexical")] == [make_text(7)]
                assert copy.fill_vectors().to_dict() | {"seconds": 0} == {
                    "encoded": COUNT, "chunks": COUNT, "pending_vectors": 0, "seconds": 0, "failed": (), "stopped": False,
                }  # fmt: skip
    with vecsearch.connect(tmp_path / "x.vec") as database:
        database.backup(tmp_path / "copy.backup")
    vecsearch.restore(tmp_path / "copy.backup", tmp_path / "restored")
    with vecsearch.open(tmp_path / "restored", model=FakeEncoder()) as copy:
        assert copy.pending_vectors == COUNT
        copy.optimize(full=True)
        assert copy.fill_vectors().encoded == COUNT


def test_a_collection_of_which_some_waits_is_embedded_again_whole(folder: Path) -> None:
    other = WatchedEncoder(salt=2, dimension=24)
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
        collection.add(["a jump over a fence"], ids=["jump"])
        report = collection.reembed(other)
        assert (report.encoded, report.chunks, collection.pending_vectors) == (COUNT + 1, COUNT + 1, 0)
        assert collection.search("number7 seal0", mode="dense", limit=1)[0].text == make_text(7)


def test_a_lost_vector_is_not_taken_for_one_that_waits(folder: Path) -> None:
    import sqlite3

    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
        collection.add(["a jump over a fence"], ids=["jump"])
    with closing(sqlite3.connect(folder.parent / "x.vec" / DATABASE_FILE)) as connection:
        connection.execute("DELETE FROM vectors")
        connection.commit()
    with vecsearch.connect(folder.parent / "x.vec") as database:
        (finding,) = (found for found in database.check(model=FakeEncoder()) if found.severity is vecsearch.Severity.ERROR)
        assert finding.what == "default: 1 chunk without a whole vector"
        database.repair(model=FakeEncoder())
    with open_collection(folder, FakeEncoder()) as collection:
        assert collection.pending_vectors == COUNT
        assert [hit.id for hit in collection.search("jump", mode="dense")] == ["jump"]


def test_a_vector_is_taken_over_from_the_same_chunk_alone(tmp_path: Path) -> None:
    """Two documents of the same content may be cut differently: one of them was chunked for another model."""
    text = " ".join(f"word{n}" for n in range(100))
    for name in ("old.txt", "new.txt"):
        (tmp_path / name).write_text(text)
    with vecsearch.open(tmp_path / "old.vec", model=FakeEncoder(max_tokens=20)) as old:
        old.index([tmp_path / "old.txt"])
        old.reembed(FakeEncoder())
        old.export_documents(tmp_path / "old.jsonl")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.index([tmp_path / "new.txt"], vectors=False)
        collection.import_documents(tmp_path / "old.jsonl", vectors=False)
        collection.fill_vectors()
        for document in collection.get(where={}, include_vectors=True):
            pieces = [document.text[chunk.start : chunk.end] for chunk in document.chunks]
            assert np.allclose(get_vectors(document), FakeEncoder().encode_documents(pieces), atol=1e-3)


def test_a_file_that_gets_another_name_keeps_the_vectors_that_some_of_its_chunks_have(folder: Path) -> None:
    (texts := folder.parent / "texts").mkdir()
    (texts / "long.txt").write_text(" ".join(f"word{n}" for n in range(1_200)))
    encoder = WatchedEncoder()
    with open_collection(folder, encoder) as collection:
        chunks = collection.index([texts], vectors=False).chunks
        asked = iter(range(6))
        collection.fill_vectors(should_stop=lambda: next(asked, None) is None)
        assert 0 < len(encoder.encoded) < chunks
        (texts / "long.txt").rename(texts / "other.txt")
        assert collection.index([texts], vectors=False).pending_vectors == chunks - len(encoder.encoded)
        assert collection.index([texts]).pending_vectors == 0
    assert len(encoder.encoded) == len(set(encoder.encoded)) == chunks
    check_sound(folder)


def test_a_wrong_count_of_what_waits_does_not_hold_a_run_up(folder: Path) -> None:
    import sqlite3

    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder], vectors=False)
    with closing(sqlite3.connect(folder.parent / "x.vec" / DATABASE_FILE)) as connection:
        connection.execute("UPDATE collections SET pending_vectors = pending_vectors + 1")
        connection.commit()
    with open_collection(folder, FakeEncoder()) as collection:
        assert collection.fill_vectors().encoded == COUNT


def test_a_chunk_made_for_another_model_is_encoded_with_as_much_of_its_context_as_fits() -> None:
    context = " ".join(f"scope{n}" for n in range(20))
    document = ParsedDocument("a", "a few words", "A title", {})
    spans, texts = refit_chunks(document, [ChunkSpan(0, len(document.text), {}, context)], FakeEncoder())
    assert texts[0].count("scope") == 10  # a quarter of the window
    assert build_encoder_input("a", document.title, spans[0].context, document.text, FakeEncoder()) == texts[0]


# -- the shell


def test_the_shell_says_what_waits(folder: Path, shell: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    result = shell("index", "files/07.txt", "files/08.txt", "--no-vectors")
    assert (result.status, "now 2 documents" in result.out) == (0, True)  # type: ignore[attr-defined]
    note = "2 chunks found by words alone until their vectors are made: vecsearch index --vectors-only"
    assert note in result.err  # type: ignore[attr-defined]
    result = shell("search", "number7")
    assert ("07.txt" in result.out, note in result.err) == (True, True)  # type: ignore[attr-defined]
    answer = json.loads(shell("search", "number7", "--json").out)  # type: ignore[attr-defined]
    assert (answer["pending_vectors"], answer["hits"][0]["similarity"]) == (2, None)
    assert "2 still to be made" in shell("status").out  # type: ignore[attr-defined]
    assert "2 texts encoded" in shell("index", "--vectors-only").out  # type: ignore[attr-defined]
    result = shell("search", "number7", "--json")
    assert (json.loads(result.out)["pending_vectors"], result.err) == (0, "")  # type: ignore[attr-defined]
    assert shell("index", "files", "--vectors-only").status == 2  # type: ignore[attr-defined]


# -- the plan of index files


@given(
    states=st.lists(st.sampled_from("wlgs"), max_size=40), ratio=st.integers(0, 3), least=st.integers(1, 4),
    segment_rows=st.integers(1, 9),
)  # fmt: skip
def test_merges_are_disjoint_and_hold_nothing_that_waits(states: list[str], ratio: int, least: int, segment_rows: int) -> None:
    """Chunks are waiting, loose, gone, or in a segment; neighbours in a segment share it, a few at a time."""
    pending = np.array([n for n, state in enumerate(states, 1) if state == "w"], np.int64)
    loose = np.array([n for n, state in enumerate(states, 1) if state == "l"], np.int64)
    segments: list[StoredSegment] = []
    for n, state in enumerate(states, 1):
        if state != "s":
            continue
        if segments and segments[-1].last_id == n - 1 and segments[-1].rows < segment_rows:
            segments[-1] = StoredSegment(len(segments), segments[-1].after_id, n, segments[-1].rows + 1, "")
        else:
            segments.append(StoredSegment(len(segments) + 1, n - 1, n, 1, ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_plan, "MERGE_RATIO", ratio)
        patch.setattr(merge_plan, "INDEX_RUN_ROWS_MIN", least)
        stretches = list_stretches(segments, loose, pending)
        merges = [merge for stretch in stretches for merge in plan_merges(stretch, is_whole=not len(pending))]
    assert sorted(piece.segment.id for stretch in stretches for piece in stretch if piece.segment) == [
        segment.id for segment in segments
    ]
    covered = [n for merge in merges for n in range(merge.after_id + 1, merge.last_id + 1)]
    assert len(covered) == len(set(covered))
    assert not set(covered) & set(pending.tolist())
    replaced = {segment.id for merge in merges for segment in merge.replaced_segments}
    for segment in segments:
        is_inside = {n in covered for n in range(segment.after_id + 1, segment.last_id + 1)}
        assert is_inside == {segment.id in replaced}
    if not len(pending):
        assert set(loose.tolist()) <= set(covered)
    for merge in merges:
        inside = sum(merge.after_id < n <= merge.last_id for n in loose.tolist())
        rows = inside + sum(segment.rows for segment in merge.replaced_segments)
        assert rows >= (least if len(pending) else 1)
