"""A backup is complete whatever is written meanwhile, and a restore gives the old database or the new one, nothing between."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile
from contextlib import closing, contextmanager

import pytest

import vecsearch
from tests import maintenance
from tests.checks import expect_nothing_lost, get_error, is_sound, list_files, read_collection
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION
from vecsearch.stores.sqlite.backup import backup_file
from vecsearch.stores.sqlite.read.snapshot import SQLiteSnapshot

ENCODER = FakeEncoder()
GROUP = 40  # documents of one version


def put(folder, version, *, count=GROUP):
    """Make a collection whose documents all are of one version, with traces of deletes, updates and index files."""
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete_all()
        texts = [f"anchor {n} of the ship {version} {'knot ' * (n % 5)}" for n in range(count)]
        notes.add(texts, ids=[f"{version}{n}" for n in range(count)], metadatas=[{"version": version}] * count)
        notes.optimize()
        notes.add(["anchor afterwards"], ids=[f"{version}-tail"], metadatas=[{"version": version}])
        notes.delete([f"{version}0"])


def read_versions(collection):
    """Return the version of each kind of answer; one answer is of one version."""
    answers = [
        collection.search("anchor of the ship", mode="dense", limit=100),
        collection.search("anchor", mode="lexical", limit=100),
        collection.search("anchor of the ship", limit=100, where={"version": {"$exists": True}}),
        collection.list_documents(limit=100),
    ]
    versions = []
    for answer in answers:
        assert len({hit.id for hit in answer}) == GROUP
        (version,) = {hit.id[:3] for hit in answer}
        versions.append(version)
    return versions


def is_clean(folder):
    """Return whether the doctor finds nothing at all."""
    return maintenance.check(folder, model=ENCODER) == []


def read(folder):
    with vecsearch.open(folder, model=ENCODER, readonly=True) as collection:
        return read_versions(collection)


@pytest.fixture
def database_and_backup(tmp_path):
    """Make a database that holds the new version, and a backup of the old one that it held before."""
    put(tmp_path / "db", "old")
    maintenance.backup(tmp_path / "db", tmp_path / "old.backup")
    put(tmp_path / "db", "new")
    return tmp_path / "db", tmp_path / "old.backup"


# -- taking one


def test_a_backup_is_one_private_file_that_holds_every_collection(notes, tmp_path):
    with vecsearch.open(notes, collection="words", model=ENCODER) as words:
        words.add(["a rope"], ids=["rope"])
    result = maintenance.backup(notes, tmp_path / "a.backup")
    assert result["collections"] == [
        {"name": "default", "documents": 4, "chunks": 4},
        {"name": "words", "documents": 1, "chunks": 1},
    ]
    assert (tmp_path / "a.backup").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "a.backup") as archive:
        assert sorted(archive.namelist()) == ["manifest.json", DATABASE_FILE]
        assert json.loads(archive.read("manifest.json"))["bytes"] == archive.getinfo(DATABASE_FILE).file_size == result["bytes"]
    maintenance.restore(tmp_path / "a.backup", tmp_path / "beside")
    assert read_collection(tmp_path / "beside")[1] == read_collection(notes)[1]
    assert is_sound(tmp_path / "beside")
    assert maintenance.status(tmp_path / "beside")["collections"][0]["index"]["state"] == "current"
    with vecsearch.open(tmp_path / "beside", collection="words", model=ENCODER) as words:
        assert words.get("rope")[0].text == "a rope"
        words.add(["another rope"])


def test_files_are_recognised_after_both_have_moved_together(notes, tmp_path, counting_encoder):
    maintenance.backup(notes, tmp_path / "a.backup")
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "old", tmp_path / "moved" / "old")
    maintenance.restore(tmp_path / "a.backup", tmp_path / "moved" / "db")
    with vecsearch.open(tmp_path / "moved" / "db", model=counting_encoder) as collection:
        assert collection.index([tmp_path / "moved" / "old"]).unchanged == 2
    assert counting_encoder.documents == []


def test_a_backup_taken_while_others_write_holds_whole_writes(tmp_path):
    folder, stop_event = tmp_path / "db", threading.Event()
    with vecsearch.open(folder, model=ENCODER) as collection:
        collection.add(["a rope", "a sail", "a mast"])

    def write():
        with vecsearch.open(folder, model=ENCODER) as collection:
            while not stop_event.is_set():
                collection.add(["a rope", "a sail", "a mast"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(6):
            maintenance.backup(folder, tmp_path / f"{n}.backup")
    finally:
        stop_event.set()
        writer.join()
    counts = []
    for n in range(6):
        maintenance.restore(tmp_path / f"{n}.backup", tmp_path / f"db{n}")
        with vecsearch.open(tmp_path / f"db{n}", model=ENCODER, readonly=True) as collection:
            counts.append(collection.count())
        assert is_clean(tmp_path / f"db{n}")
    assert counts == sorted(counts)
    assert {count % 3 for count in counts} == {0}


def test_a_backup_writes_over_nothing_unasked_and_never_into_the_database(database_and_backup, tmp_path, shell):
    folder, file = database_and_backup
    before = file.read_bytes()
    assert "--force" in get_error(shell("backup", file, "--db", folder))
    assert file.read_bytes() == before
    assert shell("backup", file, "--db", folder, "--force").status == 0
    assert "inside the database" in get_error(shell("backup", folder / "a.backup", "--db", folder))
    assert "make it first" in get_error(shell("backup", tmp_path / "no" / "a.backup", "--db", folder))
    assert "is a folder" in get_error(shell("backup", tmp_path, "--db", folder))
    assert "no database" in get_error(shell("backup", tmp_path / "b.backup", "--db", tmp_path / "none"))
    assert list_files(tmp_path) == sorted(["old.backup", "db", *(f"db/{name}" for name in list_files(folder))])


def test_a_full_disk_is_named_and_leaves_nothing_behind(database_and_backup, tmp_path, monkeypatch):
    folder, _ = database_and_backup

    def raise_disk_full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", raise_disk_full)
    with pytest.raises(vecsearch.DiskFullError, match="No space left on device"):
        maintenance.backup(folder, tmp_path / "full.backup")
    assert not [name for name in list_files(tmp_path) if "full" in name]


# -- putting one back


def test_a_restore_needs_leave_to_take_the_place_of_a_database(database_and_backup, shell):
    folder, file = database_and_backup
    assert "--replace" in get_error(shell("restore", file, "--db", folder))
    assert set(read(folder)) == {"new"}
    result = shell("restore", file, "--db", folder, "--replace")
    assert result.status == 0
    assert result.out.startswith(f"restored 1 collection, {GROUP} documents")
    assert set(read(folder)) == {"old"}
    assert is_clean(folder)


def test_the_shell_says_it_in_json(database_and_backup, shell, tmp_path):
    folder, file = database_and_backup
    assert json.loads(shell("backup", "b.backup", "--db", folder, "--json").out)["file"] == (tmp_path / "b.backup").as_posix()
    report = json.loads(shell("restore", file, "--db", "new.vec", "--json").out)
    assert (report["db"], report["collections"][0]["documents"]) == ((tmp_path / "new.vec").as_posix(), GROUP)
    assert shell("restore", file).status == 0  # makes ./.vecsearch, as `index` does
    assert set(read(tmp_path / ".vecsearch")) == {"old"}


def test_what_was_open_before_goes_on_answering(database_and_backup):
    """Old until the restore is committed, new from then on: threads that only ask, and a snapshot that is held across it."""
    folder, file = database_and_backup
    stop_event, errors, seen_versions = threading.Event(), [], []
    with vecsearch.open(folder, model=ENCODER, readonly=True) as collection:

        def ask():
            try:
                while not stop_event.is_set():
                    seen_versions.extend(read_versions(collection))
            except BaseException as error:
                errors.append(error)

        assert set(read_versions(collection)) == {"new"}
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            with collection._store.open_snapshot(collection.name) as snapshot:
                assert isinstance(snapshot, SQLiteSnapshot)
                before = snapshot.list_document_ids()
                maintenance.restore(file, folder, replace=True)
                assert snapshot.list_document_ids() == before
                assert len(snapshot.view) == GROUP
        finally:
            stop_event.set()
            for thread in threads:
                thread.join()
        assert errors == []
        assert set(read_versions(collection)) == {"old"}
    assert "new" in seen_versions


def test_a_reader_in_another_process_goes_on_answering(database_and_backup):
    folder, file = database_and_backup
    code = (
        "import sys, vecsearch; from tests.stores.sqlite.test_backup import ENCODER, read_versions\n"
        "with vecsearch.open(sys.argv[1], model=ENCODER, readonly=True) as collection:\n"
        "    versions = read_versions(collection); print('ready', flush=True)\n"
        "    while versions[-1] != 'old': versions += read_versions(collection)\n"
        "    print(*versions)"
    )
    reader = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    with closing(reader.stdout), reader:
        assert reader.stdout.readline() == "ready\n"
        maintenance.restore(file, folder, replace=True)
        seen_versions = reader.stdout.read().split()
    assert reader.returncode == 0
    assert seen_versions == sorted(seen_versions)  # new, then old
    assert seen_versions[0] == "new"


def test_what_is_written_afterwards_is_right_for_readers_of_before(database_and_backup):
    """Ids of chunks and index files that the newer content had are not given again."""
    folder, file = database_and_backup
    with vecsearch.open(folder, model=ENCODER, readonly=True) as reader:
        read_versions(reader)
        old_numbers = read_numbers(folder)
        maintenance.restore(file, folder, replace=True)
        assert all(number >= old_numbers.get(name, 0) for name, number in read_numbers(folder).items())
        for n in range(3):
            with vecsearch.open(folder, model=ENCODER) as writer:
                writer.add([f"whale {n}"], ids=[f"w{n}"])
                writer.optimize(full=n == 1)
            assert [hit.id for hit in reader.search(f"whale {n}", limit=1)] == [f"w{n}"]
            with vecsearch.open(folder, model=ENCODER, readonly=True) as fresh:
                assert reader.search("anchor whale", limit=60) == fresh.search("anchor whale", limit=60)


def read_numbers(folder):
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        sequences = dict(database.execute("SELECT name, seq FROM sqlite_sequence"))
        marks = database.execute("SELECT max(data_version), max(index_version) FROM collections").fetchone()
    return sequences | dict(zip(("revision", "generation"), marks, strict=True))


def test_the_database_of_another_program_is_left_alone(database_and_backup, tmp_path):
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / DATABASE_FILE)) as raw:
        raw.execute("CREATE TABLE t (a)")
    before = (tmp_path / "other" / DATABASE_FILE).read_bytes()
    with pytest.raises(vecsearch.NotADatabaseError, match="another program"):
        maintenance.restore(database_and_backup[1], tmp_path / "other", replace=True)
    assert (tmp_path / "other" / DATABASE_FILE).read_bytes() == before


def test_a_damaged_database_is_replaced_and_kept_beside(database_and_backup):
    folder, file = database_and_backup
    with (folder / DATABASE_FILE).open("r+b") as database_file:
        database_file.write(b"no header any more")
    damaged = (folder / DATABASE_FILE).read_bytes()
    assert not is_sound(folder)
    maintenance.restore(file, folder, replace=True)
    assert is_clean(folder)
    assert set(read(folder)) == {"old"}
    assert (folder / "damaged.db").read_bytes() == damaged
    (folder / DATABASE_FILE).write_bytes(b"")
    maintenance.restore(file, folder, replace=True)
    assert set(read(folder)) == {"old"}


# -- what is no sound backup


def make_backup(file, content, **claims):
    """Make a backup by hand."""
    import hashlib

    manifest = {
        "layout": 1, "program": "0", "created_at": "2026-01-01T00:00:00+00:00", "format": SCHEMA_VERSION,
        "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "collections": [], **claims,
    }  # fmt: skip
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr(DATABASE_FILE, content)
        archive.writestr("../escaped.txt", "x")
        archive.writestr(str(file.with_name("escaped.txt")), "x")
    return file


def alter_database(database, place, *statements):
    """Return the content of a database after some statements."""
    shutil.copy(database, place)
    with closing(sqlite3.connect(place, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)
    return place.read_bytes()


@pytest.fixture
def plain(notes, tmp_path):
    """Extract the SQLite file of a sound backup."""
    maintenance.backup(notes, tmp_path / "sound.backup")
    with zipfile.ZipFile(tmp_path / "sound.backup") as archive:
        archive.extract(DATABASE_FILE, tmp_path / "plain")
    return tmp_path / "plain" / DATABASE_FILE


BAD = {
    "a larger one than announced": (
        lambda case: make_backup(case.file, case.content, bytes=len(case.content) - 1), "larger than",
    ),
    "a smaller one": (lambda case: make_backup(case.file, case.content[:-1], bytes=len(case.content)), "checksum"),
    "another checksum": (lambda case: make_backup(case.file, case.content, sha256="0" * 64), "checksum"),
    "a newer format": (lambda case: make_backup(case.file, case.content, format=99), "newer vecsearch: upgrade vecsearch"),
    "a newer layout": (lambda case: make_backup(case.file, case.content, layout=2), "upgrade vecsearch"),
    "a newer format inside": (lambda case: make_backup(case.file, case.sql("PRAGMA user_version = 99")), "format version 99"),
    "another program's": (lambda case: make_backup(case.file, case.sql("PRAGMA application_id = 1")), "another program"),
    "a trigger": (
        lambda case: make_backup(case.file, case.sql("CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM chunks; END")),
        "was not made by vecsearch",
    ),
    "a damaged page": (
        lambda case: make_backup(case.file, case.content[:8192] + b"\xff" * 8192 * 3 + case.content[8192 * 4 :]), "is damaged",
    ),
    "no SQLite file": (lambda case: make_backup(case.file, b"x" * 100_000), "is damaged"),
    "a manifest without sense": (lambda case: make_backup(case.file, case.content, bytes="many"), "manifest"),
    "a text file": (lambda case: case.file.write_text("no archive") and case.file, "no backup of vecsearch"),
    "another archive": (lambda case: make_zip(case.file), "no backup of vecsearch"),
    "no file": (lambda case: case.file, "no backup at"),
    "a folder": (lambda case: case.file.mkdir() or case.file, "cannot read"),
}  # fmt: skip


class BadBackupCase:
    def __init__(self, plain, tmp_path):
        self.plain, self.file, self.content = plain, tmp_path / "bad.backup", plain.read_bytes()
        self.place = tmp_path / "altered.db"

    def sql(self, *statements):
        return alter_database(self.plain, self.place, *statements)


def make_zip(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return file


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_backup_is_refused_before_anything_is_touched(kind, plain, notes, tmp_path):
    make, message = BAD[kind]
    file = make(BadBackupCase(plain, tmp_path))
    with expect_nothing_lost(notes):
        before = list_lasting_files(tmp_path)
        for place in (notes, tmp_path / "new.vec"):
            with pytest.raises(vecsearch.VecsearchError, match=message):
                maintenance.restore(file, place, replace=True)
        assert list_lasting_files(tmp_path) == before


def list_lasting_files(folder):
    """List the files, but for those that SQLite keeps while somebody has a database open."""
    return [name for name in list_files(folder) if not name.endswith(("-wal", "-shm"))]


def test_nothing_but_the_two_members_is_ever_taken_out(plain, tmp_path):
    file = make_backup(tmp_path / "more.backup", plain.read_bytes())
    maintenance.restore(file, tmp_path / "deep" / "db")
    assert not [name for name in list_files(tmp_path.parent) if name.endswith("escaped.txt")]


def test_a_flipped_byte_or_a_cut_end_never_gives_another_database(notes, plain, tmp_path):
    """What is restored is what was backed up, or an error."""
    content, chance, refusal_count = (tmp_path / "sound.backup").read_bytes(), random.Random(0), 0
    expected = read_collection(notes)
    for n in range(60):
        file, data = tmp_path / "damaged.backup", bytearray(content)
        if n % 3:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        else:
            del data[chance.randrange(len(data)) :]
        file.write_bytes(data)
        try:
            maintenance.restore(file, tmp_path / f"new{n}" / "db")
        except vecsearch.VecsearchError:
            refusal_count += 1
            assert not (tmp_path / f"new{n}" / "db").exists()
        else:
            shutil.move(tmp_path / f"new{n}" / "db", tmp_path / ".moved")
            assert read_collection(tmp_path / ".moved")[1] == expected[1]
            shutil.rmtree(tmp_path / ".moved")
    assert refusal_count > 50


# -- killed

CHILD = """
import os, signal, sys
from tests import maintenance
from vecsearch.core import atomic_files
from vecsearch.stores.sqlite.backup import backup_file
from vecsearch.stores.sqlite.vectors.faiss_segment import Segment
from vecsearch.stores.sqlite.write import compaction

