"""Symbolic links: whatever leads to a database and to a file, the file has one id, and `source` names a file that is there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE

ENCODER = FakeEncoder()
IDS = ["notes/a.md", "notes/deep/b.txt", "planet"]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder `disk` of files with links to it, and go there."""
    disk = tmp_path / "disk"
    (disk / "notes/deep").mkdir(parents=True)
    (disk / "notes/a.md").write_text("the harbour seals")
    (disk / "notes/deep/b.txt").write_text("a rope on the rail")
    (disk / "notes/deep/c.jsonl").write_text('{"id": "planet", "text": "a ring of ice"}\n')
    (tmp_path / "home").mkdir()
    links: dict[str, str | Path] = {
        "home/notes": disk / "notes", "home/db": disk / "db", "home/disk": disk, "home/deep": "notes/deep",
        "notes": "disk/notes", "disk/notes/deep/up": "..", "home/chain": "disk",
    }  # fmt: skip
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    return disk


def open_collection(folder: str | Path) -> vecsearch.Collection:
    return vecsearch.open(folder, model=ENCODER)


def check_sources(collection: vecsearch.Collection) -> None:
    assert sorted(document.id for document in collection.list_documents()) == IDS
    for document in collection.list_documents():
        assert document.source is not None
        assert Path(document.source).is_file()
    assert {Path(source.source).name for source in collection.list_sources()} == {"a.md", "b.txt", "c.jsonl"}


DATABASES = ["disk/db", "home/db", "home/disk/db", "home/disk/db/", "home/chain/db", "home/notes/../db", "./home/../disk/db"]
ROOTS = ["disk/notes", "home/notes", "notes", "home/disk/notes/", "home/chain/notes", "home/deep/..", "home/disk/notes/deep/up"]


def test_whatever_way_leads_to_the_database_and_to_the_files_each_has_one_id(disk: Path) -> None:
    for n, (folder, root) in enumerate(product(DATABASES, ROOTS)):
        with open_collection(folder) as collection:
            report = collection.index([root])
            assert (report.added, report.unchanged, report.failed) == ((0, 3, ()) if n else (3, 0, ())), (folder, root)
            if root == ROOTS[-1]:
                check_sources(collection)
    assert (disk / "db" / DATABASE_FILE).is_file()
    assert not (disk.parent / "db").exists()


@pytest.mark.parametrize("place", ["disk/notes/deep", "home/deep", "home/disk/notes/deep"])
def test_relative_paths_mean_the_same_from_a_folder_that_a_link_led_to(
    disk: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(place)
    with open_collection("../../db") as collection:
        collection.index([".."])
        assert collection.index(["b.txt", "../a.md", "c.jsonl", disk / "notes"]).unchanged == 3
        check_sources(collection)


@pytest.mark.parametrize("name", ["disk/notes/deep", "home/deep", "home/disk/notes/deep", "home/notes/deep"])
def test_documents_are_chosen_by_any_path_of_their_file(disk: Path, name: str) -> None:
    with open_collection("home/db") as collection:
        collection.index(["home/notes"])
        assert collection.delete(source=f"{name}/b.txt", dry_run=True) == ["notes/deep/b.txt"]
        assert sorted(collection.delete(source=name)) == IDS[1:]
        assert list(collection) == IDS[:1]


def test_a_link_to_a_file_is_that_file(disk: Path) -> None:
    (disk / "notes/link.md").symlink_to("a.md")
    Path("link.md").symlink_to("disk/notes/link.md")
    with open_collection("home/db") as collection:
        collection.index(["home/notes"])
        assert collection.index(["link.md", "disk/notes/link.md"]).unchanged == 1
        check_sources(collection)
        (disk / "notes/link.md").unlink()
        assert collection.index(["home/notes"]).removed == 0


def test_what_is_gone_is_removed_through_a_link_too(disk: Path) -> None:
    with open_collection("home/db") as collection:
        collection.index(["disk/notes"])
        (disk / "notes/a.md").unlink()
        assert collection.index(["home/notes"]).removed == 1
        assert sorted(collection) == IDS[1:]


def test_a_database_and_its_files_move_together(disk: Path) -> None:
    with open_collection("home/db") as collection:
        collection.index(["home/notes"])
    disk.rename("moved")
    with open_collection("moved/db") as collection:
        check_sources(collection)
        assert collection.index(["moved/notes"]).unchanged == 3


def test_the_shell_takes_any_way(disk: Path, shell: Callable[..., Any]) -> None:
    for folder, root in (("home/db", "home/notes"), ("home/disk/db/", "disk/notes"), ("home/notes/../db", "home/deep/..")):
        assert shell("index", root, "--db", folder, "--no-vectors").status == 0
    assert shell("ls", "--db", "disk/db").out.count("notes/") >= 2
    assert "a rope on the rail" in shell("get", "--db", "disk/db", "--source", "home/deep").out


# -- databases made before


def rename_sources(folder: Path, **names: str) -> None:
    """Store files by other paths, as they were before real ones were stored."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        for old, new in names.items():
            (path,) = connection.execute("SELECT path FROM sources WHERE path LIKE ?", [f"%/{old}.%"]).fetchone()
            connection.execute("UPDATE sources SET path = ? WHERE path = ?", [new, path])
            connection.execute("UPDATE documents SET external_id = ? WHERE external_id = ?", [new, path])
        connection.commit()


def test_a_database_that_was_filled_through_a_link_to_it_keeps_its_ids(disk: Path) -> None:
    shutil.move(disk / "notes", "files")  # relative to the folder that the link lies in
    with open_collection("disk/db") as collection:
        collection.index(["files"])
    rename_sources(disk / "db", a="files/a.md", b="files/deep/b.txt", c="files/deep/c.jsonl")
    Path("link").symlink_to("disk/db")
    with open_collection("link") as collection:
        for root in ("files", os.path.abspath("files")):
            assert collection.index([root]).unchanged == 3
        assert sorted(collection) == ["files/a.md", "files/deep/b.txt", "planet"]
        assert all(Path(source.source).is_file() for source in collection.list_sources())


def test_files_that_were_stored_by_the_path_of_a_link_are_not_there_twice(disk: Path) -> None:
    with open_collection("disk/db") as collection:
        collection.index(["disk/notes"])
    link = str(disk.parent / "notes")
    rename_sources(disk / "db", a=f"{link}/a.md", b=f"{link}/deep/b.txt", c=f"{link}/deep/c.jsonl")
    with open_collection("disk/db") as collection:
        assert sorted(collection.delete(source="notes/deep", dry_run=True)) == [f"{link}/deep/b.txt", "planet"]
        report = collection.index(["notes"])
        assert (report.failed, report.pending_vectors) == ((), 0)
        check_sources(collection)
        assert collection.index(["notes"]).unchanged == 3


def test_what_cannot_be_read_by_its_real_path_stays_as_it_was(disk: Path) -> None:
    with open_collection("disk/db") as collection:
        collection.index(["disk/notes"])
    link = str(disk.parent / "notes")
    rename_sources(disk / "db", c=f"{link}/deep/c.jsonl")
    (disk / "notes/deep/c.jsonl").write_bytes(b"{\xff")
    with open_collection("disk/db") as collection:
        assert collection.index(["notes"]).failed
        assert sorted(collection) == IDS
