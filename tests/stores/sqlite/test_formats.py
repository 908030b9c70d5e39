"""Formats of the database: an older one is upgraded by the first write and keeps all that it holds; others are refused.

Besides the formats that are kept, a throw-away one stands for the next: its migration changes a table and marks all that is
derived as absent.
"""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests import maintenance
from tests.checks import get_error, is_sound
from tests.conftest import PROJECT, CountingEncoder
from tests.formats.make import make
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.encoders import registry
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.write import upgrade

FORMATS = Path(__file__).parents[2] / "formats"
KEPT_IDS = [
    "brought",
    "kept/ü",
    "leap",
    "moon",
    *(f"notes/{name}" for name in ("greetings.txt", "knots.md", "seals.txt", "tide.py")),
]
KEPT_IDS += ["planet", "tail"]
NEXT = SCHEMA_VERSION + 1
NEXT_MIGRATION = f'''
from alembic import op

revision = "{NEXT:04}"
down_revision = "{SCHEMA_VERSION:04}"


def upgrade():
    for statement in (
        "ALTER TABLE documents ADD COLUMN rating INTEGER",
        "DROP TABLE metadata_index",
        """CREATE TABLE metadata_index (
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            key TEXT NOT NULL, kind INTEGER NOT NULL, value NOT NULL, document_id INTEGER NOT NULL,
            PRIMARY KEY (collection_id, key, kind, value, document_id)) WITHOUT ROWID""",
        "INSERT INTO rebuilds (collection_id, structure) SELECT id, 'metadata_index' FROM collections",
        "INSERT INTO rebuilds (collection_id, structure) SELECT id, 'text_index' FROM collections",
        "DELETE FROM segments",
        "DELETE FROM tombstones",
        "UPDATE collections SET indexed_up_to = 0, index_version = index_version + 1, data_version = data_version + 1",
    ):
        op.execute(statement)
'''


