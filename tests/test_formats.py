"""A database of every older format, made by the program of its day, is upgraded in place and keeps all that it holds."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

import vecsearch
from tests.checks import error_of, is_sound
from tests.conftest import CountingEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.encoding import registry
from vecsearch.encoding.identity import Arithmetic
from vecsearch.persistence.tables import SCHEMA_VERSION

FORMATS = Path(__file__).parent / "formats"
EVERYTHING = ["leap", "moon", "notes/knots.md", "notes/seals.txt", "planet", "tail"]


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def old(request, tmp_path):
    """A copy of a database of an older format, with the files that it was made from."""
    shutil.copytree(FORMATS / str(request.param), tmp_path, dirs_exist_ok=True)
    return tmp_path / "database"


def test_every_older_format_is_kept():
    assert sorted(int(each.name) for each in FORMATS.iterdir()) == list(range(1, SCHEMA_VERSION))


def test_a_reader_is_told_the_command_that_upgrades(old, shell):
    before = (old / DATABASE_FILE).read_bytes()
    said = error_of(shell("search", "knots", "--db", old))
    assert f"vecsearch optimize --db {old}" in said
    assert (old / DATABASE_FILE).read_bytes() == before
    assert shell("optimize", "--db", old).status == 0
    assert "A bowline makes a loop" in shell("search", "knots", "--db", old).out


def test_the_first_writer_upgrades_and_nothing_is_lost(old):
    with vecsearch.open(old) as collection:
        assert [each.id for each in collection.ls()] == EVERYTHING
        assert collection.search("tie a rope to a rail", limit=1)[0].id == "notes/knots.md"
        assert collection.search("bowline", mode="lexical")[0].text.startswith("# Knots")
        assert [hit.id for hit in collection.search("sky", where={"year": 1959})] == ["moon"]
        assert collection.count({"year": {"$exists": False}}) == 4
        assert collection.get("planet")[0].title == "Saturn"
        collection.delete("leap")
        assert [hit.id for hit in collection.search("fence", mode="lexical")] == []
    assert is_sound(old)


def test_lists_and_nested_values_are_looked_up_after_the_upgrade(tmp_path):
    shutil.copytree(FORMATS / "3", tmp_path, dirs_exist_ok=True)
    with vecsearch.open(tmp_path / "database") as collection:
        wheres = (
            {"tags": {"$contains": "run"}},
            {"seen.when": {"$gte": "2024-04-30"}},
            {"seen.by": "me"},
            {"seen": {"$exists": True}},
        )
        assert [[each.id for each in collection.get(where=where)] for where in wheres] == [["leap"]] * 4
        assert collection.count({"seen.by": None}) == 0


def test_the_upgrade_keeps_a_copy_of_what_was_there(old):
    def rows(file):
        connection = sqlite3.connect(file)
        tables = ("documents", "chunks", "vectors", "sources", "tombstones")
        found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        return connection.execute("PRAGMA user_version").fetchone()[0], found

    before = rows(old / DATABASE_FILE)
    vecsearch.open(old).close()
    (copy,) = old.glob("backup-of-format-*.db")
    assert rows(copy) == before
    assert rows(old / DATABASE_FILE)[0] == SCHEMA_VERSION
    assert not list(old.glob("*.tmp"))


def test_an_upgrade_that_fails_leaves_what_was_there(old, monkeypatch):
    from vecsearch.persistence import database

    def fail(connection):
        connection.exec_driver_sql("DROP TABLE tombstones")
        raise OSError("no more")

    monkeypatch.setattr(database, "migrate", fail)
    with pytest.raises(OSError, match="no more"):
        vecsearch.open(old)
    monkeypatch.undo()
    with vecsearch.open(old) as collection:
        assert collection.count() == len(EVERYTHING)


def test_files_are_read_again_by_newer_loaders_and_nothing_is_encoded_again(old):
    counting = CountingEncoder(registry.load(None, Arithmetic.FLOAT32))  # as those formats were made
    with vecsearch.open(old, encoder=counting) as collection:
        report = collection.index([old.parent / "notes"])
        assert (report.failed, report.added, report.removed) == ((), 0, 0)
        (hit,) = collection.search("clove hitch", limit=1)
        assert "lines" in hit.place
        assert collection.index([old.parent / "notes"]).updated == 0
    assert counting.documents == []
