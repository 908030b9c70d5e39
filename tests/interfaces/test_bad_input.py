"""Bad input is reported in one line and by the exit status, and nothing is lost or half written."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

import vecsearch
from tests.checks import UNIT, expect_nothing_lost, get_error, list_files
from tests.limits import can_be_powerless, can_mount, drop_privileges

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(0).randbytes(4000)
BROKEN_UTF_8 = b"the keel of the ship \xff\xfe\x80 and the mast, and more words in plain English after that"

needs_modes = pytest.mark.skipif(not can_be_powerless(), reason="this user reads every file, whatever its mode")
needs_mounts = pytest.mark.skipif(not can_mount(), reason="this user cannot mount a file system")


# -- paths and files


def test_an_unknown_path_is_named_and_nothing_is_made(shell, tmp_path):
    assert "nowhere.txt: no such file or folder" in get_error(shell("index", "-q", "nowhere.txt"))
    assert list_files(tmp_path) == []


def test_a_path_that_is_not_there_is_not_watched(shell, tmp_path):
    assert "nothing to watch: no file or folder named nowhere" in get_error(shell("watch", "nowhere"))
    assert list_files(tmp_path) == []


@pytest.mark.parametrize("command", ["doctor", "status", "optimize"])
def test_a_collection_that_is_not_there_is_named_by_what_looks_at_all_of_them(shell, notes, command):
    assert "no collection named 'nowhere' (existing: default)" in get_error(shell(command, "-c", "nowhere"))


def test_an_unknown_path_beside_a_good_one_costs_only_itself(shell, notes, tmp_path):
    (tmp_path / "new.txt").write_text("a brand new note")
    result = shell("index", "nowhere.txt", "new.txt", "--json")
    assert (result.status, result.err) == (1, "")
    report = json.loads(result.out)
    assert report["failed"] == [{"source": str(tmp_path / "nowhere.txt"), "error": "no such file or folder"}]
    assert (report["added"], report["documents"]) == (1, 5)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("picture.png", PNG, "binary"),
        ("picture", PNG, "binary"),
        ("picture.txt", PNG, "binary"),
        ("empty.txt", b"", "the file is empty"),
        ("blank.txt", b" \n\t\n", "no text in it"),
        ("broken.txt", BROKEN_UTF_8, "byte 21"),
        ("broken.md", b"# Keel\n\n" + BROKEN_UTF_8, "byte 29"),
        ("broken.jsonl", b'{"id": "1", "text"', "line 1: not valid JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_without_readable_text_that_is_named_outright_is_an_error(shell, tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    error = get_error(shell("index", "-q", name))
    assert name in error
    assert message in error
    assert list_files(tmp_path) == [name], "a database was made though there was nothing to put in"


def test_files_without_readable_text_leave_what_was_there(shell, notes, tmp_path):
    for name, data in (("picture.png", PNG), ("empty.txt", b""), ("broken.txt", BROKEN_UTF_8)):
        (tmp_path / name).write_bytes(data)
        with expect_nothing_lost(notes):
            assert name in get_error(shell("index", "-q", name))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1", "cp1252"])
def test_other_encodings_are_read_and_found(shell, tmp_path, encoding):
    (tmp_path / "menu.txt").write_bytes(
        "Crème brûlée, café noir et une forêt de sapins: le déjeuner est servi à midi.".encode(encoding)
    )
    assert shell("index", "menu.txt").status == 0
    for mode, query in (("lexical", "brûlée"), ("dense", "dessert in a restaurant")):
        answer = json.loads(shell("search", query, "--mode", mode, "--json").out)
        assert [hit["text"][:12] for hit in answer["hits"]] == ["Crème brûlée"]


@needs_modes
def test_an_unreadable_file_is_named_and_its_neighbour_is_kept(process, notes, tmp_path):
    secret = tmp_path / "old/secret.txt"
    secret.write_text("the secret")
    secret.chmod(0)
    with expect_nothing_lost(notes):
        assert "secret.txt: permission denied" in get_error(process("index", "-q", "old", preexec_fn=drop_privileges))
        assert "secret.txt: permission denied" in get_error(process("index", "-q", "old/secret.txt", preexec_fn=drop_privileges))


@needs_modes
def test_an_unreadable_file_alone_makes_no_database(process, tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    (tmp_path / "secret.txt").chmod(0)
    assert "secret.txt: permission denied" in get_error(process("index", "-q", "secret.txt", preexec_fn=drop_privileges))
    assert list_files(tmp_path) == ["secret.txt"]


# -- options and queries


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["search", ""], 2, "the query is empty"),
        (["search", "  ", "\n"], 2, "the query is empty"),
        (["similar", "--text", ""], 2, "the query is empty"),
        (["search", "seal", "-n", "0"], 2, "'-n' / '--limit': 0"),
        (["search", "seal", "-n", "ten"], 2, "'ten'"),
        (["ls", "--offset", "-1"], 2, "-1"),
        (["search", "seal", "--mode", "psychic"], 2, "'hybrid', 'dense', 'lexical'"),
        (["search", "seal", "--mode", "lexical", "--min-similarity", "0.5"], 2, "min_similarity"),
        (["search", "seal", "--min-similarity", "high"], 2, "'high'"),
        (["search", "seal", "--where", "nonsense"], 2, "'nonsense'"),
        (["search", "seal", "--where", "=en"], 2, "'=en'"),
        (["search", "seal", "--where", '{"lang": '], 2, "not valid JSON"),
        (["search", "seal", "--where", '{"lang": {"$like": "e%"}}'], 2, "unknown operator $like"),
        (["search", "seal", "--where", '{"$nor": []}'], 2, "unknown operator or key $nor"),
        (["search", "seal", "--where", '{"$and": []}'], 2, "$and"),
        (["search", "seal", "--where", "year>=[1]"], 2, "'year'"),
        (["delete", "--where", "nonsense"], 2, "'nonsense'"),
        (["delete", "--where", '{"lang": {}}'], 2, "'lang'"),
        (["search", "seal", "-c", "nowhere"], 1, "no collection named 'nowhere' (existing: default)"),
        (["similar", "--id", "leap", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["get", "leap", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["ls", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["status", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["delete", "leap", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["optimize", "-c", "nowhere"], 1, "no collection named 'nowhere'"),
        (["collections", "delete", "nowhere"], 1, "no collection named 'nowhere'"),
        (["collections", "rename", "nowhere", "there"], 1, "no collection named 'nowhere'"),
        (["collections", "rename", "default", ""], 1, "a collection name is"),
        (["collections", "rename", "default", "default"], 1, "already"),
        (["index", "old", "-c", ""], 1, "a collection name is"),
        (["index", "old", "-c", "a\nb"], 1, "a collection name is"),
        (["get", "nobody"], 1, "no document with id 'nobody'"),
        (["get", "leap", "nobody"], 1, "no document with id 'nobody'"),
        (["get"], 2, "Give one of"),
        (["similar", "--id", "nobody"], 1, "no document with id 'nobody'"),
        (["similar", "--id", "leap", "--text", "leap"], 2, "Give one of"),
        (["similar", "--file", "nowhere.txt"], 1, "nowhere.txt"),
        (["delete", "nobody"], 1, "no document with id 'nobody'"),
        (["delete", "leap", "nobody"], 1, "no document with id 'nobody'"),
        (["delete", "nobody", "--dry-run"], 1, "no document with id 'nobody'"),
        (["delete", "leap", "--where", "lang=en"], 2, "Give one of"),
        (["delete"], 2, "Give one of"),
        (["delete", "--source", "nowhere.txt"], 1, "nowhere.txt"),
        (["index", "-", "old"], 2, "cannot be mixed"),
        (["index", "-"], 1, "stdin is empty"),
        (["index", "--split", "lines"], 2, "go with its path"),
        (["index", "old", "--split", "words"], 2, "'lines'"),
        (["search"], 2, "QUERY"),
        (["serch", "seal"], 2, "'serch'"),
        (["search", "seal", "--colour"], 2, "--colour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_changes_nothing(shell, notes, arguments, status, message):
    with expect_nothing_lost(notes):
        assert message in get_error(shell(*arguments), status)


@pytest.mark.parametrize(
    "arguments", [["search", "x"], ["get", "x"], ["ls"], ["status"], ["delete", "x"], ["optimize"], ["doctor"]]
)
@pytest.mark.parametrize("db", [[], ["--db", "nowhere"]], ids=["found", "given"])
def test_only_index_makes_a_database(shell, tmp_path, arguments, db):
    assert "vecsearch index PATH" in get_error(shell(*arguments, *db))
    assert list_files(tmp_path) == []


def test_an_empty_pipe_makes_no_database(shell, tmp_path):
    assert "stdin is empty" in get_error(shell("index", "-", stdin=b" \n"))
    assert "not valid JSON" in get_error(shell("index", "-", "-q", stdin=b"{no json\n"))
    assert "binary" in get_error(shell("index", "-", "-q", stdin=PNG))
    assert list_files(tmp_path) == []


def test_as_many_answers_as_there_are_come_back_however_many_are_asked_for(shell, notes):
    result = shell("search", "seal", "-n", "1000000", "--json")
    assert result.status == 0
    assert sorted(hit["id"] for hit in json.loads(result.out)["hits"]) == ["bound", "leap", "old/sea.txt", "planet"]


def test_a_query_longer_than_the_window_is_answered_with_a_warning(shell, notes):
    result = shell("search", "harbour seal " * 400, "--json")
    assert result.status == 0
    assert json.loads(result.out)["hits"][0]["id"] == "old/sea.txt"
    assert result.err.startswith("Warning: the query has ")
    assert result.err.count("\n") == 1
    assert shell("search", "harbour seal " * 400, "-q").err == ""


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda notes: notes.add(["x"], on_conflict="merge"), "on_conflict must be one of error, skip, replace, got 'merge'"),
        (lambda notes: notes.search("x", mode="fuzzy"), "mode must be one of hybrid, dense, lexical, got 'fuzzy'"),
        (lambda notes: notes.index(["old"], split="words"), "split must be one of"),
        (lambda notes: notes.search("x", limit=0), "limit must be a whole number of at least 1, got 0"),
        (lambda notes: notes.search("x", limit=2.5), "got 2.5"),
        (lambda notes: notes.search("x", limit=True), "got True"),
        (lambda notes: notes.list_documents(limit=-1), "got -1"),
        (lambda notes: notes.list_documents(offset=-1), "got -1"),
        (lambda notes: notes.search(["x", ""]), "the query is empty"),
        (lambda notes: notes.search([]), "no query"),
        (lambda notes: notes.search(None), "a query"),
        (lambda notes: notes.search("\ud800"), "no valid Unicode"),
        (lambda notes: notes.search("x", where=["lang"]), "where must be a mapping"),
        (lambda notes: notes.search("x", where={"lang": {"$in": "en"}}), "$in"),
        (lambda notes: notes.search(UNIT[0], mode="lexical"), "lexical"),
        (lambda notes: notes.add("one text"), "a list of texts"),
        (lambda notes: notes.add(["x", "y"], ids=["1"]), "ids must be a list of 2"),
        (lambda notes: notes.add(["x"], ids=[7]), "got 7"),
        (lambda notes: notes.add(["x"], ids=[""]), "not empty"),
        (lambda notes: notes.add(["x", " "]), "neither text nor a title"),
        (lambda notes: notes.add(["x", None]), "must be a string"),
        (lambda notes: notes.add(["x", "a\0b"]), "NUL"),
        (lambda notes: notes.add(["x"], metadatas=[{"f": print}]), "JSON"),
        (lambda notes: notes.add(["x"], metadatas=[{"f": [float("nan")]}]), "JSON"),
        (lambda notes: notes.add(["x", "y"], ids=["new", "new"]), "'new' is given twice"),
        (lambda notes: notes.add(["x", "y"], ids=["new", "leap"]), "'leap' is there already"),
        (lambda notes: notes.add(["x"], ids=["planet"], on_conflict="replace"), "belongs to the file old/lines.jsonl"),
        (lambda notes: notes.update("nobody", metadata={}), "no document with id 'nobody'"),
        (lambda notes: notes.update("planet", text="x"), "belongs to the file"),
        (lambda notes: notes.update("leap", text=" "), "neither text nor a title"),
        (lambda notes: notes.get(["leap", "nobody"]), "no document with id 'nobody'"),
        (lambda notes: notes.delete(["leap", "nobody"]), "no document with id 'nobody'"),
        (lambda notes: notes.delete(), "exactly one"),
        (lambda notes: notes.delete(["leap"], where={"lang": "en"}), "exactly one"),
        (lambda notes: notes.similar(), "exactly one"),
        (lambda notes: vecsearch.open("new.vec", precision="int8"),  # type: ignore[arg-type]
         "precision must be one of float16, float32, got 'int8'"),
        (lambda notes: vecsearch.open("new.vec", collection=" "), "a collection name"),
    ],
)  # fmt: skip
def test_a_bad_argument_raises_an_input_error_that_names_it(notes, tmp_path, monkeypatch, ask, message):
    monkeypatch.chdir(tmp_path)
    with (
        expect_nothing_lost(notes),
        vecsearch.open(notes) as collection,
        pytest.raises(vecsearch.InputError, match=re.escape(message)),
    ):
        ask(collection)
    assert not Path("new.vec").exists()


# -- vectors


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (UNIT[0, :3], "have 384 dimensions, got 3"),
        (np.full(384, np.nan), "NaN or infinity"),
        (np.where(np.arange(384) == 5, np.inf, UNIT[0]), "NaN or infinity"),
        (np.full(384, 1e300), "NaN or infinity"),
        (np.zeros(384), "all zeros"),
    ],
    ids=["narrow", "nan", "infinite", "too large", "zero"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_vector_that_cannot_be_compared_is_refused_on_both_sides(notes, vector, message):
    with expect_nothing_lost(notes), vecsearch.open(notes) as collection:
        for ask in (
            lambda: collection.search(vector),
            lambda: collection.search([vector, vector]),
            lambda: collection.add(["bad"], vectors=[vector]),
            lambda: collection.add(["bad", "bad"], ids=["new", "leap"], vectors=[vector, vector], on_conflict="replace"),
        ):
            with pytest.raises(vecsearch.InputError, match=message):
                ask()


@pytest.mark.parametrize("rows", [UNIT[:1], UNIT[:3], UNIT[0], UNIT[:2, :0], [["a"], ["b"]], [[0.5], [0.5, 0.5]], 7, "vectors"])
def test_vectors_that_are_no_row_a_text_are_refused(notes, rows):
    with (
        expect_nothing_lost(notes),
        vecsearch.open(notes) as collection,
        pytest.raises(vecsearch.InputError, match="vectors must"),
    ):
        collection.add(["good", "bad"], vectors=rows)


def test_one_bad_row_keeps_out_its_good_neighbours(notes):
    with expect_nothing_lost(notes), vecsearch.open(notes) as collection, pytest.raises(vecsearch.InputError, match="all zeros"):
        collection.add(["good", "bad"], vectors=[UNIT[0], np.zeros(384)])


def test_texts_are_refused_by_a_collection_of_vectors_of_another_width(tmp_path):
    with vecsearch.open(tmp_path / "db") as collection:
        collection.add(["x", "y"], ids=["x", "y"], vectors=[[1, 0, 0], [0, 1, 0]])
        for ask in (collection.search, lambda text: collection.add([text]), lambda text: collection.update("x", text=text)):
            with pytest.raises(vecsearch.DimensionMismatchError, match="have 3 dimensions, got 384"):
                ask("a text")
        assert [hit.id for hit in collection.search([0, 2, 0])] == ["y", "x"]
        assert [document.text for document in collection.get(where={})] == ["x", "y"]


# -- ids


def test_an_id_that_a_pipe_gives_twice_fails_by_its_line_and_the_others_are_stored(shell, notes):
    lines = b'{"id": "a", "text": "first"}\n{"id": "a", "text": "second"}\n{"id": "b", "text": "third"}\n'
    result = shell("index", "-", "--json", stdin=lines)
    report = json.loads(result.out)
    assert result.status == 1
    assert [failure["error"] for failure in report["failed"]] == ["line 2: the id 'a' was given on line 1 already"]
    assert report["added"] == 2
    assert "first" in shell("get", "a").out


def test_broken_lines_fail_by_their_number_and_the_others_are_stored(shell, notes, tmp_path):
    lines = b'{"id": "a", "text": "first"}\nno json\n["b"]\n{"id": "c"}\n{"id": "d", "text": 4}\n\n{"id": "e", "text": "last"}\n'
    (tmp_path / "mixed.jsonl").write_bytes(lines)
    result = shell("index", "mixed.jsonl", "--json")
    report = json.loads(result.out)
    assert result.status == 1
    assert {failure["source"] for failure in report["failed"]} == {str(tmp_path / "mixed.jsonl")}
    errors = [failure["error"] for failure in report["failed"]]
    assert [error[:7] for error in errors] == ["line 2:", "line 3:", "line 5:", "documen"]
    assert (report["added"], report["documents"]) == (2, 6)
    result = shell("index", "mixed.jsonl")
    assert result.err.count("failed: ") == len(result.err.splitlines()) == 4


def test_half_a_surrogate_pair_costs_its_own_line_only(shell, notes, tmp_path):
    lines = (r'{"id": "half", "text": "\ud800"}', r'{"id": "\udfff", "text": "x"}', '{"id": "whole", "text": "a boat"}')
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    for path in ("pairs.jsonl", "-"):
        result = shell("index", path, "--json", stdin="\n".join(lines).replace("whole", "piped").encode())
        assert result.status == 1
        assert [failure["error"].partition(" holds")[0] for failure in json.loads(result.out)["failed"]] == [
            "the text of 'half'",
            "id",
        ]
    with vecsearch.open(notes) as collection:
        assert [document.text for document in collection.get(["whole", "piped"])] == ["a boat", "a boat"]


def test_an_id_from_two_files_is_refused_by_the_names_of_both(shell, notes, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"id": "planet", "text": "a dwarf far out"}\n{"id": "leap", "text": "a year"}\n')
    with expect_nothing_lost(notes):
        result = shell("index", "-q", "other.jsonl")
        assert result.status == 1
        first, second = result.err.splitlines()
        assert "'planet'" in first
        assert "old/lines.jsonl" in first
        assert "from other.jsonl" in first
        assert "'leap' is taken: it came from a document added from code or a pipe, and now from other.jsonl" in second


def test_an_id_from_two_new_files_of_one_run_goes_to_the_first(shell, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(f'{{"id": "1", "text": "from {name}"}}\n')
    error = get_error(shell("index", "-q", "."))
    assert "a.jsonl" in error
    assert "b.jsonl" in error
    assert "from a.jsonl" in shell("get", "1").out


def test_a_pipe_does_not_take_a_files_document(shell, notes):
    with expect_nothing_lost(notes):
        assert "old/lines.jsonl" in get_error(shell("index", "-", "-q", stdin=b'{"id": "planet", "text": "mine"}'))
