"""Re-embedding with another encoder: what is kept, what is answered in the meantime, and what a kill leaves."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests import maintenance
from tests.checks import get_error, is_sound
from tests.conftest import PROJECT, CountingEncoder
from tests.fakes import FakeEncoder
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.documents.chunk_inputs import refit_chunks
from vecsearch.encoders import model_files, registry
from vecsearch.stores.sqlite.write import replacement

OLD, NEW = FakeEncoder(1), FakeEncoder(2, dimension=24, max_tokens=15)
WORDS = "keel mast sail rope anchor tide harbour lantern compass storm gull reef chart deck helm oar".split()


class InterruptedRunError(BaseException):
    """Stands for a kill inside this process, and so is no failure of the encoder, which would be tried again."""


class MeddlingEncoder(CountingEncoder):
    """An encoder that runs an action once, when it has encoded so many texts."""

    def __init__(self, encoder, after, action):
        super().__init__(encoder)
        self._left, self._what = after, action

    def encode_documents(self, texts):
        self._left -= len(texts)
        if self._left < 0 and self._what is not None:
            action, self._what = self._what, None
            action()
        return super().encode_documents(texts)


def interrupt():
    raise InterruptedRunError("stopped by the test")


def make_texts(count, words=6):
    draw = np.random.default_rng(count)
    return [" ".join(draw.choice(WORDS, words)) + f" number{n}" for n in range(count)]


@pytest.fixture
def varied_database(tmp_path):
    """Make documents of every kind with the old encoder; one file failed, one is half read, some are deleted or updated."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files/log.md").write_text("# Log\n\n" + "\n".join(f"The {word} was seen at noon." for word in WORDS * 3))
    (tmp_path / "files/twin.md").write_text((tmp_path / "files/log.md").read_text())
    lines = [{"id": f"é/{n}", "text": text, "at": {"sea": [n, 1.5, None]}} for n, text in enumerate(make_texts(5))]
    (tmp_path / "files/rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    folder = tmp_path / "x.vec"
    with vecsearch.open(folder, model=OLD, stemmer="en") as collection:
        collection.add(
            make_texts(30), ids=[f"d{n}" for n in range(30)], titles=["A ship's log" if n % 2 else None for n in range(30)],
            metadatas=[{"n": n, "of": {"who": ["ä", "汉"], "big": 2**70}} for n in range(30)],
        )  # fmt: skip
        collection.add([" ".join(make_texts(9, words=10))], ids=["long"], titles=["Long"])
        provided_texts = [" ".join(make_texts(5)), "", "a keel"]
        collection.add(provided_texts, ids=["b0", "b1", "b2"], titles=["B", "Only a title", None], vectors=np.eye(3, 32))
        collection.index([tmp_path / "files"])
        collection.delete(["d3", "d4"])
        collection.update("d5", metadata={"n": None, "later": True})
        collection.update("d6", text="a new text about a gull")
    return folder


@pytest.fixture
def plain(tmp_path):
    """Make a database of forty short documents."""
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        collection.add(make_texts(40), ids=[f"d{n}" for n in range(40)])
    return tmp_path / "x.vec"


@pytest.fixture
def small(monkeypatch):
    """Make batches small enough for many of them."""
    homes = ("vecsearch.indexing.batch_writer", "vecsearch.indexing.vector_filler", "vecsearch.stores.sqlite.write.replacement")
    for module in homes:
        for name in ("BATCH_CHUNKS", "FILL_CHUNKS", "BATCH_TEXT_CHUNKS", "READ_DOCUMENTS"):
            if hasattr(sys.modules[module], name):
                monkeypatch.setattr(f"{module}.{name}", 8)


def fetch_rows(folder, query):
    connection = sqlite3.connect(folder / DATABASE_FILE)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def read_documents(folder):
    """Read everything but the rows' own numbers and the mark of provided vectors."""
    return fetch_rows(
        folder,
        "SELECT d.external_id, d.title, d.text, d.metadata, d.digest, d.indexed_at, s.path "
        "FROM documents d LEFT JOIN sources s ON s.id = d.source_id "
        "JOIN collections c ON c.id = d.collection_id WHERE c.name = 'default' ORDER BY 1",
    )


def read_sources(folder):
    columns = "path, digest, split, error, mounted, indexed_at, loader_version"
    return fetch_rows(folder, f"SELECT {columns} FROM sources ORDER BY path")


def rank_by_brute_force(collection, encoder, query):
    """Rank every chunk as (id, ordinal), the nearest first, from its text, title and context."""
    chunk_rows = fetch_rows(
        collection.path,
        "SELECT d.external_id, c.ordinal, d.title, c.context, substr(d.text, c.start + 1, c.end - c.start) FROM chunks c "
        "JOIN documents d ON d.id = c.document_id ORDER BY c.id",
    )
    inputs = [
        refit_chunks(ParsedDocument(key, text, title), [ChunkSpan(0, len(text), {}, context or "")], encoder)[1]
        for key, _, title, context, text in chunk_rows
    ]
    assert all(len(texts) == 1 for texts in inputs)  # every chunk fits the window
    scores = encoder.encode_documents([text for (text,) in inputs]) @ encoder.encode_queries([query])[0]
    return [(chunk_rows[position][0], chunk_rows[position][1]) for position in np.argsort(-scores, kind="stable")], np.sort(
        scores
    )[::-1]


def test_everything_is_kept_but_the_vectors(varied_database):
    before = read_documents(varied_database), read_sources(varied_database)
    with vecsearch.open(varied_database, model=OLD) as collection:
        chunks = {document.id: [(c.start, c.end, c.location) for c in document.chunks] for document in collection.get(where={})}
        report = collection.reembed(NEW)
        assert (read_documents(varied_database), read_sources(varied_database)) == before
        for document in collection.get(where={}):
            assert {c.start for c in document.chunks} >= {start for start, _, _ in chunks[document.id]}
            assert "".join(document.text[c.start : c.end] for c in document.chunks) == "".join(
                document.text[s:e] for s, e, _ in chunks[document.id]
            )
        for query in ("keel mast number7", "the gull was seen"):
            expected, scores = rank_by_brute_force(collection, NEW, query)
            hits = collection.search(query, mode="dense", limit=20)
            assert [hit.score for hit in hits] == pytest.approx(scores[:20], abs=2e-3)
            assert (hits[0].id, hits[0].chunk_index) in expected[:3]
        assert collection.search("汉", mode="lexical") == [] != collection.search("noon", mode="lexical")
        assert collection.count({"of.who": {"$contains": "汉"}}) == 28
    assert (report.documents, report.switched) == (len(before[0]), True)
    assert fetch_rows(varied_database, "SELECT count(*) FROM collections") == [(1,)]
    assert is_sound(varied_database)
    (status,) = maintenance.status(varied_database)["collections"]
    assert (status["model"], status["dimension"], status["reembedding"]) == (NEW.name, 24, None)
    assert (status["index"]["unindexed"], status["index"]["rows"]) == (0, report.chunks)


def test_chunks_that_fit_the_new_window_stay_as_they_are(varied_database):
    query = (
        "SELECT d.external_id, c.ordinal, c.start, c.end, c.location, c.context "
        "FROM chunks c JOIN documents d ON d.id = c.document_id"
    )
    with vecsearch.open(varied_database, model=OLD) as collection:
        before = {
            row for row in fetch_rows(varied_database, query) if row[0] != "b0"
        }  # added with one vector for more than a window
        collection.reembed(FakeEncoder(3, max_tokens=400))
        assert {row for row in fetch_rows(varied_database, query) if row[0] != "b0"} == before
        collection.reembed(FakeEncoder(3, max_tokens=9))
        assert len(fetch_rows(varied_database, query)) > len(before)


def test_files_indexed_after_it_are_not_encoded_again(varied_database, tmp_path):
    with vecsearch.open(varied_database, model=OLD) as collection:
        counting_encoder = CountingEncoder(NEW)
        collection.reembed(counting_encoder)
        assert counting_encoder.documents
        counting_encoder.documents.clear()
        report = collection.index([tmp_path / "files"])
        assert (report.added, report.updated, report.removed, report.unchanged) == (0, 0, 0, 7)
    assert counting_encoder.documents == []


def test_equal_documents_are_encoded_once(tmp_path):
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        collection.add(["one and the same"] * 20 + ["another"])
        counting_encoder = CountingEncoder(NEW)
        assert collection.reembed(counting_encoder).encoded == 2
    assert sorted(counting_encoder.documents) == ["another", "one and the same"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, "\n", "\n\n", "汉字。", "…"]), max_size=60), st.integers(1, 12), st.integers(3, 30))