point, left, (file, folder) = sys.argv[1], [int(sys.argv[2])], sys.argv[3:]

def dying(function):
    def wrapped(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return wrapped

class Copied(backup_file.sqlite3.Connection):
    def backup(self, target, *, pages, progress):
        return super().backup(target, pages=1, progress=dying(progress))

home, _, name = point.partition(".")
if home == "page":
    connect = backup_file.sqlite3.connect
    backup_file.sqlite3.connect = lambda *given, **named: connect(*given, **{"factory": Copied, **named})
else:
    home = {"backup_file": backup_file, "atomic_files": atomic_files, "compaction": compaction, "Segment": Segment}[home]
    setattr(home, name, dying(getattr(home, name)))
maintenance.restore(file, folder, replace=True)
"""
BEFORE = [
    ("atomic_files.create_private_file", 1), ("atomic_files.create_private_file", 2), ("backup_file._write_block", 1),
    ("backup_file._verify_copy", 1), ("backup_file.raise_counters", 1),
    ("backup_file._copy_in", 1), ("page.copied", 1), ("page.copied", 2), ("page.copied", 20),
]  # fmt: skip
AFTER = [
    ("backup_file._remove_copy", 1), ("backup_file.publish_all", 1), ("compaction.clear_leftovers", 1),
    ("compaction.publish_if_possible", 1), ("Segment.save", 1), ("atomic_files.sync", 1), ("atomic_files.sync_folder", 1),
]  # fmt: skip


@pytest.mark.parametrize(("point", "nth"), BEFORE + AFTER, ids=str)
def test_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(point, nth, database_and_backup):
    folder, file = database_and_backup
    result = subprocess.run([sys.executable, "-c", CHILD, point, str(nth), str(file), str(folder)], cwd=PROJECT, check=False)
    assert result.returncode == -signal.SIGKILL
    assert set(read(folder)) == ({"new"} if (point, nth) in BEFORE else {"old"})
    assert is_sound(folder)
    maintenance.restore(file, folder, replace=True)
    assert set(read(folder)) == {"old"}
    assert is_clean(folder)
    assert not (folder / "index" / "restoring.db").exists()


def test_a_restore_to_a_new_place_that_is_killed_makes_nothing(database_and_backup, tmp_path):
    _, file = database_and_backup
    code = CHILD.replace("replace=True", "replace=False")
    for point in ("backup_file._write_block", "backup_file.raise_counters", "backup_file._enable_wal"):
        result = subprocess.run(
            [sys.executable, "-c", code, point, "1", str(file), str(tmp_path / "db2")], cwd=PROJECT, check=False
        )
        assert result.returncode == -signal.SIGKILL
        assert not (tmp_path / "db2").exists()
    maintenance.restore(file, tmp_path / "db2")
    assert set(read(tmp_path / "db2")) == {"old"}


def test_a_backup_that_is_killed_leaves_the_one_before(database_and_backup, tmp_path):
    folder, file = database_and_backup
    code = CHILD.replace("maintenance.restore(file, folder, replace=True)", "maintenance.backup(folder, file, force=True)")
    before = file.read_bytes()
    for point in ("backup_file._write_archive", "backup_file._read_collections", "atomic_files.sync"):
        result = subprocess.run([sys.executable, "-c", code, point, "1", str(file), str(folder)], cwd=PROJECT, check=False)
        assert result.returncode == -signal.SIGKILL
        assert file.read_bytes() == before
    maintenance.backup(folder, file, force=True)
    assert list_files(tmp_path) == sorted(["old.backup", "db", *(f"db/{name}" for name in list_files(folder))])


def test_a_locked_database_is_named_and_left_alone(database_and_backup):
    folder, file = database_and_backup
    with hold_lock(folder), pytest.raises(vecsearch.DatabaseLockedError, match="is being written by"):
        backup_file.replace_damaged_database(folder, file, timeout=0.1)
    assert set(read(folder)) == {"new"}


@contextmanager
def hold_lock(folder):
    from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder

    with closing(DatabaseFolder(folder)) as database, database.hold_write_lock():
        yield
