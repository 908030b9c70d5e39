"""Roots keep their options, and what was deleted or skipped is remembered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import vecsearch
from tests.conftest import CommandResult
from tests.fakes import RecordingEncoder
from vecsearch.core.roots import RootOptions
from vecsearch.core.types import Split
from vecsearch.interfaces.cli.progress_bar import ProgressLines
from vecsearch.interfaces.cli.progress_rate import Rate, format_seconds

Shell = Callable[..., CommandResult]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "words.txt").write_text("bound\nleap\nhop\n")
    (folder / "a.md").write_text("# Knots\n\nA bowline does not slip.\n")
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return folder


def test_each_root_keeps_its_options(tmp_path: Path, notes: Path) -> None:
    encoder = RecordingEncoder()
    with vecsearch.open(tmp_path / "db", model=encoder) as collection:
        with pytest.raises(vecsearch.UsageError, match="name one: vecsearch index PATH"):
            collection.index()
        assert collection.index(notes, exclude=["*.log"]).chunks == 2
        report = collection.index(notes / "words.txt", split="lines")
        assert (report.updated, report.chunks, report.reread) == (1, 4, ((notes / "words.txt").as_posix(),))
        encoder.texts.clear()
        for paths in (None, notes, notes / "words.txt", [notes / "a.md"]):  # the inner root keeps its own, whatever is named
            report = collection.index(paths)
            assert (report.updated, report.chunks, report.reread) == (0, 4, ())
        assert encoder.texts == []
        (notes / "new.log").write_text("is excluded")
        (notes / "new.md").write_text("a new note")
        assert collection.index().added == 1
        inner, outer = sorted(collection.roots(), key=lambda root: root.path, reverse=True)
        assert inner.options == RootOptions(Split.LINES, exclude=("*.log",))
        assert (outer.path, outer.options) == (notes.as_posix(), RootOptions(exclude=("*.log",)))
        with pytest.raises(vecsearch.UsageError, match="go with its path"):
            collection.index(split="lines")
        collection.forget_root(notes / "words.txt")
        with pytest.raises(vecsearch.InputError, match="is no root"):
            collection.forget_root(notes / "words.txt")
        assert collection.index().chunks == 3  # a part of the folder again
        collection.reembed(RecordingEncoder(salt=1))
        assert [root.path for root in collection.roots()] == [notes.as_posix()]


def test_roots_move_with_their_database(tmp_path: Path, notes: Path) -> None:
    (tmp_path / "passwords").write_text("secret\n")
    with vecsearch.open(tmp_path / "db", model=RecordingEncoder()) as collection:
        collection.index(notes, split="lines", password_file=tmp_path / "passwords")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("notes", "db", "passwords"):
        shutil.move(tmp_path / name, moved / name)
    with vecsearch.open(moved / "db", model=RecordingEncoder()) as collection:
        (root,) = collection.roots()
        assert (root.path, root.options.password_file) == (str(moved / "notes"), str(moved / "passwords"))
        report = collection.index()
        assert (report.unchanged, report.added, report.removed, report.failed) == (2, 0, 0, ())
        (moved / "passwords").unlink()
        (failure,) = collection.index().failed
        assert "name another file" in failure.error


def test_a_deleted_document_comes_back_unless_it_is_kept_away(tmp_path: Path, notes: Path) -> None:
    with vecsearch.open(tmp_path / "db", model=RecordingEncoder()) as collection:
        collection.index(notes)
        assert collection.delete("notes/a.md").returning == ("notes/a.md",)
        assert collection.index().added == 1
        assert collection.delete("notes/a.md", ignore=True).returning == ()
        for paths in (None, notes, notes / "a.md"):
            report = collection.index(paths)
            assert report.added == 0
        assert "unignore notes/a.md" in report.skipped[0].reason
        assert [document.id for document in collection.list_ignored()] == ["notes/a.md"]
        with pytest.raises(vecsearch.DocumentNotFoundError, match="is not kept away"):
            collection.stop_ignoring("notes/b.md")
        assert collection.stop_ignoring("notes/a.md") == 1
        assert collection.index().added == 1
        (notes / "a.md").unlink()
        assert collection.delete("notes/a.md").returning == ()


def test_the_shell_tells_of_roots_skips_and_what_is_gone(tmp_path: Path, notes: Path, shell: Shell) -> None:
    assert shell("index").status == 2
    first = shell("index", "notes")
    assert "0 failed, 1 skipped" in first.out and ".vecsearch" in first.out and "photo.png" in first.err
    again = shell("index", "notes", "--split", "lines")
    assert "split lines (was tokens); its files are read again" in again.err and "photo.png" not in again.err
    assert [Path(file["source"]).name for file in json.loads(shell("ls", "--skipped", "--json").out)["sources"]] == ["photo.png"]
    assert json.loads(shell("ls", "--sources", "--json").out)["total"] == 2
    assert "the next `vecsearch index` brings it back" in shell("delete", "notes/a.md").err
    assert "1 added" in shell("index").out
    shell("delete", "notes/a.md", "--ignore")
    listed = json.loads(shell("roots", "--json").out)
    assert (listed["roots"][0]["split"], listed["roots"][0]["documents"], listed["ignored"][0]["id"]) == (
        "lines",
        1,
        "notes/a.md",
    )
    assert "split lines" in shell("roots").out and "kept away  notes/a.md" in shell("roots").out
    assert "brings it back" in shell("roots", "unignore", "notes/a.md").out
    (notes / "photo.png").unlink()
    assert "1 added" in shell("index").out
    assert json.loads(shell("ls", "--skipped", "--json").out)["total"] == 0
    assert "URLs are not read" in shell("index", "https://example.org/a.html").err
    shutil.rmtree(notes)
    gone = shell("index")
    assert (
        gone.status == 1
        and f"2 documents that came from it are kept; to remove them: vecsearch delete --source {notes}" in gone.err
    )
    removed = shell("delete", "--source", "notes")
    assert "deleted 2 documents" in removed.out and "no root any more" in removed.err
    assert json.loads(shell("roots", "--json").out)["roots"] == []


def test_the_rate_is_that_of_the_last_seconds_and_the_estimate_does_not_jump() -> None:
    rate = Rate()
    for second in range(100):
        rate.add(second, second)
    assert rate.get_rate(99) == pytest.approx(1)
    assert rate.estimate(99, 199) == pytest.approx(100)
    for second in range(100, 120):  # ten times as fast from now on
        rate.add(second, 99 + 10 * (second - 99))
    assert rate.get_rate(119) == pytest.approx(10)
    left = rate.estimate(119, 1299)
    assert left is not None and 80 <= left <= 90  # 20 seconds later; not 100 at once
    assert [format_seconds(number) for number in (40, 200, 7500)] == ["40 s", "3 min", "2 h 05 min"]


def test_a_line_every_ten_seconds_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = ProgressLines(unit="files", clock=lambda: now)
    lines.begin(1000)
    for number in range(1, 26):
        now = float(number)
        lines.advance(10, 30)
    lines.begin_vectors(750)
    printed = capsys.readouterr().err.splitlines()
    assert printed == [
        "indexing: 100 of 1,000 files · 300 chunks, 30/s · 90 s left".replace("90 s", "2 min"),
        "indexing: 200 of 1,000 files · 600 chunks, 30/s · 80 s left",
    ]