def test_a_chunk_split_further_loses_nothing_and_fits(words, context_length, window):
    text = " ".join(words)
    encoder = FakeEncoder(1, max_tokens=window)
    span = ChunkSpan(0, len(text), {"lines": [5, 5 + text.rstrip().count("\n")], "heading": ["A"]}, "above it"[:context_length])
    cuts, inputs = refit_chunks(ParsedDocument("x", text, "title"), [span], encoder)
    assert "".join(text[cut.start : cut.end] for cut in cuts) == text
    assert all(len(encoder.token_spans(input_text)) <= window for input_text in inputs)
    assert all(cut.context == span.context and cut.location["heading"] == ["A"] for cut in cuts)
    if text.strip():
        assert cuts[0].location["lines"][0] >= 5 and cuts[-1].location["lines"][1] == span.location["lines"][1]
    assert all(cut.end == other.start for cut, other in pairwise(cuts))


def test_an_interrupted_run_goes_on_where_it_stopped(varied_database, small):
    with vecsearch.open(varied_database, model=OLD) as collection:
        before = collection.search("keel mast", mode="dense", limit=5)
        first = MeddlingEncoder(NEW, 40, interrupt)
        with pytest.raises(InterruptedRunError, match="stopped by the test"):
            collection.reembed(first)
        assert collection.search("keel mast", mode="dense", limit=5) == before
        second = CountingEncoder(NEW)
        collection.reembed(second)
    full_encoder = CountingEncoder(NEW)
    with vecsearch.open(varied_database, model=NEW) as collection:
        collection.reembed(OLD)
        collection.reembed(full_encoder)
    assert len(first.documents) >= 32
    assert len(first.documents) + len(second.documents) <= len(full_encoder.documents) + 8  # one batch was lost
    assert is_sound(varied_database)