def use_next_format(scripts: Path, patch: Any) -> None:
    """Make this process a program of the next format, whose migrations lie in a folder of their own."""
    from vecsearch.stores.sqlite.backup import backup_file
    from vecsearch.stores.sqlite.engine import database_folder, migration
    from vecsearch.stores.sqlite.integrity import schema_checks

    if not scripts.exists():
        shutil.copytree(PROJECT / "migrations", scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / f"versions/{NEXT:04}_next.py").write_text(NEXT_MIGRATION)
    patch(migration, "_find_migrations_folder", lambda: scripts)
    for module in (migration, database_folder, backup_file, schema_checks):
        patch(module, "SCHEMA_VERSION", NEXT)
    patch(metadata_index, "READ_ROWS", 3)  # so that there are several batches
    patch(term_tables, "READ_ROWS", 3)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a database of this format, in the hands of a program of the next one."""
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path / "old")
    use_next_format(tmp_path / "scripts", monkeypatch.setattr)
    return tmp_path / "old/database"


def read_version(folder: Path) -> int:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_answers(folder: Path) -> None:
    """Check that all that the stored database holds is there, and found by meaning, by words and by metadata."""
    with vecsearch.open(folder) as collection:
        assert [document.id for document in collection.list_documents()] == KEPT_IDS
        assert collection.search("tie a rope to a rail", limit=1)[0].id == "notes/knots.md"
        assert [hit.id for hit in collection.search("東京", mode="lexical")] == ["notes/greetings.txt"]
        assert [document.id for document in collection.get(where={"seen.when": {"$gte": "2024-04-30"}})] == ["leap"]
        assert [document.id for document in collection.get(where={"tags": {"$contains": "run"}})] == ["leap"]
        assert [hit.id for hit in collection.search("sky", where={"year": 1959})] == ["moon"]
    assert is_sound(folder)


# -- older ones that can be upgraded


@pytest.mark.parametrize("version", range(SCHEMA_VERSION_MIN, SCHEMA_VERSION))
def test_what_is_kept_of_an_older_format_is_upgraded_by_the_first_write(tmp_path: Path, version: int) -> None:
    shutil.copytree(FORMATS / str(version), tmp_path / "old")
    folder = tmp_path / "old/database"
    with vecsearch.open(folder) as collection:
        collection.add(["written by the new program"], ids=["new"])
        assert [hit.id for hit in collection.search("program", mode="lexical")] == ["new"]
        collection.delete(["new"])
    assert read_version(folder) == SCHEMA_VERSION
    assert len(list(folder.glob("backup-*"))) == 1
    check_answers(folder)
    with vecsearch.connect(folder) as database:
        ids = {database.collection(name).id for name in database.collections()}
        assert len(ids) == (2 if version < 8 else 3)  # the third came with format 8
        assert all(re.fullmatch("[0-9a-f]{32}", str(key)) for key in ids)
    with vecsearch.open(folder) as collection, vecsearch.open(copy_format(tmp_path)) as current:
        for question in ("knots hitch", "rail", '"sand eels"', "est*", "naive"):
            hits, expected = (opened.search(question, mode="lexical") for opened in (collection, current))
            assert [hit.id for hit in hits] == [hit.id for hit in expected]
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected])


def copy_format(tmp_path: Path) -> Path:
    """Copy what is kept of this format."""
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path / "current")
    return tmp_path / "current/database"


def test_a_plain_open_upgrades_nothing_and_reading_names_the_command(old: Path) -> None:
    before = (old / DATABASE_FILE).read_bytes()
    with vecsearch.open(old) as collection:
        for read in (collection.count, lambda: collection.search("knots"), lambda: collection.get("leap")):
            with pytest.raises(vecsearch.SchemaVersionError, match=f"older format.*: vecsearch optimize --db {old}"):
                read()
    with pytest.raises(vecsearch.SchemaVersionError, match="vecsearch optimize --db"):
        vecsearch.open(old, readonly=True)
    with pytest.raises(vecsearch.SchemaVersionError, match="vecsearch optimize --db"):
        maintenance.status(old)
    assert (old / DATABASE_FILE).read_bytes() == before
    assert not list(old.glob("backup-*"))


def test_the_shell_tells_a_reader_the_command_and_the_command_upgrades(old: Path, shell: Any) -> None:
    assert f"vecsearch optimize --db {old}" in get_error(shell("search", "knots", "--db", old))
    assert shell("optimize", "--db", old).status == 0
    assert "A bowline makes a loop" in shell("search", "knots", "--db", old).out
    check_answers(old)


WRITES = {
    "add": lambda collection, folder: collection.add(["a text"], ids=["new"]),
    "add with vectors": lambda collection, folder: collection.add(["a text"], ids=["new"], vectors=[[1.0] + [0.0] * 383]),
    "update": lambda collection, folder: collection.update("leap", metadata={"lang": "en"}),
    "delete": lambda collection, folder: collection.delete(where={"year": 1}),
    "index": lambda collection, folder: collection.index([folder.parent / "notes"]),
    "optimize": lambda collection, folder: collection.optimize(),
    "upgrade": lambda collection, folder: upgrade_database(folder),
    "rename": lambda collection, folder: rename(folder),
}


def upgrade_database(folder: Path) -> None:
    with vecsearch.connect(folder) as database:
        assert database.upgrade()
        assert not database.upgrade()


def rename(folder: Path) -> None:
    with vecsearch.connect(folder) as database:
        database.rename_collection("exact", "other")


@pytest.mark.parametrize("write", WRITES)
def test_the_first_write_upgrades_after_a_backup_and_nothing_is_lost(old: Path, write: str) -> None:
    before = read_truth(old / DATABASE_FILE)
    counting_encoder = CountingEncoder(registry.load(None))
    with vecsearch.open(old, model=counting_encoder) as collection:
        WRITES[write](collection, old)
        assert [document.id for document in collection.list_documents() if document.id != "new"] == KEPT_IDS
        assert counting_encoder.documents == (["a text"] if write == "add" else [])
        if write.startswith("add"):
            collection.delete("new")
    (copy,) = old.glob("backup-of-format-*.db")
    assert copy.name == f"backup-of-format-{SCHEMA_VERSION}.db"
    assert read_truth(copy) == before
    assert read_version(old) == NEXT
    assert not list(old.glob("*.tmp"))
    check_answers(old)


def test_a_reader_that_was_open_is_told_and_then_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path / "old")
    folder = tmp_path / "old/database"
    with vecsearch.open(folder, readonly=True) as reader:
        assert reader.search("bowline", mode="lexical")[0].id == "notes/knots.md"
        use_next_format(tmp_path / "scripts", monkeypatch.setattr)
        with vecsearch.open(folder) as collection:
            collection.optimize()
        assert reader.search("bowline", mode="lexical")[0].id == "notes/knots.md"
        monkeypatch.undo()
        with pytest.raises(vecsearch.SchemaVersionError, match=f"format version {NEXT}.*upgrade vecsearch"):
            reader.search("bowline", mode="lexical")


def test_index_files_that_a_migration_forgot_are_written_again(old: Path) -> None:
    with vecsearch.open(old) as collection:
        collection.add(["a text"], ids=["new"])
        assert collection.search("tie a rope to a rail", limit=1)[0].id == "notes/knots.md"
    assert maintenance.status(old, collection="default")["collections"][0]["index"]["state"] in {"none", "current", "behind"}
    with vecsearch.open(old) as collection:
        collection.optimize()
    assert maintenance.status(old, collection="default")["collections"][0]["index"]["state"] == "current"


def test_a_migration_that_fails_leaves_what_was_there(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsearch.stores.sqlite.engine import migration

    def fail(connection: Any) -> None:
        connection.exec_driver_sql("DROP TABLE tombstones")
        raise ArithmeticError("no more")

    with monkeypatch.context() as patch, vecsearch.open(old) as collection:
        patch.setattr(migration, "migrate", fail)
        with pytest.raises(ArithmeticError, match="no more"):
            collection.optimize()
    assert read_version(old) == SCHEMA_VERSION
    with vecsearch.open(old) as collection:
        collection.optimize()
    check_answers(old)


# -- what is derived is rebuilt, batch by batch


def test_each_batch_is_committed_and_its_progress_reported(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[upgrade.RebuildProgress] = []
    monkeypatch.setattr(upgrade, "_LOGGER", Recorder(reports))
    with vecsearch.open(old) as collection:
        collection.optimize()
    of_default = [report for report in reports if report[:2] == ("metadata_index", "default")]
    counts = [report[2] for report in of_default]
    assert counts == sorted(counts)
    assert (counts[0], of_default[-1][2:]) == (3, (10, 10))
    assert {report[:2] for report in reports} == {
        (structure, name) for structure in ("metadata_index", "text_index") for name in ("default", "exact", "mixed")
    }


class Recorder:
    """A logger that keeps what is logged."""

    def __init__(self, reports: list[Any]) -> None:
        self._reports = reports

    def info(self, message: str, *values: Any) -> None:
        assert message % values
        self._reports.append(values)


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("batches", range(1, 9))
def test_a_rebuild_that_is_interrupted_is_gone_on_with_by_the_next_writer(
    old: Path, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[upgrade.RebuildProgress] = []

    def stop(progress: upgrade.RebuildProgress) -> None:
        reports.append(progress)
        if len(reports) == batches:
            raise StoppedError("by the test")

    with monkeypatch.context() as patch, vecsearch.open(old) as collection:
        patch.setattr(upgrade.rebuild_derived, "__kwdefaults__", {"report": stop})
        with pytest.raises(StoppedError, match="by the test"):
            collection.optimize()
    assert read_version(old) == -NEXT
    with pytest.raises(vecsearch.SchemaVersionError, match=r"interrupted; the next write upgrades it.*vecsearch optimize"):
        vecsearch.open(old, readonly=True)
    with vecsearch.open(old) as collection:
        with pytest.raises(vecsearch.SchemaVersionError, match="vecsearch optimize"):
            collection.search("knots")
        monkeypatch.setattr(upgrade.rebuild_derived, "__kwdefaults__", {"report": reports.append})
        collection.delete(where={"year": 1})
    steps = {(progress.collection, progress.structure, progress.done) for progress in reports}
    assert len(reports) - len(steps) <= 1  # nothing is rebuilt twice: at most the end of one structure is reported again
    assert [copy.name for copy in old.glob("backup-*")] == [f"backup-of-format-{SCHEMA_VERSION}.db"]
    check_answers(old)


KILLED = """
import os, signal, sys
from pathlib import Path
import vecsearch
from tests.stores.sqlite.test_formats import use_next_format
from vecsearch.core import atomic_files
from vecsearch.stores.sqlite.engine import migration
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.write import upgrade

