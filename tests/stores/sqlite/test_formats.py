"""A database of every older format, made by the program of its day, is upgraded in place and keeps all that it holds."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import vecsearch
from tests import maintenance
from tests.checks import error_of, is_sound
from tests.conftest import PROJECT, CountingEncoder
from tests.fakes import FakeEncoder
from tests.formats.make import make
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import ComputePrecision

FORMATS = Path(__file__).parents[2] / "formats"
EVERYTHING = ["leap", "moon", "notes/knots.md", "notes/seals.txt", "planet", "tail"]


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def old(request, tmp_path):
    """A copy of a database of an older format, with the files that it was made from."""
    shutil.copytree(FORMATS / str(request.param), tmp_path, dirs_exist_ok=True)
    return tmp_path / "database"


def test_every_format_is_kept_and_so_is_this_one_for_the_next():
    assert sorted(int(each.name) for each in FORMATS.iterdir() if each.name.isdigit()) == list(range(1, SCHEMA_VERSION + 1))


def test_a_reader_is_told_the_command_that_upgrades(old, shell):
    before = (old / DATABASE_FILE).read_bytes()
    said = error_of(shell("search", "knots", "--db", old))
    assert f"vecsearch optimize --db {old}" in said
    assert (old / DATABASE_FILE).read_bytes() == before
    assert shell("optimize", "--db", old).status == 0
    assert "A bowline makes a loop" in shell("search", "knots", "--db", old).out


def test_the_first_writer_upgrades_and_nothing_is_lost(old):
    with vecsearch.open(old) as collection:
        assert [each.id for each in collection.list_documents()] == EVERYTHING
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
    from vecsearch.stores.sqlite.engine import migration

    def fail(connection):
        connection.exec_driver_sql("DROP TABLE tombstones")
        raise OSError("no more")

    monkeypatch.setattr(migration, "migrate", fail)
    with pytest.raises(OSError, match="no more"):
        vecsearch.open(old)
    monkeypatch.undo()
    with vecsearch.open(old) as collection:
        assert collection.count() == len(EVERYTHING)


def test_files_are_read_again_by_newer_loaders_and_nothing_is_encoded_again(old):
    counting = CountingEncoder(registry.load(None, ComputePrecision.FLOAT32))  # as those formats were made
    with vecsearch.open(old, model=counting) as collection:
        report = collection.index([old.parent / "notes"])
        assert (report.failed, report.added, report.removed) == ((), 0, 0)
        (hit,) = collection.search("clove hitch", limit=1)
        assert "lines" in hit.location
        assert collection.index([old.parent / "notes"]).updated == 0
    assert counting.documents == []


# -- this format


@pytest.fixture
def now(tmp_path):
    """A copy of the database that is kept of this format."""
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path, dirs_exist_ok=True)
    return tmp_path / "database"


NOW = ["brought", "kept/ü", "leap", "moon", *(f"notes/{name}" for name in ("greetings.txt", "knots.md", "seals.txt", "tide.py"))]


def test_this_format_opens_unchanged(now):
    before = (now / DATABASE_FILE).read_bytes()
    counting = CountingEncoder(registry.load(None))
    with vecsearch.open(now, model=counting) as collection:
        assert [each.id for each in collection.list_documents()] == [*NOW, "planet", "tail"]
        assert collection.search("tie a rope to a rail", limit=1)[0].id == "notes/knots.md"
        assert [hit.id for hit in collection.search("東京", mode="lexical")] == ["notes/greetings.txt"]
        kept = collection.get("kept/ü")[0]
        assert (kept.title, kept.text) == ("Vögel", "an albatross rests on the mast")
        assert kept.metadata == {"big": 2**70, "n": 2, "ok": True}
        assert [each.id for each in collection.get(where={"seen.when": {"$gte": "2024-04-30"}})] == ["leap"]
        assert (now / DATABASE_FILE).read_bytes() == before
        assert collection.index([now.parent / "notes"]).unchanged == 6
    with vecsearch.open(now, collection="exact") as collection:
        assert collection.search("another collection", limit=1)[0].id == "other"
    assert counting.documents == []
    assert not list(now.glob("backup-*"))
    assert is_sound(now)


def test_the_script_makes_what_is_kept(now, tmp_path):
    make(tmp_path / "again")
    assert columns(tmp_path / "again/database") == columns(now)
    with vecsearch.open(tmp_path / "again/database") as collection, vecsearch.open(now) as kept:
        assert [each.text for each in collection.get(where={})] == [each.text for each in kept.get(where={})]


# -- back to an older one


@contextmanager
def opened(folder):
    """The SQLite file; one that is kept is not touched, not even by a log beside it."""
    kept = "?mode=ro&immutable=1" if FORMATS in folder.parents else "?mode=rw"
    with closing(sqlite3.connect(f"{(folder / DATABASE_FILE).as_uri()}{kept}", uri=True)) as connection:
        yield connection


def columns(folder):
    """The tables with their columns, the indexes, and the version."""
    with opened(folder) as connection:
        return _columns(connection)


def _columns(connection):
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = [name for (name,) in found]
    tables = {
        name: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({name})")) for name in names if "fts" not in name
    }
    words = {name.rstrip("0123456789") for name in names if "fts" in name and name[-1].isdigit()}
    indexes = set(connection.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    versions = connection.execute("PRAGMA user_version").fetchone(), *connection.execute("SELECT * FROM alembic_version")
    return tables, words, indexes, versions


def truth(folder):
    """All that every format holds."""
    said = {
        "collections": "id, name, encoder, fingerprint, dimension, precision, created_at",
        "documents": "*", "vectors": "*", "chunks": 'id, collection_id, document_id, ordinal, start, "end"',
        "sources": "id, collection_id, path, digest, split, error, mounted, indexed_at",
    }  # fmt: skip
    with opened(folder) as connection:
        return {table: connection.execute(f"SELECT {names} FROM {table} ORDER BY 1").fetchall() for table, names in said.items()}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_copy_goes_back_to_an_older_format_with_all_that_it_holds(now, tmp_path, version):
    before = (now / DATABASE_FILE).read_bytes()
    maintenance.downgrade(now, version, to=tmp_path / "older")
    assert (now / DATABASE_FILE).read_bytes() == before
    assert columns(tmp_path / "older") == columns(FORMATS / str(version) / "database")
    assert truth(tmp_path / "older") == truth(now)
    assert sorted(each.name for each in (tmp_path / "older").iterdir()) == ["index", DATABASE_FILE]
    with opened(tmp_path / "older") as connection:
        assert connection.execute("SELECT covers, checksum, index_rows FROM collections").fetchall() == [(0, None, 0)] * 2
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        words = "terms_fts_1" if version == 3 else "chunks_fts_1"
        matching = f"SELECT rowid FROM {words} WHERE {words} MATCH ?"
        (albatross,) = connection.execute(
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = document_id WHERE d.external_id = 'kept/ü'"
        )
        assert connection.execute(matching, ["albatross"]).fetchall() == [albatross]
    with vecsearch.open(tmp_path / "older") as collection:  # and up again
        assert [each.id for each in collection.list_documents()] == [*NOW, "planet", "tail"]
        assert collection.search("rests on a sandbank", limit=1)[0].id == "notes/seals.txt"
        assert collection.count({"seen.by": "me"}) == 1
    assert is_sound(tmp_path / "older")


def test_what_is_half_made_stays_behind(tmp_path):
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(1)) as collection:
        collection.add(["one", "two"])
        with pytest.raises(vecsearch.InputError):
            collection.reembed(Broken(2))
    assert maintenance.status(tmp_path / "x.vec")["collections"][0]["reembedding"] is not None
    maintenance.downgrade(tmp_path / "x.vec", 3, to=tmp_path / "older")
    assert [row[1] for row in truth(tmp_path / "older")["collections"]] == ["default"]


class Broken(FakeEncoder):
    def encode_documents(self, texts):
        return super().encode_documents(texts) * float("nan")


def test_a_copy_is_never_put_over_something(now, tmp_path):
    for version, place in ((3, now), (3, tmp_path), (SCHEMA_VERSION, tmp_path / "new"), (0, tmp_path / "new")):
        with pytest.raises(vecsearch.InputError):
            maintenance.downgrade(now, version, to=place)
    assert not (tmp_path / "new").exists()


# -- an upgrade that is killed

KILLED = """
import os, signal, sys
import vecsearch
from vecsearch.persistence import facts, files, migrating
from vecsearch.stores.sqlite.engine.database_folder import Database

folder, home, name, when = sys.argv[1:]
home = {"Database": Database, "migrating": migrating, "facts": facts, "files": files}[home]
real = getattr(home, name)

def wrapped(*args, **named):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(home, name, wrapped)
vecsearch.open(folder)
"""
POINTS = ["files sync before", "Database copy_to after", "facts rebuild after", "migrating migrate after"]


@pytest.mark.parametrize("version", [1, SCHEMA_VERSION - 1])
@pytest.mark.parametrize("point", POINTS)
def test_an_upgrade_killed_half_way_is_done_by_the_next_writer(version, point, tmp_path):
    shutil.copytree(FORMATS / str(version), tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "database"
    before = truth(folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), *point.split()], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert columns(folder)[-1][0] == (version,)
    with vecsearch.open(folder) as collection:
        assert [each.id for each in collection.list_documents()] == EVERYTHING
        assert collection.search("tie a rope to a rail", limit=1)[0].id == "notes/knots.md"
    assert truth(folder) == before
    assert columns(folder) == columns(FORMATS / str(SCHEMA_VERSION) / "database")
    assert [each.name for each in folder.glob("backup-*")] == [f"backup-of-format-{version}.db"]
    assert not list(folder.glob("*.tmp"))
    assert is_sound(folder)