def test_the_chunks_of_a_long_document_are_not_encoded_again(tmp_path, small):
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        collection.add(["\n".join(make_texts(100))], ids=["long"])
        first, second = MeddlingEncoder(NEW, 50, interrupt), CountingEncoder(NEW)
        with pytest.raises(InterruptedRunError, match="stopped by the test"):
            collection.reembed(first)
        collection.reembed(second)
        assert not set(first.documents) & set(second.documents)
        assert len(first.documents) >= 40
        assert collection.search("number77", mode="lexical")
    assert fetch_rows(tmp_path / "x.vec", "SELECT count(*) FROM pending_vectors WHERE filled IS NULL") == [(0,)]


def test_one_begun_with_another_encoder_is_begun_anew(plain, small):
    third = FakeEncoder(3)
    with vecsearch.open(plain, model=OLD) as collection:
        with pytest.raises(InterruptedRunError, match="stopped by the test"):
            collection.reembed(MeddlingEncoder(third, 20, interrupt))
        assert collection.reembed(NEW).encoded == 40
    assert fetch_rows(plain, "SELECT model, dimension FROM collections") == [(NEW.name, 24)]
    assert is_sound(plain)


def test_what_is_half_made_is_seen_in_status_alone_and_can_be_given_up(plain, small, shell):
    with vecsearch.open(plain, model=OLD) as collection, pytest.raises(InterruptedRunError, match="stopped by the test"):
        collection.reembed(MeddlingEncoder(NEW, 20, interrupt))
    (status,) = maintenance.status(plain)["collections"]
    assert status["reembedding"] == {"model": NEW.name, "documents": 16, "of": 40}
    assert (status["name"], status["model"], status["documents"]) == ("default", OLD.name, 40)
    assert maintenance.collections(plain) == ["default"]
    assert NEW.name not in {model["name"] for model in maintenance.list_models(plain)}
    assert json.loads(shell("ls", "--db", plain, "--json").out)["total"] == 40
    assert fetch_rows(plain, "SELECT name, role FROM collections ORDER BY id") == [
        ("default", "live"),
        ("default", "replacement"),
    ]
    assert is_sound(plain)
    assert json.loads(shell("reembed", "--cancel", "--db", plain, "--json").out) == {"collection": "default", "cancelled": True}
    assert "nothing was in progress" in shell("reembed", "--cancel", "--db", plain).out
    assert fetch_rows(plain, "SELECT count(*) FROM documents") == [(40,)]
    assert maintenance.status(plain)["collections"][0]["reembedding"] is None
    assert "no collection named" in get_error(shell("reembed", "--cancel", "--db", plain, "-c", "other"))


