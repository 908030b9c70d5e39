"""An export is imported unchanged, and the data of other programs is imported as they store it."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vecsearch
from tests import maintenance
from tests.checks import expect_nothing_lost, get_error, is_sound, list_files, read_collection
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from vecsearch.exchange.transfer_records import LAYOUT, format_numbers
from vecsearch.stores.sqlite.store import SQLiteStore

FOREIGN = Path(__file__).parents[1] / "foreign"
EXPECTED = json.loads((FOREIGN / "expected.json").read_text(encoding="utf-8"))
ENCODER = FakeEncoder()
FORMATS = ["jsonl", "jsonl.gz", "parquet"]


@pytest.fixture(params=FORMATS)
def suffix(request):
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


def read_everything(folder, name="default"):
    """Return all that a collection holds, vectors bit for bit, but for row numbers and times."""
    with closing(SQLiteStore(folder, readonly=True)) as store, store.open_snapshot(name) as snapshot:
        assert snapshot is not None
        info = snapshot.info
        return (info.encoder, info.precision, info.stemmer), [
            {**asdict(document), "vectors": None if document.vectors is None else document.vectors.tobytes()}
            for document in snapshot.export()
        ]


def write_lines(file, *values):
    file.write_text("".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values), encoding="utf-8")
    return file


# -- there and back


def test_what_is_exported_comes_back_as_it_was(notes, tmp_path, suffix, shell):
    """Documents, chunks, places, metadata, files, vectors, and so every answer."""
    with vecsearch.open(notes) as collection:
        collection.add(["# Ropes\n\n" + "A bowline makes a loop. " * 200], ids=["long"], titles=["Ropes 🪢"])
        collection.update("leap", metadata={"ü": [1, None, {"deep": 2.5}], "big": 2**60})
        collection.delete("bound")
    file = tmp_path / f"all.{suffix}"
    result = shell("export", file)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("exported 4 documents, ")
    assert file.stat().st_mode & 0o777 == 0o600
    result = shell("import", file, "--db", "new.vec")
    assert result.status == 0
    assert result.out.startswith("4 added, 0 replaced, 0 skipped · 4 with their vectors, 0 encoded · now 4 documents")
    assert read_everything(tmp_path / "new.vec") == read_everything(notes)
    assert read_collection(tmp_path / "new.vec") == read_collection(notes)
    for query in ("a place where seals rest", "bowline", "planet jump"):
        arguments = ("search", query, "--json", "-n", 50)
        hits, expected = (json.loads(shell(*arguments, "--db", db).out)["hits"] for db in ("new.vec", notes))
        assert hits == expected
    assert maintenance.check(tmp_path / "new.vec") == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6,
)  # fmt: skip
DOCUMENTS = st.dictionaries(
    TEXTS.filter(str.strip),
    st.tuples(TEXTS.filter(str.strip), st.none() | TEXTS, st.dictionaries(TEXTS, JSONS, max_size=3), st.booleans()),
    min_size=1,
    max_size=5,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, st.sampled_from(["float16", "float32"]), st.sampled_from(FORMATS), st.integers(0, 2**32))
def test_any_documents_come_back_bit_for_bit(tmp_path_factory, documents, precision, kind, seed):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    place, chance = tmp_path_factory.mktemp("any"), np.random.default_rng(seed)
    with vecsearch.open(place / "a.vec", model=ENCODER, precision=precision) as collection:
        for key, (text, title, metadata, provided) in documents.items():
            row = chance.standard_normal((1, 32)) if provided else None
            collection.add([text], ids=[key], titles=[title], metadatas=[metadata], vectors=row)
        collection.export_documents(place / "file", format=kind)
        query = next(iter(documents.values()))[0]
        expected = [collection.search(query, mode=mode, limit=50) for mode in ("dense", "lexical", "hybrid")]
    with vecsearch.open(place / "b.vec", model=ENCODER) as collection:
        report = collection.import_documents(place / "file")
        assert (report.added, report.vectors_reused, report.failed) == (len(documents), len(documents), ())
        assert [collection.search(query, mode=mode, limit=50) for mode in ("dense", "lexical", "hybrid")] == expected
    assert read_everything(place / "b.vec") == read_everything(place / "a.vec")
    shutil.rmtree(place)


def test_every_number_survives_as_its_shortest_decimal():
    halves = np.arange(1 << 16, dtype="<u2").view("<f2")
    singles = np.random.default_rng(0).integers(0, 1 << 32, 50_000, dtype=np.uint32).view("<f4")
    for numbers in (halves[np.isfinite(halves)], singles[np.isfinite(singles)]):
        json_text = json.dumps(format_numbers(numbers.reshape(1, -1)))
        copy = np.array(json.loads(json_text), np.float64).astype(numbers.dtype)
        assert copy.tobytes() == numbers.tobytes()


def test_an_export_without_vectors_is_what_any_tool_reads(notes, tmp_path, shell):
    result = shell("export", "-", "--no-vectors")
    assert result.err.startswith("exported 4 documents")
    values = [json.loads(line) for line in result.out.splitlines()]
    assert {"id": "leap", "text": "a jump over the fence", "metadata": {"lang": "en"}} in values
    assert {key for value in values for key in value} <= {"id", "text", "title", "metadata"}
    result = shell("index", "-", "--db", tmp_path / "indexed.vec", stdin=result.out.encode())
    assert result.out.startswith("4 added")
    with vecsearch.open(notes, readonly=True) as old, vecsearch.open(tmp_path / "indexed.vec", readonly=True) as new:
        assert [(document.id, document.text, document.metadata) for document in new.get(where={})] == [
            (document.id, document.text, document.metadata) for document in old.get(where={})
        ]


def test_an_export_goes_through_a_pipe(notes, tmp_path, shell):
    piped = shell("export", "-").out
    result = shell("import", "-", "--db", tmp_path / "new.vec", stdin=piped.encode())
    assert result.out.startswith("4 added")
    assert read_everything(tmp_path / "new.vec") == read_everything(notes)
    assert "leave --json out" in get_error(shell("export", "-", "--json"), 2)


def test_an_export_is_one_snapshot(tmp_path):
    """What is written meanwhile is not in it."""
    with vecsearch.open(tmp_path / "a.vec", model=ENCODER) as collection:
        collection.add([f"rope {n}" for n in range(50)], ids=[f"d{n}" for n in range(50)])
        before = read_everything(tmp_path / "a.vec")

        class SlowFile(BytesIO):
            def write(self, data):
                first = not self.tell()
                collection.add(["meanwhile"])
                if first:
                    collection.delete("d40")
                return super().write(data)

        target = SlowFile()
        collection.export_documents(target)
    (tmp_path / "all.jsonl").write_bytes(target.getvalue())
    with vecsearch.open(tmp_path / "b.vec", model=ENCODER) as collection:
        collection.import_documents(tmp_path / "all.jsonl")
    assert read_everything(tmp_path / "b.vec") == before


def test_an_export_writes_over_nothing_unasked_and_makes_no_database(notes, tmp_path, shell):
    write_lines(tmp_path / "mine.jsonl", "mine")
    assert "--force" in get_error(shell("export", "mine.jsonl"))
    assert (tmp_path / "mine.jsonl").read_text() == "mine\n"
    assert json.loads(shell("export", "mine.jsonl", "--force", "--json").out)["documents"] == 4
    assert ".jsonl" in get_error(shell("export", "mine"), 2)
    assert "no collection named 'other'" in get_error(shell("export", "a.jsonl", "-c", "other"))
    assert "no database" in get_error(shell("export", "a.jsonl", "--db", "none"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".vecsearch", "mine.jsonl", "old"]


def test_an_export_of_a_damaged_collection_fails_and_is_not_written(notes, tmp_path):
    with closing(sqlite3.connect(notes / "vecsearch.db", isolation_level=None)) as raw:
        raw.execute("DELETE FROM vectors WHERE chunk_id = 2")
    with (
        vecsearch.open(notes, readonly=True) as collection,
        pytest.raises(vecsearch.DatabaseCorruptedError, match="lacks a whole vector"),
    ):
        collection.export_documents(tmp_path / "a.jsonl")
    assert not list(tmp_path.glob("a.jsonl*"))


# -- encoders


def test_an_import_with_vectors_loads_no_model(notes, tmp_path, shell):
    shell("export", "all.jsonl")
    code = (
        "import sys; from vecsearch.interfaces.cli import main as cli; sys.argv[0] = 'vecsearch'; status = cli.run()\n"
        "assert not {'torch', 'onnxruntime', 'sentence_transformers'} & set(sys.modules); sys.exit(status)"
    )
    for _ in range(2):  # into a new collection, then into one that is there
        command = [sys.executable, "-c", code, "import", "all.jsonl", "--db", "new.vec", "--on-conflict", "replace"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert read_everything(tmp_path / "new.vec") == read_everything(notes)


def test_files_are_recognised_by_the_index_of_the_new_database(notes, tmp_path, counting_encoder, suffix):
    """In the same place, and in another to which both have moved: nothing is encoded again."""
    with vecsearch.open(notes, readonly=True) as collection:
        collection.export_documents(tmp_path / f"all.{suffix}")
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(tmp_path / "old", tmp_path / "elsewhere" / "old")
    for parent in (tmp_path, tmp_path / "elsewhere"):
        with vecsearch.open(parent / "new.vec", model=counting_encoder) as collection:
            assert collection.import_documents(tmp_path / f"all.{suffix}").vectors_reused == 4
            assert collection.get("old/sea.txt")[0].source == (parent / "old" / "sea.txt").as_posix()
            assert {source.state.value for source in collection.list_sources()} == {"unfinished"}
            report = collection.index([parent / "old"])
            assert (report.added, report.unchanged, report.removed, report.failed) == (0, 2, 0, ())
            assert {source.state.value for source in collection.list_sources()} == {"indexed"}
            assert collection.count() == 4
    assert counting_encoder.documents == []


def test_texts_are_encoded_anew_where_another_encoder_made_the_vectors(notes, tmp_path, suffix):
    with vecsearch.open(notes) as collection:
        collection.add(["one two three " * 60], ids=["long"])
        collection.export_documents(tmp_path / f"all.{suffix}")
    with vecsearch.open(tmp_path / "new.vec", model=ENCODER) as collection:
        with pytest.warns(vecsearch.VecsearchWarning, match="all-MiniLM-L6-v2.*fake-0.*encoded again"):
            report = collection.import_documents(tmp_path / f"all.{suffix}")
        assert (report.added, report.vectors_reused, report.encoded) == (5, 0, 5)
        assert collection.search("a ring of ice and dust", mode="dense", limit=1)[0].similarity == pytest.approx(1, abs=0.002)
        assert len(collection.get("long")[0].chunks) > 4  # the window is smaller
        assert collection.get("old/sea.txt")[0].chunks[0].location == {"lines": [1, 1]}
        assert collection.index([tmp_path / "old"]).unchanged == 2
    assert is_sound(tmp_path / "new.vec")


def test_a_new_collection_becomes_what_the_exported_one_was(tmp_path, shell):
    with vecsearch.open(tmp_path / "a.vec", model=ENCODER, precision="float32", stemmer="de") as collection:
        collection.add(["ein Seil"], ids=["x"])
        collection.export_documents(tmp_path / "all.jsonl")
    assert shell("import", "all.jsonl", "-c", "ropes", "--db", "b.vec").status == 0
    (summary,) = maintenance.status(tmp_path / "b.vec")["collections"]
    assert [summary[key] for key in ("name", "model", "dimension", "precision", "stemmer")] == [
        "ropes", ENCODER.name, 32, "float32", "de",
    ]  # fmt: skip
    assert shell("import", "all.jsonl", "--stemmer", "en", "--db", "c.vec").status == 0
    assert maintenance.status(tmp_path / "c.vec")["collections"][0]["stemmer"] == "en"


# -- what is there already


def test_an_id_that_is_there_stops_all_unless_told_otherwise(tmp_path, shell):
    write_lines(tmp_path / "a.jsonl", {"id": "1", "text": "a rope"}, {"id": "2", "text": "a sail"})
    write_lines(tmp_path / "b.jsonl", {"id": "3", "text": "a mast"}, {"id": "2", "text": "another sail"})
    assert shell("import", "a.jsonl", "--db", "n.vec").status == 0
    message = get_error(shell("import", "b.jsonl", "--db", "n.vec"))
    assert "'2' is there already, so nothing was imported" in message
    with vecsearch.open(tmp_path / "n.vec") as collection:
        assert collection.count() == 2
        report = collection.import_documents(tmp_path / "b.jsonl", on_conflict="skip")
        assert (report.added, report.skipped, report.replaced) == (1, 1, 0)
        assert collection.get("2")[0].text == "a sail"
        report = collection.import_documents(tmp_path / "b.jsonl", on_conflict="replace")
        assert (report.added, report.skipped, report.replaced) == (0, 0, 2)
        assert collection.get("2")[0].text == "another sail"
        with pytest.raises(vecsearch.InputError, match="on_conflict must be one of"):
            collection.import_documents(tmp_path / "b.jsonl", on_conflict="perhaps")  # type: ignore[arg-type]
    assert is_sound(tmp_path / "n.vec")


def test_the_documents_of_a_file_stay_its_own(notes, tmp_path):
    changed_file = write_lines(tmp_path / "a.jsonl", {"id": "old/sea.txt", "text": "from elsewhere"})
    with vecsearch.open(notes) as collection:
        report = collection.import_documents(changed_file, on_conflict="replace")
        assert [failure.error for failure in report.failed] == [
            "line 1: the id 'old/sea.txt' is taken: it came from old/sea.txt, and now from a document added from code or a pipe; "
            "give one of them another id"
        ]
        assert collection.get("old/sea.txt")[0].text.startswith("the harbour")


def test_a_text_that_was_changed_in_an_export_is_encoded_anew_and_put_right_by_the_next_index(notes, tmp_path, counting_encoder):
    with vecsearch.open(notes, model=counting_encoder) as collection:
        collection.export_documents(tmp_path / "all.jsonl")
        changed_text = (tmp_path / "all.jsonl").read_text().replace("the harbour seals", "NARWHALS")
        (tmp_path / "all.jsonl").write_text(changed_text)
        report = collection.import_documents(tmp_path / "all.jsonl", on_conflict="replace")
        assert (report.replaced, report.vectors_reused, report.encoded, report.failed) == (4, 3, 1, ())
        assert counting_encoder.documents == ["NARWHALS rest on the sandbank"]
        assert collection.search("narwhals", mode="lexical")[0].id == "old/sea.txt"
        indexed = collection.index([tmp_path / "old"])
        assert (indexed.updated, indexed.unchanged) == (1, 1)
        assert collection.get("old/sea.txt")[0].text.startswith("the harbour")
    assert maintenance.check(notes) == []


def test_an_import_that_is_killed_goes_on_where_it_stopped(tmp_path):
    with vecsearch.open(tmp_path / "a.vec", model=ENCODER) as collection:
        collection.add([f"rope {n}" for n in range(300)], ids=[f"d{n}" for n in range(300)])
        collection.export_documents(tmp_path / "all.jsonl")
    code = (
        "import os, signal, sys, vecsearch; from tests.fakes import FakeEncoder; from vecsearch.indexing import batch_writer\n"
        "from vecsearch.stores.sqlite.write.writer import SQLiteWriter\n"
        "batch_writer.BATCH_PROVIDED_VECTORS, left, commit = 50, [3], SQLiteWriter.commit\n"
        "def commit_or_die(*args, **options):\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    commit(*args, **options)\n"
        "SQLiteWriter.commit = commit_or_die\n"
        "vecsearch.open(sys.argv[1], model=FakeEncoder()).import_documents(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "b.vec"), str(tmp_path / "all.jsonl")]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    with vecsearch.open(tmp_path / "b.vec", model=ENCODER) as collection:
        assert collection.count() == 100
        report = collection.import_documents(tmp_path / "all.jsonl", on_conflict="skip")
        assert (report.added, report.skipped) == (200, 100)
    assert read_everything(tmp_path / "b.vec") == read_everything(tmp_path / "a.vec")
    assert maintenance.check(tmp_path / "b.vec", model=ENCODER) == []


# -- what others write


def test_json_lines_of_others_are_read(tmp_path, shell):
    write_lines(
        tmp_path / "a.jsonl",
        {"_id": "beir", "text": "a rope", "title": "Rope", "metadata": {"k": 1}},
        {"id": "chroma", "document": "a sail", "metadata": None},
        {"id": 7, "content": "a mast", "lang": "en"},
        {"page_content": "a keel", "metadata": {"source": "x.pdf"}, "type": "Document"},
    )
    assert shell("import", "a.jsonl", "--db", "n.vec").status == 0
    with vecsearch.open(tmp_path / "n.vec", readonly=True) as collection:
        documents = {document.text: document for document in collection.get(where={})}
    assert (documents["a rope"].id, documents["a rope"].title, documents["a rope"].metadata) == ("beir", "Rope", {"k": 1})
    assert (documents["a sail"].id, documents["a sail"].metadata) == ("chroma", {})
    assert (documents["a mast"].id, documents["a mast"].metadata) == ("7", {"lang": "en"})
    assert documents["a keel"].metadata == {"source": "x.pdf", "type": "Document"}


def test_parquet_of_others_is_read(tmp_path, shell):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"id": 1, "content": "a rope", "metadata": {"k": 1}, "n": 2.5},
        {"id": 2, "content": None, "metadata": None, "n": None},
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    result = shell("import", "a.parquet", "--db", "n.vec", "--json")
    assert result.status == 1
    assert [failure["error"] for failure in json.loads(result.out)["failed"]] == [
        "row 2: document '2' has neither text nor a title"
    ]
    with vecsearch.open(tmp_path / "n.vec", readonly=True) as collection:
        assert [(document.id, document.text, document.metadata) for document in collection.get(where={})] == [
            ("1", "a rope", {"k": 1, "n": 2.5})
        ]


def test_bad_lines_are_named_and_good_ones_kept(tmp_path, shell):
    write_lines(
        tmp_path / "a.jsonl", {"id": "1", "text": "a rope"}, "", "{no JSON", "[1]", '{"id": "2", "text": 3}', '{"id": "3"}',
        '{"id": "1", "text": "again"}', '{"id": "4", "text": "x", "metadata": [1]}', '{"id": "5", "text": NaN}', "[" * 5_000,
        '{"id": {}, "text": "x"}', '{"id": "6", "text": "a\\u0000b"}', '{"id": "7", "text": "\\ud800"}',
        {"id": "8", "text": "a sail"},
    )  # fmt: skip
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b'{"id": "9", "text": "\xff"}\n')
    result = shell("import", "a.jsonl", "--db", "n.vec")
    assert result.status == 1
    assert result.out.startswith("2 added")
    errors = [
        line.removeprefix(f"failed: {tmp_path}/a.jsonl: ").removeprefix("failed: a.jsonl: ") for line in result.err.splitlines()
    ]
    assert [line.partition(":")[0] for line in errors] == [f"line {n}" for n in (*range(3, 14), 15)]
    assert "Traceback" not in result.err
    with vecsearch.open(tmp_path / "n.vec", readonly=True) as collection:
        assert [document.id for document in collection.list_documents()] == ["1", "8"]


PIECE = {"start": 0, "end": 6, "vector": [1.0, 0.0]}
GOOD = {"id": "x", "text": "a rope", "chunks": [PIECE]}
HOSTILE: dict[str, dict[str, Any]] = {
    "beyond the text": {"chunks": [{**PIECE, "end": 7}]},
    "before the text": {"chunks": [{**PIECE, "start": -1}]},
    "backwards": {"chunks": [{**PIECE, "start": 3, "end": 2}]},
    "no numbers": {"chunks": [{**PIECE, "start": "0"}]},
    "another length": {"chunks": [{**PIECE, "vector": [1.0]}]},
    "ragged": {"chunks": [PIECE, {**PIECE, "vector": [1.0]}]},
    "too long a vector": {"chunks": [{**PIECE, "vector": [3.0, 0.0]}]},
    "a zero vector": {"chunks": [{**PIECE, "vector": [0.0, 0.0]}]},
    "beyond all numbers": {"chunks": [{**PIECE, "vector": [1e400, 0.0]}]},
    "beyond half precision": {"chunks": [{**PIECE, "vector": [1e9, 0.0]}]},
    "words for a vector": {"chunks": [{**PIECE, "vector": ["a", "b"]}]},
    "a vector of objects": {"chunks": [{**PIECE, "vector": {"0": 1}}]},
    "no list": {"chunks": {"0": PIECE}},
    "a list of lists": {"chunks": [[0, 6]]},
    "a place that is none": {"chunks": [{**PIECE, "location": [1]}]},
    "a context that is none": {"chunks": [{**PIECE, "context": 7}]},
    "a source that is none": {"source": 7},
    "an empty source": {"source": " "},
    "a NUL in the source": {"source": "a\0b"},
    "a text that is none": {"text": 7},
    "metadata that are none": {"metadata": "x"},
}  # fmt: skip
HEADER = {"layout": 2, "model": "e", "fingerprint": "f", "dimension": 2, "precision": "float16", "stemmer": "en"}


def test_hostile_records_are_refused_one_by_one(tmp_path):
    bad_rows = [{**GOOD, "id": name, **fields} for name, fields in HOSTILE.items()]
    write_lines(tmp_path / "a.jsonl", {"vecsearch": HEADER}, *bad_rows, GOOD)
    with vecsearch.open(tmp_path / "n.vec") as collection:
        report = collection.import_documents(tmp_path / "a.jsonl")
        assert [failure.error.partition(":")[0] for failure in report.failed] == [f"line {n + 2}" for n in range(len(bad_rows))]
        assert [document.id for document in collection.list_documents()] == ["x"]
    assert is_sound(tmp_path / "n.vec")


@pytest.mark.parametrize(
    "change",
    [
        {"layout": LAYOUT + 1},
        {"layout": "x"},
        {"dimension": 0},
        {"dimension": True},
        {"precision": "float8"},
        {"stemmer": "xx"},
        {"model": 1},
    ],
    ids=str,
)
def test_a_header_that_is_none_is_refused_and_makes_nothing(change, tmp_path, shell):
    write_lines(tmp_path / "a.jsonl", {"vecsearch": {**HEADER, **change}}, GOOD)
    assert "cannot read" in get_error(shell("import", "a.jsonl", "--db", "n.vec"))
    assert list_files(tmp_path) == ["a.jsonl"]


def test_sources_stay_below_the_rule_of_paths(tmp_path):
    outside_file = (tmp_path.parent / "out.txt").as_posix()
    sources = {"a": "docs/../docs/a.txt", "b": (tmp_path / "b.txt").as_posix(), "c": outside_file, "d": "../d.txt"}
    records = [{**GOOD, "id": key, "source": path} for key, path in sources.items()]
    write_lines(tmp_path / "a.jsonl", {"vecsearch": HEADER}, *records)
    with vecsearch.open(tmp_path / "n.vec") as collection:
        assert collection.import_documents(tmp_path / "a.jsonl").vectors_reused == 4
    stored = {document["id"]: document["source"] for document in read_everything(tmp_path / "n.vec")[1]}
    assert stored == {"a": "docs/a.txt", "b": "b.txt", "c": outside_file, "d": (tmp_path.parent / "d.txt").as_posix()}


def test_what_holds_nothing_good_makes_no_database(tmp_path, shell):
    write_lines(tmp_path / "a.jsonl", "no JSON")
    assert get_error(shell("import", "a.jsonl", "--quiet", "--db", "n.vec")).startswith("a.jsonl: line 1: not valid JSON")
    assert list_files(tmp_path) == ["a.jsonl"]


def test_damaged_files_give_what_is_good_or_a_clear_error(notes, tmp_path, shell):
    pytest.importorskip("pyarrow")
    for suffix in FORMATS:
        shell("export", f"all.{suffix}", "--force")
        data = (tmp_path / f"all.{suffix}").read_bytes()
        for share in (0.0, 0.3, 0.9):
            (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
            result = shell("import", f"cut.{suffix}", "--db", f"{suffix}{share}.vec")
            assert "Traceback" not in result.err
            assert result.status == (0 if share == 0.0 and suffix != "parquet" else 1), (suffix, share, result)
    assert is_sound(notes)


def test_parquet_without_pyarrow_says_how_to_get_it(notes, tmp_path, shell, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for command in (("export", "b.parquet"), ("import", "a.parquet")):
        assert get_error(shell(*command)).endswith("pyarrow is not installed; pip install pyarrow")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".vecsearch", "a.parquet", "old"]


# -- other programs


@pytest.fixture
def chroma(tmp_path):
    return Path(shutil.copytree(FOREIGN / "chroma", tmp_path / "chroma"))


def read_import(folder):
    with vecsearch.open(folder, readonly=True) as collection:
        return {document.id: [document.text, document.metadata] for document in collection.get(where={})}


def test_a_chroma_folder_is_imported_whole(chroma, tmp_path, shell):
    before = (chroma / "chroma.sqlite3").read_bytes()
    result = shell("import", chroma, "--from", "birds", "--db", "birds.vec", "--json")
    assert result.status == 1
    birds = {key: document for key, document in EXPECTED["chroma"]["birds"].items() if document[0] is not None}
    assert read_import(tmp_path / "birds.vec") == birds
    (failure,) = json.loads(result.out)["failed"]
    assert failure["error"] == "'vector-only' of collection 'birds': it has no document, only a vector"
    assert shell("import", chroma / "chroma.sqlite3", "--from", "other-trees", "--db", "trees.vec").status == 0
    assert read_import(tmp_path / "trees.vec") == EXPECTED["chroma"]["other-trees"]
    result = shell("import", chroma, "--db", "all.vec")
    assert "the id 'bird-0' was given already" in result.err
    assert set(read_import(tmp_path / "all.vec")) == {*birds, "oak"}
    assert "there: birds, empty, other-trees" in get_error(shell("import", chroma, "--from", "none"))
    assert ((chroma / "chroma.sqlite3").read_bytes(), list_files(chroma)) == (before, ["chroma.sqlite3"])


@pytest.mark.parametrize(
    ("schema", "config", "metadata", "space"),
    [
        (None, None, None, "l2"), (None, "{}", "cosine", None), (None, "{}", "ip", "ip"),
        ("{}", '{"hnsw": {"space": "ip"}}', None, "ip"),
        (None, '{"hnsw_configuration": {"space": "cosine"}}', None, None), ("not JSON", None, "cosine", None),
        ('{"defaults": {"space": "l2"}, "keys": {"#embedding": {"config": {"space": "cosine"}}}}', None, None, None),
    ],
)  # fmt: skip
def test_another_space_than_the_cosine_is_told(chroma, tmp_path, recwarn, schema, config, metadata, space):
    with closing(sqlite3.connect(chroma / "chroma.sqlite3")) as database, database:
        database.execute("UPDATE collections SET schema_str = ?, config_json_str = ?", (schema, config))
        if metadata is not None:
            database.execute(
                "INSERT INTO collection_metadata (collection_id, key, str_value) SELECT id, 'hnsw:space', ? FROM collections",
                (metadata,),
            )
    with vecsearch.open(tmp_path / "n.vec") as collection:
        collection.import_documents(chroma, from_collection="other-trees")
    told = [str(warning.message) for warning in recwarn if issubclass(warning.category, vecsearch.VecsearchWarning)]
    assert [message.partition(",")[0] for message in told] == (
        [] if space is None else [f"Chroma compared the vectors of 'other-trees' by {space}"]
    )


def test_chroma_metadata_keep_their_types(chroma, tmp_path):
    with vecsearch.open(tmp_path / "n.vec") as collection:
        collection.import_documents(chroma, from_collection="birds")
        assert [hit.id for hit in collection.search("a bird of passage", where={"wild": True, "n": 4})] == ["bird-4"]
        assert collection.count({"weight": {"$gt": 7}}) == 2
        assert repr(collection.get("bird-0")[0].metadata["weight"]) == "0.0"
        assert collection.search("ibis at dusk", limit=1)[0].id == "ибис"


def test_changes_that_chroma_has_not_carried_out_are_told_of(chroma, tmp_path):
    with closing(sqlite3.connect(chroma / "chroma.sqlite3", isolation_level=None)) as raw:
        raw.execute("UPDATE max_seq_id SET seq_id = seq_id - 2")
    with vecsearch.open(tmp_path / "n.vec") as collection:
        report = collection.import_documents(chroma, from_collection="birds")
    assert any("still in Chroma's queue" in failure.error for failure in report.failed)


@pytest.mark.parametrize("form", ["folder", "file", "tar.gz", "zip"])
def test_a_txtai_index_is_imported_whole(form, tmp_path, shell):
    source = {"folder": FOREIGN / "txtai", "file": FOREIGN / "txtai" / "documents", "tar.gz": FOREIGN / "txtai.tar.gz"}.get(form)
    if form == "zip":
        source = tmp_path / "txtai.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.write(FOREIGN / "txtai" / "documents", "documents")
            archive.writestr("config", b"a pickle, perhaps")
    result = shell("import", source, "--db", "n.vec", "--json")
    expected = {
        key: [text, {**({"tags": tags} if tags else {}), **{name: value for name, value in data.items() if name != "text"}}]
        for key, (text, data, tags) in EXPECTED["txtai"].items()
        if text is not None
    }
    assert read_import(tmp_path / "n.vec") == expected
    assert {failure["error"].partition(":")[0] for failure in json.loads(result.out)["failed"]} == {"'nothing'", "'raw'"}
    assert list_files(FOREIGN / "txtai") == ["documents"]


def test_what_is_no_import_is_refused_with_what_to_do(notes, tmp_path, shell):
    maintenance.backup(notes, tmp_path / "a.backup")
    (tmp_path / "plain").mkdir()
    with closing(sqlite3.connect(tmp_path / "other.db")) as raw:
        raw.execute("CREATE TABLE t (a)")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "chroma.sqlite3").write_bytes(b"SQLite format 3\0" + b"x" * 5_000)
    with gzip.open(tmp_path / "no.tar.gz", "w") as file:
        file.write(b"no archive")
    with zipfile.ZipFile(tmp_path / "no.zip", "w") as archive:
        archive.writestr("x", "y")
    wrong_arguments = {
        "a.backup": "vecsearch restore", ".vecsearch": "vecsearch export", "plain": "vecsearch index", "none.jsonl": "no file",
        "other.db": "no document store of txtai", "bad": "cannot read", "no.tar.gz": "cannot read",
        "no.zip": "holds no 'documents'",
    }  # fmt: skip
    before = list_files(tmp_path)
    with expect_nothing_lost(notes):
        for name, message in wrong_arguments.items():
            for db in (notes, tmp_path / "made.vec"):
                assert message in get_error(shell("import", name, "--db", db)), name
    assert "leave --from out" in get_error(shell("import", write_lines(tmp_path / "a.jsonl", GOOD), "--from", "x"), 2)
    assert [name for name in list_files(tmp_path) if name not in before and not name.endswith(("-wal", "-shm"))] == ["a.jsonl"]