folder, scripts, home, name, when = sys.argv[1:]
use_next_format(Path(scripts), setattr)
home = {"DatabaseFolder": DatabaseFolder, "migration": migration, "upgrade": upgrade, "atomic_files": atomic_files}[home]
real = getattr(home, name)

def wrapped(*args, **named):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(home, name, wrapped)
with vecsearch.open(folder) as collection:
    collection.optimize()
"""
POINTS = {
    "atomic_files sync before": SCHEMA_VERSION,
    "DatabaseFolder copy_to after": SCHEMA_VERSION,
    "migration migrate after": SCHEMA_VERSION,
    "upgrade rebuild_batch before": -NEXT,
    "upgrade rebuild_batch after": -NEXT,
}


@pytest.mark.parametrize("point", POINTS)
def test_an_upgrade_that_is_killed_is_done_by_the_next_writer(old: Path, point: str, tmp_path: Path) -> None:
    before = read_truth(old / DATABASE_FILE)
    arguments = [str(old), str(tmp_path / "scripts"), *point.split()]
    result = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert read_version(old) == POINTS[point]
    with vecsearch.open(old) as collection:
        collection.delete(where={"year": 1})
    assert read_truth(old / DATABASE_FILE) == before
    assert [copy.name for copy in old.glob("backup-*")] == [f"backup-of-format-{SCHEMA_VERSION}.db"]
    assert not list(old.glob("*.tmp"))
    check_answers(old)


def test_a_backup_of_an_older_format_is_upgraded_by_the_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path / "old")
    maintenance.backup(tmp_path / "old/database", tmp_path / "old.backup")
    use_next_format(tmp_path / "scripts", monkeypatch.setattr)
    maintenance.restore(tmp_path / "old.backup", tmp_path / "new.vec")
    check_answers(tmp_path / "new.vec")
    with pytest.raises(vecsearch.SchemaVersionError, match="vecsearch optimize"):
        maintenance.backup(tmp_path / "old/database", tmp_path / "other.backup")


def read_truth(file: Path) -> dict[str, list[Any]]:
    """Read what an upgrade has to keep, of a database of any format that is read."""
    with closing(sqlite3.connect(file)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(documents)")]
    origin = "vector_origin" if "vector_origin" in names else "provided_vectors"
    columns = {
        "collections": "id, name, role, model, fingerprint, dimension, precision, created_at, stemmer, metadata",
        "documents": f"id, collection_id, source_id, external_id, title, text, metadata, digest, indexed_at, {origin}",
        "sources": "*", "chunks": "*", "vectors": "*",
    }  # fmt: skip
    with closing(sqlite3.connect(file)) as connection:
        return {
            table: connection.execute(f"SELECT {names} FROM {table} ORDER BY 1").fetchall() for table, names in columns.items()
        }


# -- formats that are not read


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_formats_before_the_first_are_refused_by_their_name_with_the_way_out(tmp_path: Path, version: int, shell: Any) -> None:
    folder = tmp_path / "old.vec"
    shutil.copytree(FORMATS / "4/database", folder)
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = (folder / DATABASE_FILE).read_bytes()
    message = f"has format version {version}, which this vecsearch no longer reads; export it with the vecsearch that wrote it"
    for readonly in (True, False):
        with pytest.raises(vecsearch.SchemaVersionError, match=f"{message}.*vecsearch import FILE"):
            vecsearch.open(folder, readonly=readonly)
    with pytest.raises(vecsearch.SchemaVersionError, match=message):
        vecsearch.connect(folder)
    assert message in get_error(shell("optimize", "--db", folder))
    assert (folder / DATABASE_FILE).read_bytes() == before


def test_a_newer_format_is_refused(current_database: Path) -> None:
    with closing(sqlite3.connect(current_database / DATABASE_FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {NEXT}")
    with pytest.raises(
        vecsearch.SchemaVersionError, match=f"format version {NEXT}.*made by a newer vecsearch: upgrade vecsearch"
    ):
        vecsearch.open(current_database)


# -- this format


@pytest.fixture
def current_database(tmp_path: Path) -> Iterator[Path]:
    """Copy the stored database of this format."""
    shutil.copytree(FORMATS / str(SCHEMA_VERSION), tmp_path, dirs_exist_ok=True)
    yield tmp_path / "database"


def test_every_format_that_is_read_is_kept() -> None:
    kept_versions = {int(folder.name) for folder in FORMATS.iterdir() if folder.name.isdigit()}
    assert kept_versions == {4, *range(SCHEMA_VERSION_MIN, SCHEMA_VERSION + 1)}


def test_this_format_opens_unchanged(current_database: Path) -> None:
    before = (current_database / DATABASE_FILE).read_bytes()
    counting_encoder = CountingEncoder(registry.load(None))
    with vecsearch.open(current_database, model=counting_encoder) as collection:
        document = collection.get("kept/ü")[0]
        assert (document.title, document.text) == ("Vögel", "an albatross rests on the mast")
        assert document.metadata == {"big": 2**70, "n": 2, "ok": True}
        assert (current_database / DATABASE_FILE).read_bytes() == before
        assert collection.index([current_database.parent / "notes"]).unchanged == 6
    with vecsearch.open(current_database, collection="exact") as collection:
        assert collection.search("another collection", limit=1)[0].id == "other"
    with vecsearch.open(current_database, collection="mixed") as collection:
        assert [hit.payload for hit in collection.search("without", mode="lexical")] == [{"raw": [1]}]
        assert [hit.id for hit in collection.search(np.eye(384)[1])] == ["mute"]
        assert (collection.metadata, len(collection.id or "")) == ({"of": "the sea"}, 32)
    assert counting_encoder.documents == []
    assert not list(current_database.glob("backup-*"))
    check_answers(current_database)


def test_the_script_makes_what_is_kept(current_database: Path, tmp_path: Path) -> None:
    make(tmp_path / "again")
    assert read_schema(tmp_path / "again/database") == read_schema(current_database)
    with vecsearch.open(tmp_path / "again/database") as collection, vecsearch.open(current_database) as kept_collection:
        assert [document.text for document in collection.get(where={})] == [
            document.text for document in kept_collection.get(where={})
        ]


def read_schema(folder: Path) -> tuple[Any, ...]:
    """Read the tables with their columns, the indexes, and the version."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        table_rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        names = [name for (name,) in table_rows]
        tables = {
            name: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({name})"))
            for name in names
            if "fts" not in name
        }
        indexes = set(
            connection.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        )
        versions = connection.execute("PRAGMA user_version").fetchone(), *connection.execute("SELECT * FROM alembic_version")
    return tables, indexes, versions


# -- migrations


def test_migrations_import_nothing_of_the_package() -> None:
    for script in (PROJECT / "migrations").rglob("*.py"):
        lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line.startswith(("import ", "from "))]
        assert all(line.split()[1].partition(".")[0] in {"__future__", "alembic", "sqlalchemy"} for line in lines), script