def test_what_is_half_made_goes_with_its_collection(plain, small):
    with vecsearch.open(plain, model=OLD) as collection, pytest.raises(InterruptedRunError, match="stopped by the test"):
        collection.reembed(MeddlingEncoder(NEW, 20, interrupt))
    maintenance.rename_collection(plain, "default", "other")
    with vecsearch.open(plain, collection="other", model=OLD) as collection:
        assert collection.reembed(NEW).encoded == 24
        with pytest.raises(InterruptedRunError, match="stopped by the test"):
            collection.reembed(MeddlingEncoder(OLD, 20, interrupt))
    maintenance.delete_collection(plain, "other")
    assert [fetch_rows(plain, f"SELECT count(*) FROM {table}") for table in ("collections", "documents", "vectors")] == [
        [(0,)]
    ] * 3


def test_what_is_written_meanwhile_is_taken_in(plain, small):
    def meddle():
        with vecsearch.open(plain, model=OLD) as other:
            other.add(["a whale beside the ship"], ids=["new"], metadatas=[{"late": True}])
            other.delete(["d1", "d39"])
            other.update("d2", metadata={"changed": 1})
            other.update("d3", text="an albatross instead")
            other.optimize(stemmer="de")

    counting_encoder = MeddlingEncoder(NEW, 20, meddle)
    with vecsearch.open(plain, model=OLD) as collection:
        collection.reembed(counting_encoder)
        assert {document.id for document in collection.list_documents(limit=100)} == {f"d{n}" for n in range(40)} - {
            "d1",
            "d39",
        } | {"new"}
        assert collection.search("whale", limit=1)[0].id == "new"
        assert [document.id for document in collection.get(where={"changed": 1})] == ["d2"]
        assert [hit.id for hit in collection.search("albatross", mode="lexical")] == ["d3"]
        query = "keel mast sail"
        assert [(hit.id, hit.chunk_index) for hit in collection.search(query, mode="dense", limit=39)] == rank_by_brute_force(
            collection, NEW, query
        )[0]
    assert len(counting_encoder.documents) <= 42  # what is untouched is encoded once
    assert fetch_rows(plain, "SELECT stemmer FROM collections") == [("de",)]
    assert is_sound(plain)


def test_two_runs_at_once_do_not_mix(plain, small):
    def reembed_elsewhere():
        with vecsearch.open(plain, model=OLD) as other:
            other.reembed(FakeEncoder(3))

    with vecsearch.open(plain, model=OLD) as collection, pytest.raises(vecsearch.StorageError, match="another process"):
        collection.reembed(MeddlingEncoder(NEW, 20, reembed_elsewhere))
    assert fetch_rows(plain, "SELECT model FROM collections") == [(FakeEncoder(3).name,)]
    assert is_sound(plain)


