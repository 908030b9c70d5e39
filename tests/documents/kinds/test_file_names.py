from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.source_paths import format_path, parse_path, to_absolute_path, to_stored_path
from vecsearch.documents.scan import scan

LATIN = b"caf\xe9"
SHOWN = r"caf\xe9"


@pytest.fixture
def docs(tmp_path):
    """Make a folder and a file whose names are Latin-1, and others beside them."""
    folder = os.fsencode(tmp_path) + b"/docs/" + LATIN
    os.makedirs(folder)  # noqa: PTH103
    for name in (b"m\xfcll.txt", "müll.txt".encode(), rb"m\xfcll.txt", b"plain.txt"):
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"words of " + name.replace(b"\\", b"backslash ").replace(b"\xfc", b"latin "))
    return tmp_path / "docs"


NAMES = [r"docs/caf\xe9/m\x5cxfcll.txt", r"docs/caf\xe9/müll.txt", r"docs/caf\xe9/m\xfcll.txt", r"docs/caf\xe9/plain.txt"]


@given(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, ord("/")}))
def test_every_name_has_one_form_and_gets_its_bytes_back(name):
    path = os.fsdecode(name)
    shown = format_path(path)
    assert os.fsencode(parse_path(shown)) == name
    shown.encode()
    assert shown == path or b"\\" in name or not _is_utf8(name)


@given(st.lists(st.text("\\x5cefé9a", max_size=8), min_size=2, max_size=2, unique=True))
def test_two_names_are_never_shown_alike(names):
    assert format_path(names[0]) != format_path(names[1])


def _is_utf8(name):
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_stored_path_leads_back_to_its_file(docs):
    stored = [to_stored_path(docs.parent, file.path) for file in scan([docs]).files]
    assert sorted(stored) == sorted(NAMES)
    assert all(to_absolute_path(docs.parent, name).is_file() for name in stored)


def test_what_is_skipped_or_fails_is_shown(docs):
    os.mkfifo(os.fsencode(docs) + b"/p\xefpe")
    (docs / os.fsdecode(b"gone\xff")).symlink_to("nowhere")
    result = scan([docs])
    assert [skip.source for skip in result.skipped] == [rf"{docs}/p\xefpe"]
    assert [failure.source for failure in result.failed] == [rf"{docs}/gone\xff"]


def test_an_ignore_file_names_files_by_their_bytes(docs):
    (docs / ".gitignore").write_bytes(b"m\xfcll.*\n" + LATIN + b"/plain.txt\n")
    left = [os.fsencode(file.path.name) for file in scan([docs]).files]
    assert sorted(left) == [rb"m\xfcll.txt", "müll.txt".encode()]
    subprocess.run(["git", "init", "-q", docs], check=True)
    names = [LATIN + b"/" + os.fsencode(entry.name) for entry in os.scandir(docs / os.fsdecode(LATIN))]
    ignored = subprocess.run(
        ["git", "-C", docs, "check-ignore", "--no-index", "--stdin", "-z"],
        input=b"\0".join(names),
        capture_output=True,
        check=False,
    ).stdout
    assert set(names) - set(ignored.split(b"\0")) == {LATIN + b"/" + name for name in left}


def test_a_collection_keeps_such_files_from_index_to_removal(docs, tmp_path):
    with vecsearch.open(tmp_path / "db", model=FakeEncoder()) as collection:
        report = collection.index(docs)
        assert (report.added, report.failed, report.skipped) == (4, (), ())
        assert sorted(summary.id for summary in collection.list_documents()) == sorted(NAMES)
        assert {summary.source for summary in collection.list_documents()} == {f"{tmp_path}/{name}" for name in NAMES}
        hit = collection.search("latin", limit=1)[0]
        assert (hit.id, hit.source) == (NAMES[2], f"{tmp_path}/{NAMES[2]}")
        assert collection.get([NAMES[2]])[0].text == "words of mlatin ll.txt"
        for source in (hit.source, os.fsdecode(os.fsencode(docs) + b"/" + LATIN + b"/m\xfcll.txt")):
            assert [found.id for found in collection.list_documents(source=source)] == [NAMES[2]]
        assert len(collection.list_documents(source=rf"{docs}/caf\xe9")) == 4
        assert len(collection.search("words", where={"$source": rf"{docs}/caf\xe9"})) == 4
        assert collection.index(docs).unchanged == 4
        Path(os.fsdecode(os.fsencode(docs) + b"/" + LATIN + b"/m\xfcll.txt")).unlink()
        assert collection.index(docs).removed == 1
        assert sorted(summary.id for summary in collection.list_documents()) == sorted([*NAMES[:2], NAMES[3]])


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_export_has_them_and_is_imported_again(docs, tmp_path, suffix):
    with vecsearch.open(tmp_path / "db", model=FakeEncoder()) as collection:
        collection.index(docs)
        collection.export_documents(tmp_path / f"all.{suffix}")
        before = {(summary.id, summary.source) for summary in collection.list_documents()}
    with vecsearch.open(tmp_path / "second", model=FakeEncoder()) as collection:
        assert collection.import_documents(tmp_path / f"all.{suffix}").added == 4
        assert {(summary.id, summary.source) for summary in collection.list_documents()} == before


def test_the_shell_shows_them_and_takes_what_it_shows(docs, shell):
    report = json.loads(shell("index", "docs", "--no-vectors", "--json").out)
    assert (report["added"], report["failed"]) == (4, [])
    listing = json.loads(shell("ls", "--json").out)["documents"]
    assert sorted(document["id"] for document in listing) == sorted(NAMES)
    for name in NAMES:
        assert name in shell("ls").out
        assert shell("get", name).out.startswith(f"{name}\n")
        assert json.loads(shell("ls", "--source", name, "--json").out)["documents"][0]["id"] == name
    by_bytes = os.fsdecode(b"docs/" + LATIN + b"/m\xfcll.txt")
    assert json.loads(shell("ls", "--source", by_bytes, "--json").out)["documents"][0]["id"] == NAMES[2]
    assert shell("index", docs / os.fsdecode(LATIN), "--dry-run", "--no-vectors").status == 0
    assert json.loads(shell("index", rf"docs/{SHOWN}/m\xfcll.txt", "--no-vectors", "--json").out)["unchanged"] == 1
    assert shell("delete", "--source", NAMES[2]).status == 0
    assert len(json.loads(shell("ls", "--json").out)["documents"]) == 3
