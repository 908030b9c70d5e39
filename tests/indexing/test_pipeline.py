"""`index` and `watch` from the shell: which files are taken, what a run would do, what failed, and what it costs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import vecsearch
from tests import maintenance
from tests.conftest import CommandResult, CountingEncoder
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import ComputePrecision

Shell = Callable[..., CommandResult]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name, text in (("a.txt", "a keel"), ("b.md", "# Mast\n\nIt carries the sails."), ("inner/c.txt", "a rudder")):
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    return tmp_path / "docs"


def list_ids(folder: Path) -> list[str]:
    with vecsearch.open(folder / DATABASE_FOLDER, readonly=True) as collection:
        return [document.id for document in collection.list_documents(limit=1000)]


def index_counted(folder: Path, counting_encoder: CountingEncoder, *paths: Path) -> vecsearch.IndexReport:
    counting_encoder.documents.clear()
    with vecsearch.open(folder / DATABASE_FOLDER, model=counting_encoder) as collection:
        return collection.index(paths)


# -- which files


def test_include_and_exclude_choose_among_the_files_of_a_folder(docs: Path, shell: Shell) -> None:
    assert shell("index", "docs", "--include", "*.txt").status == 0
    assert list_ids(docs.parent) == ["docs/a.txt", "docs/inner/c.txt"]
    shell("index", "docs", "--exclude", "inner/", "-c", "other")
    assert json.loads(shell("ls", "-c", "other", "--json").out)["total"] == 2
    assert shell("index", "docs", "--include", "*.md").status == 0  # what it leaves out is not removed
    assert len(list_ids(docs.parent)) == 3


def test_what_an_ignore_file_names_from_now_on_is_removed(docs: Path, shell: Shell) -> None:
    shell("index", "docs")
    (docs / ".vecsearchignore").write_text("inner/\n")
    report = json.loads(shell("index", "docs", "--json").out)
    assert (report["removed"], report["failed"]) == (1, [])
    assert [skip["source"] for skip in report["skipped"]] == [str(docs / "inner")]
    assert list_ids(docs.parent) == ["docs/a.txt", "docs/b.md"]
    (docs / ".vecsearchignore").unlink()
    assert json.loads(shell("index", "docs", "--json").out)["added"] == 1


def test_a_file_beyond_the_size_limit_is_passed_over_with_a_word(docs: Path, shell: Shell) -> None:
    (docs / "big.txt").write_text("a sail " * 1000)
    result = shell("index", "docs", "--max-size", "5kB", "--json")
    assert result.status == 0
    (skip,) = json.loads(result.out)["skipped"]
    assert "--max-size" in skip["reason"]
    assert shell("index", "docs/big.txt", "--max-size", "5kB").status == 1
    assert shell("index", "docs", "--max-size", "10kB").status == 0
    assert "docs/big.txt" in list_ids(docs.parent)
    assert "expected a size such as" in shell("index", "docs", "--max-size", "lots").err


def test_what_was_skipped_is_told_by_its_reasons(docs: Path, shell: Shell) -> None:
    for name in ("a.gz", "b.gz", "c.gz"):
        (docs / name).write_bytes(b"\x1f\x8b\0\0")
    (docs / "blank.txt").write_text("\n")
    lines = shell("index", "docs").err.splitlines()
    assert lines == [
        f"skipped: {docs / 'a.gz'} and 2 more: binary (gzip-compressed), not text",
        f"skipped: {docs / 'blank.txt'}: no text in it",
    ]


# -- what a run would do


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(docs: Path, shell: Shell) -> None:
    assert shell("index", "docs", "--dry-run").status == 0
    assert not (docs.parent / DATABASE_FOLDER).exists()
    shell("index", "docs")
    (docs / "a.txt").write_text("a keel of oak")
    (docs / "b.md").unlink()
    (docs / "new.txt").write_text("an anchor")
    before = sorted((path, path.read_bytes()) for path in (docs.parent / DATABASE_FOLDER).rglob("*.db"))
    report = json.loads(shell("index", "docs", "--dry-run", "--json").out)
    assert (report["added"], report["updated"], report["unchanged"], report["removed"]) == (1, 1, 1, 1)
    assert sorted(map(tuple, report["planned"])) == [("add", "docs/new.txt"), ("remove", "docs/b.md"), ("update", "docs/a.txt")]
    assert sorted((path, path.read_bytes()) for path in (docs.parent / DATABASE_FOLDER).rglob("*.db")) == before
    assert "add     docs/new.txt" in shell("index", "docs", "--dry-run").out
    run_report = json.loads(shell("index", "docs", "--json").out)
    assert [run_report[key] for key in ("added", "updated", "unchanged", "removed")] == [1, 1, 1, 1]
    assert "planned" not in run_report


# -- what failed


@pytest.fixture
def with_failures(docs: Path, shell: Shell) -> Path:
    shell("index", "docs")
    (docs / "a.txt").write_bytes("täglich, wörtlich".encode() + b"\xff" + "ö".encode())
    (docs / "never.txt").write_bytes("täglich, wörtlich".encode() + b"\xff" + "ö".encode())
    assert shell("index", "docs").status == 1
    return docs


def test_ls_and_status_show_each_source_with_its_state_and_error(with_failures: Path, shell: Shell) -> None:
    listing = json.loads(shell("ls", "--sources", "--json").out)
    assert listing["total"] == 4
    sources = {Path(source["source"]).name: source for source in listing["sources"]}
    assert {name: (source["state"], source["documents"], source["chunks"]) for name, source in sources.items()} == {
        "a.txt": ("failed", 1, 1), "b.md": ("indexed", 1, 1), "c.txt": ("indexed", 1, 1), "never.txt": ("failed", 0, 0),
    }  # fmt: skip
    assert all(set(source) == {"source", "state", "documents", "chunks", "indexed_at", "error"} for source in listing["sources"])
    assert "broken UTF-8" in sources["never.txt"]["error"]
    output = shell("ls", "--failed").out
    assert "never.txt" in output and "broken UTF-8" in output and "b.md" not in output
    documents = {document["id"]: document for document in json.loads(shell("ls", "--json").out)["documents"]}
    assert documents["docs/a.txt"]["state"] == "failed"
    assert "broken UTF-8" in documents["docs/a.txt"]["error"]
    (collection,) = json.loads(shell("status", "--json").out)["collections"]
    assert collection["sources"] == {"indexed": 2, "failed": 2, "unfinished": 0, "skipped": 0}
    assert [Path(failure["source"]).name for failure in collection["failed"]] == ["a.txt", "never.txt"]
    assert "2 failed" in shell("status").out


def test_retry_failed_reads_those_files_alone(with_failures: Path, shell: Shell) -> None:
    report = json.loads(shell("index", "--retry-failed", "--json").out)
    assert [Path(failure["source"]).name for failure in report["failed"]] == ["a.txt", "never.txt"]
    (with_failures / "a.txt").write_text("a keel of oak")
    (with_failures / "never.txt").write_text("an anchor")
    (with_failures / "b.md").write_text("changed, but not failed")
    report = json.loads(shell("index", "--retry-failed", "docs/never.txt", "--json").out)
    assert (report["added"], report["updated"], report["failed"]) == (1, 0, [])
    report = json.loads(shell("index", "--retry-failed", "--json").out)
    assert (report["added"], report["updated"], report["failed"]) == (0, 1, [])
    assert json.loads(shell("ls", "--failed", "--json").out) == {"sources": [], "total": 0}
    assert json.loads(shell("index", "--json").out)["updated"] == 1  # that of the root


def test_a_failed_file_that_is_gone_is_forgotten(with_failures: Path, shell: Shell) -> None:
    (with_failures / "never.txt").unlink()
    (with_failures / "a.txt").write_text("a keel")
    assert shell("index", "docs").status == 0
    assert maintenance.check(with_failures.parent / DATABASE_FOLDER) == []


# -- what it costs


def test_a_renamed_file_or_folder_costs_no_encoding(docs: Path, counting_encoder: CountingEncoder) -> None:
    index_counted(docs.parent, counting_encoder, docs)
    before = [hit.similarity for hit in search(docs, "steering")]
    (docs / "a.txt").rename(docs / "z.txt")
    (docs / "inner").rename(docs / "outer")
    report = index_counted(docs.parent, counting_encoder, docs)
    assert (report.added, report.removed, report.unchanged) == (2, 2, 1)
    assert counting_encoder.documents == []
    assert list_ids(docs.parent) == ["docs/b.md", "docs/outer/c.txt", "docs/z.txt"]
    assert [hit.similarity for hit in search(docs, "steering")] == before
    assert maintenance.check(docs.parent / DATABASE_FOLDER) == []


def test_equal_files_are_stored_twice_and_encoded_once(docs: Path, counting_encoder: CountingEncoder) -> None:
    shutil.copy(docs / "a.txt", docs / "copy.txt")
    index_counted(docs.parent, counting_encoder, docs)
    assert sorted(counting_encoder.documents) == sorted({*counting_encoder.documents})
    shutil.copy(docs / "a.txt", docs / "later.txt")
    assert index_counted(docs.parent, counting_encoder, docs).added == 1
    assert counting_encoder.documents == []
    keels = [hit for hit in search(docs, "keel") if hit.text == "a keel"]
    assert {hit.id for hit in keels} == {"docs/a.txt", "docs/copy.txt", "docs/later.txt"}
    assert len({hit.score for hit in keels}) == 1


@pytest.mark.parametrize("by", [1, -1])
def test_contents_that_change_places_keep_their_own_vectors(docs: Path, counting_encoder: CountingEncoder, by: int) -> None:
    """Every line takes over the text of the next, or of the one before it, and batches end anywhere among them."""

    def write(shift: int) -> None:
        lines = [{"id": str(n), "text": f"entry {(n + shift) % 700} of the log"} for n in range(700)]
        (docs / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    write(0)
    index_counted(docs.parent, counting_encoder, docs)
    write(by)
    (docs / "first.jsonl").write_text("".join(json.dumps({"id": f"new {n}", "text": f"new {n}"}) + "\n" for n in range(50)))
    assert index_counted(docs.parent, counting_encoder, docs).updated == 700
    with vecsearch.open(docs.parent / DATABASE_FOLDER, model=counting_encoder) as collection:
        for n in range(0, 700, 7):
            text = f"entry {(n + by) % 700} of the log"
            (hit,) = collection.search(counting_encoder.encode_documents([text])[0], limit=1)
            assert (hit.id, hit.text) == (str(n), text)
            assert hit.similarity == pytest.approx(1, abs=1e-3)
    assert maintenance.check(docs.parent / DATABASE_FOLDER) == []


def test_a_vector_that_a_caller_made_up_is_not_given_to_a_file(docs: Path) -> None:
    # Provided vectors are taken to be of this precision.
    counting_encoder = CountingEncoder(registry.load(None, ComputePrecision.FLOAT32))
    with vecsearch.open(docs.parent / DATABASE_FOLDER) as collection:
        collection.add(["a keel"], ids=["mine"], vectors=[[1.0] * 384])
    index_counted(docs.parent, counting_encoder, docs)
    assert "a keel" in counting_encoder.documents


@pytest.mark.parametrize(("loses", "gains"), [("1.jsonl", "2.jsonl"), ("2.jsonl", "1.jsonl")])
def test_a_line_that_moves_to_another_file_moves_in_one_run(
    docs: Path, counting_encoder: CountingEncoder, loses: str, gains: str
) -> None:
    line, other, third = (f'{{"id": "{name}", "text": "a {name}"}}\n' for name in ("sail", "boom", "gaff"))
    (docs / loses).write_text(line + other)
    (docs / gains).write_text(third)
    index_counted(docs.parent, counting_encoder, docs)
    (docs / loses).write_text(other)
    (docs / gains).write_text(third + line)
    report = index_counted(docs.parent, counting_encoder, docs)
    assert report.failed == ()
    with vecsearch.open(docs.parent / DATABASE_FOLDER) as collection:
        assert collection.get("sail")[0].source == str(docs / gains)
        assert collection.count() == 6
        assert index_counted(docs.parent, counting_encoder, docs).unchanged == 6


def search(docs: Path, query: str) -> list[vecsearch.Hit]:
    with vecsearch.open(docs.parent / DATABASE_FOLDER, readonly=True) as collection:
        return collection.search(query, mode="dense", limit=100)


# -- places


def test_a_hit_says_where_it_stands_in_its_file(tmp_path: Path, shell: Shell) -> None:
    steps = [f"## Step {n}\n\n" + f"Turn the {n}th screw of the pump until it sits tight. " * 12 + "\n" for n in range(1, 9)]
    (tmp_path / "manual.md").write_text("# Manual\n\n" + "\n".join(steps))
    shell("index", "manual.md")
    (hit,) = json.loads(shell("search", "the 7th screw", "-n", "1", "--json").out)["hits"]
    assert hit["location"]["heading"] == ["Manual", "Step 7"]
    first, last = hit["location"]["lines"]
    lines = (tmp_path / "manual.md").read_text().split("\n")
    assert "\n".join(lines[first - 1 : last]).strip() == hit["text"].strip()
    assert first <= hit["snippet"]["line"] <= last
    assert f"manual.md:{hit['snippet']['line']} · Manual › Step 7\n" in shell("search", "the 7th screw", "-n", "1").out
    (document,) = json.loads(shell("get", "manual.md", "--json").out)["documents"]
    assert "".join(document["text"][chunk["start"] : chunk["end"]] for chunk in document["chunks"]) == document["text"]
    assert document["chunks"][hit["chunk_index"]]["location"] == hit["location"]


def test_what_stands_above_a_chunk_is_searched_with_it(tmp_path: Path, shell: Shell) -> None:
    rows = "\n".join(f"| {n} | {n * 7} |" for n in range(200))
    (tmp_path / "table.md").write_text(f"# Stock\n\n| article | quantity |\n| --- | --- |\n{rows}\n")
    shell("index", "table.md")
    hits = json.loads(shell("search", "quantity", "--mode", "lexical", "--chunks", "--json").out)["hits"]
    with vecsearch.open(tmp_path / DATABASE_FOLDER, readonly=True) as collection:
        assert len(hits) == len(collection.get("table.md")[0].chunks) > 2


# -- watching


@pytest.fixture
def watch_process(docs: Path):
    """Start `watch`."""
    command = [sys.executable, "-u", "-m", "vecsearch", "watch", "docs"]
    child = subprocess.Popen(command, cwd=docs.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stderr is not None
    patience = threading.Timer(240, child.kill)  # a line that never comes fails the test, and does not hang it
    patience.start()
    yield child
    patience.cancel()
    if child.poll() is None:
        child.kill()
    child.communicate()


def test_watch_keeps_up_with_changes_until_interrupted(docs: Path, watch_process: subprocess.Popen[str]) -> None:
    assert watch_process.stdout is not None and watch_process.stderr is not None

    def read_changes() -> str:
        assert watch_process.stdout is not None
        changes, totals = watch_process.stdout.readline(), watch_process.stdout.readline()
        assert totals.startswith("now ")
        return changes

    assert read_changes().startswith("3 added")
    assert "watching 1 path" in watch_process.stderr.readline()
    (docs / "new.txt").write_text("an anchor")
    assert "1 added, 0 updated" in read_changes()
    (docs / ".a.new").write_text("a keel of oak")
    (docs / ".a.new").replace(docs / "a.txt")
    assert read_changes().startswith("docs/a.txt: 0 added, 1 updated")
    (docs / "b.md").unlink()
    assert read_changes().startswith("docs/b.md: 0 added, 0 updated, 0 unchanged, 1 removed")
    assert list_ids(docs.parent) == ["docs/a.txt", "docs/inner/c.txt", "docs/new.txt"]
    with vecsearch.open(docs.parent / DATABASE_FOLDER, readonly=True) as collection:
        while collection.pending_vectors:  # they are made beside
            time.sleep(0.05)
        assert collection.search("an anchor", mode="dense", limit=1)[0].id == "docs/new.txt"
    watch_process.send_signal(signal.SIGINT)
    assert watch_process.wait(timeout=60) == 130
    assert watch_process.stderr.read().endswith("stopped watching; what was indexed stays, the same command watches again\n")


# -- metadata alone


def test_metadata_that_python_calls_equal_are_a_change(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    file, written = (
        tmp_path / "notes.jsonl",
        ["1", "true", "1.0", '"1"', "[1]", "[true]", '{"a": 0}', '{"a": false}', "0.0", "-0.0"],
    )
    for number, value in enumerate(written):
        file.write_text(f'{{"id": "x", "text": "the same", "metadata": {{"k": {value}}}}}\n')
        report = index_counted(tmp_path, counting_encoder, file)
        assert (report.added, report.updated) == ((1, 0) if number == 0 else (0, 1)), value
        assert len(counting_encoder.documents) == (number == 0)
        with vecsearch.open(tmp_path / DATABASE_FOLDER, readonly=True) as collection:
            assert json.dumps(collection.get(["x"])[0].metadata["k"]) == value
    assert index_counted(tmp_path, counting_encoder, file).updated == 0