def test_readers_go_on_by_the_old_vectors_and_then_by_the_new_ones(plain, small):
    query = "keel mast sail"
    with vecsearch.open(plain, model=OLD) as writer, vecsearch.open(plain, readonly=True) as reader:
        old = [hit.id for hit in writer.search(query, mode="dense", limit=40)]
        vectors = {OLD.dimension: OLD.encode_queries([query])[0], NEW.dimension: NEW.encode_queries([query])[0]}
        rankings, errors, stop_event = set(), [], threading.Event()

        def ask():
            while not stop_event.is_set():
                try:
                    rankings.add(tuple(hit.id for hit in reader.search(vectors[get_dimension()], mode="dense", limit=40)))
                    assert len(reader.search("number7", mode="lexical")) == 1
                except vecsearch.DimensionMismatchError:
                    pass  # the switch came between two looks
                except Exception as error:
                    errors.append(error)
                    return

        def get_dimension():
            return maintenance.status(plain)["collections"][0]["dimension"]

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for encoder in (NEW, OLD, NEW):
                writer.reembed(encoder)
        finally:
            stop_event.set()
            for thread in threads:
                thread.join()
        new = [hit.id for hit in writer.search(query, mode="dense", limit=40)]
        assert [hit.id for hit in reader.search(vectors[NEW.dimension], mode="dense", limit=40)] == new
    assert errors == []
    assert old != new
    assert rankings <= {tuple(old), tuple(new)}


def test_who_asked_for_the_old_encoder_is_told_and_no_vector_of_it_is_taken_in(plain):
    with vecsearch.open(plain, model=OLD) as stays, vecsearch.open(plain, model=OLD) as switches:
        same_width = FakeEncoder(9)
        switches.reembed(same_width)
        assert switches.search("keel", limit=1)
        switches.add(["a keel"], ids=["more"])
        with pytest.raises(vecsearch.ModelMismatchError, match=f"reembed --model {OLD.name}"):
            stays.search("keel")
        with pytest.raises(vecsearch.ModelMismatchError, match=f"reembed --model {OLD.name}"):
            stays.add(["x"], vectors=OLD.encode_documents(["x"]))
        with pytest.raises(vecsearch.ModelMismatchError, match=f"reembed --model {OLD.name}"):
            stays.add(["x"])
        assert stays.search("keel", mode="lexical")
    with pytest.raises(vecsearch.ModelMismatchError, match=f"reembed --model {OLD.name}"):
        vecsearch.open(plain, model=OLD)


@pytest.fixture
def other_model(tmp_path):
    """Copy the bundled model into a local folder, with prompts that its own does not have."""
    folder = tmp_path / "prompted model"
    shutil.copytree(model_files.find_model_folder(model_files.BUNDLED_MODEL), folder)
    config = folder / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {"query": "query: ", "document": "passage: "}}))
    return folder


def test_the_shell_switches_models_and_open_readers_follow(notes, shell, other_model):
    with vecsearch.open(notes, readonly=True) as reader:
        assert reader.search("jumping", limit=1)[0].id == "leap"
        error_output = shell("index", "old", "--model", other_model).err
        assert f"vecsearch reembed --model '{other_model}' -c default" in error_output
        result = shell("reembed", "--model", other_model, "--json")
        assert result.status == 0, result
        report = json.loads(result.out)
        assert list(report) == ["collection", "model", "documents", "chunks", "encoded", "seconds", "stopped", "tuning_dropped"]
        assert (report["model"], report["documents"], report["encoded"]) == (str(other_model), 4, 4)
        assert reader.search("jumping", limit=1)[0].id == "leap"
        expected = registry.load(str(other_model)).encode_documents(["a jump over the fence"])[0]
        (hit,) = reader.search(expected, limit=1)
        assert hit.score == pytest.approx(1, abs=2e-3)
    second_result = shell("reembed", "--model", other_model)
    assert second_result.status == 0
    assert "already; nothing to do" in second_result.out
    assert shell("index", "old").status == 0
    assert "in progress" in get_error(shell("reembed"), status=2)
    assert get_error(shell("reembed", "--cancel", "--model", "x"), status=2)


def test_the_precision_alone_is_a_reason(notes, shell):
    result = shell("reembed", "--precision", "float32")
    assert "4 documents, 4 chunks are embedded with all-MiniLM-L6-v2 now (4 texts encoded" in result.out
    (status,) = maintenance.status(notes)["collections"]
    assert status["precision"] == "float32"
    with vecsearch.open(notes) as collection:
        (vector,) = collection._load_encoder().encode_documents(["a jump over the fence"])
        assert collection.search(vector, limit=1)[0].score == pytest.approx(1, abs=1e-6)
    assert shell("reembed", "--precision", "float32").out.endswith("already; nothing to do\n")


def test_what_was_replaced_is_dropped_by_the_next_writer(plain, monkeypatch):
    def check_cleanup(write):
        with vecsearch.open(plain, model=OLD) as collection, monkeypatch.context() as patch:
            patch.setattr(replacement, "drop_leftovers", lambda database: None)
            collection.reembed(NEW)
            collection.reembed(OLD)
        assert len(fetch_rows(plain, "SELECT * FROM collections")) == 3
        assert maintenance.collections(plain) == ["default"]
        with vecsearch.open(plain, model=OLD) as collection:
            write(collection)
        assert len(fetch_rows(plain, "SELECT * FROM collections")) == 1
        assert len(list((plain / "index").glob("*"))) == 1
        assert is_sound(plain)

    check_cleanup(lambda collection: collection.add(["group_size"], on_conflict="replace"))
    check_cleanup(lambda collection: collection.optimize())
    check_cleanup(lambda collection: collection.reembed(FakeEncoder(3)))


KILLED = """
import os, signal, sys
from pathlib import Path
import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.indexing import batch_writer, vector_filler
from vecsearch.stores.sqlite.write import compaction, replacement
from vecsearch.stores.sqlite.write.writer import SQLiteWriter

folder, point, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
batch_writer.BATCH_TEXT_CHUNKS = vector_filler.FILL_CHUNKS = replacement.READ_DOCUMENTS = 8

def die_at(home, name, *, before):
    real, left = getattr(home, name), [count]
    def wrapped(*args, **named):
        left[0] -= 1
        if left[0] == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        value = real(*args, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return value
    setattr(home, name, wrapped)

home, name, when = point.split()
die_at({"writer": SQLiteWriter, "compaction": compaction, "replacement": replacement}[home], name, before=when == "before")
with vecsearch.open(folder, model=FakeEncoder(1)) as collection:
    collection.reembed(FakeEncoder(2, dimension=24, max_tokens=15))
"""
POINTS = [
    ("replacement begin_replacement after", 1),
    ("writer commit before", 1),
    ("writer commit after", 1),
    ("writer commit before", 3),
    ("writer attach_vectors before", 1),
    ("writer attach_vectors after", 1),
    ("writer attach_vectors before", 3),
    ("replacement drop_surplus before", 1),
    ("replacement _copy_sources after", 1),
    ("replacement _check_counts after", 1),
    ("replacement swap_in_replacement after", 1),
    ("replacement drop after", 1),
    ("compaction clear_leftovers before", 2),
]


@pytest.mark.parametrize(("point", "count"), POINTS, ids=[f"{point} {count}".replace(" ", "-") for point, count in POINTS])
def test_killed_at_any_point_it_answers_by_one_encoder_and_goes_on(plain, point, count):
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(plain), point, str(count)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    (status,) = maintenance.status(plain)["collections"]
    encoder = OLD if status["model"] == OLD.name else NEW
    assert (encoder is NEW) == (
        point in ("replacement swap_in_replacement after", "replacement drop after", "compaction clear_leftovers before")
    )
    query = "keel mast sail"

    def is_right(collection, encoder):
        hits = collection.search(query, mode="dense", limit=50)
        assert [(hit.id, hit.chunk_index) for hit in hits] == rank_texts_by_brute_force(encoder, query)
        assert [hit.id for hit in collection.search("number7", mode="lexical")] == ["d7"]

    with vecsearch.open(plain, model=encoder, readonly=True) as collection:
        is_right(collection, encoder)
    assert is_sound(plain)
    document_count = 0 if status["reembedding"] is None else status["reembedding"]["documents"]
    with vecsearch.open(plain, model=encoder) as collection:
        report = collection.reembed(NEW)
        assert (report.encoded, report.documents) == (40 - document_count if report.switched else 0, 40)
        collection.optimize()
        is_right(collection, NEW)
    assert fetch_rows(plain, "SELECT count(*) FROM collections") == [(1,)]
    assert len(list((plain / "index").glob("*"))) == 1
    assert is_sound(plain)


def rank_texts_by_brute_force(encoder, query):
    """Rank the documents of `plain`, nearest first."""
    scores = encoder.encode_documents(make_texts(40)) @ encoder.encode_queries([query])[0]
    return [(f"d{position}", 0) for position in np.argsort(-scores, kind="stable")]


def test_progress_is_told_of_all_characters(plain):
    class RecordingProgress:
        total = done = vectors = made = 0

        def begin(self, total):
            self.total = total

        def advance(self, amount, chunks):
            self.done += amount

        def begin_vectors(self, total):
            self.vectors += total

        def advance_vectors(self, count):
            self.made += count

    progress = RecordingProgress()
    with vecsearch.open(plain, model=OLD) as collection:
        collection.reembed(NEW, progress=progress)
        assert progress.done == pytest.approx(progress.total) == sum(map(len, make_texts(40)))
        assert progress.made == progress.vectors == 40


def test_a_reembed_of_nothing_there_says_so(tmp_path):
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        with pytest.raises(vecsearch.CollectionNotFoundError, match="no collection named 'default'"):
            collection.reembed(NEW)
        collection.add(["one"])
    reader = vecsearch.open(tmp_path / "x.vec", model=OLD, readonly=True)
    with reader, pytest.raises(vecsearch.ReadOnlyError, match="was opened read-only"):
        reader.reembed(NEW)


def test_what_is_encoded_and_what_is_searched_are_one_snapshot(plain):
    """The swap comes between what a question has encoded and what it searches: everything is then encoded again."""
    same_width = FakeEncoder(9)
    questions = [
        lambda collection: collection.search("keel mast", mode="dense", limit=5, explain=True),
        lambda collection: collection.similar(text="keel mast", limit=5, explain=True),
        lambda collection: collection.recommend([{"text": "keel mast"}], limit=5),
    ]
    for ask in questions:
        answers = []
        for encoder in (OLD, same_width):
            with vecsearch.open(plain) as writer:
                writer.reembed(encoder)
            with vecsearch.open(plain, model=encoder) as collection:
                answers.append([(hit.id, hit.score) for hit in ask(collection)])
        with vecsearch.open(plain, readonly=True) as collection:
            encoders = {encoder.fingerprint: encoder for encoder in (OLD, same_width)}
            loads: list[FakeEncoder] = []

            def load(info, encoders=encoders, loads=loads):
                encoder = encoders[info.encoder.fingerprint]
                loads.append(encoder)
                if len(loads) <= 2:  # by the second, the answer is prepared again
                    with vecsearch.open(plain) as writer:
                        writer.reembed(OLD if encoder is same_width else same_width)
                return encoder

            collection._load_encoder_of = load  # type: ignore[method-assign]
            assert [(hit.id, hit.score) for hit in ask(collection)] in answers
