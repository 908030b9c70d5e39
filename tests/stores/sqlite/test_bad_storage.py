"""Bad storage: not a database, not writable, full, locked, damaged. It is reported in one line, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

import vecsearch
from tests.checks import UNIT, expect_nothing_lost, get_error, list_files, read_collection
from tests.limits import can_be_powerless, can_mount, drop_privileges, limit_file_size
from vecsearch.core.settings import DATABASE_FILE, DATABASE_FOLDER, SCHEMA_VERSION
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.encoders import model_files
from vecsearch.stores.sqlite.engine import database_file, sqlite_errors

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(0).randbytes(4000)

needs_modes = pytest.mark.skipif(not can_be_powerless(), reason="this user reads every file, whatever its mode")
needs_mounts = pytest.mark.skipif(not can_mount(), reason="this user cannot mount a file system")


# -- what is no database, or not ours to touch


def write_sqlite(file, *statements):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


@pytest.mark.parametrize("arguments", [["search", "x"], ["ls"], ["status"], ["doctor"], ["delete", "x"], ["index", "new.txt"]])
def test_a_newer_format_is_left_alone(shell, notes, tmp_path, arguments):
    (tmp_path / "new.txt").write_text("new")
    before = read_collection(notes)
    write_sqlite(notes / DATABASE_FILE, "PRAGMA user_version = 999")
    error = get_error(shell(*arguments))
    assert "format version 999" in error
    assert "made by a newer vecsearch: upgrade vecsearch" in error
    write_sqlite(notes / DATABASE_FILE, f"PRAGMA user_version = {SCHEMA_VERSION}")
    assert read_collection(notes) == before


def make_folder_of_files(place):
    place.mkdir()
    (place / "letter.txt").write_text("dear all")


def make_plain_file(place):
    place.write_text("dear all")


def make_foreign_sqlite(place):
    place.mkdir()
    write_sqlite(place / DATABASE_FILE, "CREATE TABLE birds (name TEXT)", "INSERT INTO birds VALUES ('crane')")


def make_foreign_file(place):
    place.mkdir()
    (place / DATABASE_FILE).write_text("this is not the file you are looking for" * 100)


def empty_file(place):
    place.mkdir()
    (place / DATABASE_FILE).touch()


def read_contents(place):
    return {path: path.read_bytes() for path in [place, *place.rglob("*")] if path.is_file()}


@pytest.mark.parametrize(
    "make",
    [make_folder_of_files, make_plain_file, make_foreign_sqlite, make_foreign_file, empty_file],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("arguments", [["search", "x"], ["ls"], ["status"], ["doctor"], ["delete", "x"], ["index", "new.txt"]])
def test_what_is_no_database_is_said_to_be_none_and_stays_as_it_is(shell, tmp_path, make, arguments):
    (tmp_path / "new.txt").write_text("new")
    make(tmp_path / "place")
    before = read_contents(tmp_path)
    result = shell(*arguments, "--db", "place")
    if make is make_foreign_file:
        assert result.status == 1
        assert "damaged" in result.err + result.out
        assert "Traceback" not in result.err
    else:
        assert "place" in get_error(result)
    assert read_contents(tmp_path) == before


def test_a_database_is_not_its_own_document(shell, notes):
    with expect_nothing_lost(notes):
        assert "is a vecsearch database" in get_error(shell("index", "-q", DATABASE_FOLDER))


@needs_modes
def test_a_read_only_database_can_be_searched_and_is_not_written(process, notes, tmp_path):
    (tmp_path / "new.txt").write_text("new")
    with expect_nothing_lost(notes):
        for path in notes.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        notes.chmod(0o555)
        answer = process("search", "harbour", "--mode", "lexical", "--json", preexec_fn=drop_privileges)
        assert [hit["id"] for hit in json.loads(answer.out)["hits"]] == ["old/sea.txt"]
        assert answer.err == ""
        assert process("doctor", preexec_fn=drop_privileges).status == 0
        for arguments in (["index", "new.txt"], ["delete", "leap"], ["optimize"], ["collections", "delete", "default"]):
            assert "read-only" in get_error(process(*arguments, preexec_fn=drop_privileges))
        for path in (notes, *notes.rglob("*")):
            path.chmod(0o755)


@needs_modes
def test_a_file_that_may_not_be_written_is_named_with_what_to_do(process, notes):
    (notes / DATABASE_FILE).chmod(0o444)
    error = get_error(process("delete", "leap", preexec_fn=drop_privileges))
    assert (
        f"{notes / DATABASE_FILE} is read-only for this user: it can be searched, not written; let this user write there" in error
    )


READ_ONLY = """
import errno, os, subprocess, sys
import vecsearch
from vecsearch.stores.sqlite.engine import write_lock

place, outcome = sys.argv[1], {}
subprocess.run(["mount", "--bind", place, place], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
with vecsearch.open(f"{place}/.vecsearch") as notes:
    assert notes.search("harbour", mode="lexical")[0].id == "old/sea.txt"
    for write in (lambda: notes.add(["x"]), lambda: notes.delete("leap"), lambda: notes.index([f"{place}/old"]), notes.optimize,
                  lambda: vecsearch.open(f"{place}/new"), lambda: vecsearch.open(f"{place}/empty"),
                  lambda: notes.export_documents(f"{place}/out.jsonl"),
                  lambda: vecsearch.connect(f"{place}/.vecsearch", readonly=True).backup(f"{place}/backup")):
        try:
            write()
        except vecsearch.ReadOnlyError as error:
            print(error)
"""


@needs_mounts
@pytest.mark.parametrize("locked_before", [False, True])
def test_a_write_to_a_read_only_mount_says_so_with_the_path_and_what_to_do(notes, tmp_path, locked_before):
    (tmp_path / "empty").mkdir()
    (notes / "write.lock").unlink(missing_ok=True)
    if locked_before:
        (notes / "write.lock").touch()
    command = ["unshare", "-m", sys.executable, "-c", READ_ONLY, str(tmp_path)]
    result = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    *of_database, new, empty, export, backup = result.stdout.splitlines()
    assert len(of_database) == 4
    message = f"{notes} lies on a read-only file system: it can be searched, not written; mount that to be written, or copy"
    assert all(line.startswith(message) for line in of_database)
    assert new.startswith(f"{tmp_path} lies on a read-only file system: nothing was made there; mount that to be written")
    assert empty.startswith(f"{tmp_path / 'empty'} lies on a read-only file system: nothing was made there")
    assert f"no export was written at {tmp_path / 'out.jsonl'}: Read-only file system; let this user" in export
    assert f"no backup was written at {tmp_path / 'backup'}: Read-only file system; let this user" in backup


@pytest.mark.parametrize("number", [errno.EROFS, errno.EPERM, errno.EACCES])
@pytest.mark.parametrize("call", ["vecsearch.core.file_lock.LockFile", "vecsearch.stores.sqlite.engine.creation.mkdtemp"])
def test_what_the_system_says_of_a_write_that_is_not_allowed_is_a_read_only_error(notes, tmp_path, monkeypatch, number, call):
    with vecsearch.open(notes) as collection, expect_nothing_lost(notes):
        monkeypatch.setattr(call, fail_with(number))
        with pytest.raises(vecsearch.ReadOnlyError, match=r"is read-only for this user: .*let this user write there"):
            if "mkdtemp" in call:
                vecsearch.open(tmp_path / "new")
            else:
                collection.add(["x"])
        monkeypatch.undo()


@needs_modes
def test_a_place_where_nothing_may_be_made_is_named(process, tmp_path):
    (tmp_path / "shelf").mkdir(mode=0o555)
    (tmp_path / "new.txt").write_text("new")
    assert "shelf is read-only" in get_error(process("index", "new.txt", "--db", "shelf/db", preexec_fn=drop_privileges))
    assert list_files(tmp_path / "shelf") == []


@pytest.mark.parametrize(
    "write",
    [
        lambda notes: notes.add(["x"]),
        lambda notes: notes.add(["x"], vectors=UNIT[:1]),
        lambda notes: notes.index(["old"]),
        lambda notes: notes._index_json_lines(RawFile("stdin", ".jsonl", content=b'{"text": "x"}')),
        lambda notes: notes.update("leap", metadata={"lang": "fr"}),
        lambda notes: notes.delete(["leap"]),
        lambda notes: notes.optimize(),
    ],
    ids=["add", "vectors", "index", "lines", "update", "delete", "optimize"],
)
def test_what_was_opened_to_read_is_not_written(notes, tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    with expect_nothing_lost(notes), vecsearch.open(notes, readonly=True) as collection:
        with pytest.raises(vecsearch.ReadOnlyError, match="was opened read-only"):
            write(collection)
        assert collection.delete(["leap"], dry_run=True) == ["leap"]


def test_opening_to_read_makes_no_database(tmp_path):
    with pytest.raises(vecsearch.NotADatabaseError, match="no database at"):
        vecsearch.open(tmp_path / "nowhere", readonly=True)
    assert list_files(tmp_path) == []


# -- another writer

HOLD = """
import sys
from pathlib import Path
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
with DatabaseFolder(Path(sys.argv[1])).hold_write_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def run_other_writer(folder):
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == b"held\n"
            yield child
        finally:
            child.kill()


def test_who_writes_beside_another_process_is_told_its_number(notes):
    with vecsearch.open(notes, lock_timeout=0.2) as collection:
        with expect_nothing_lost(notes), run_other_writer(notes) as child:
            with pytest.raises(vecsearch.DatabaseLockedError, match=rf"process {child.pid} on .* waited 0.2 s"):
                collection.add(["x"])
            assert collection.search("harbour seal")[0].id == "old/sea.txt"
        assert len(collection.add(["a writer that was killed blocks nobody"])) == 1


# -- no room


@contextmanager
def limit_files(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit_file_size(size)()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def limit_pages(size, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            database_file, "_CONNECTION_PRAGMAS", (*database_file._CONNECTION_PRAGMAS, f"PRAGMA max_page_count = {size // 8192}")
        )
        yield


def make_long_text(words=60_000):
    names = random.Random(1)
    return " ".join(f"w{names.randrange(10**9)}" for _ in range(words))


@pytest.mark.parametrize("limit", ["size of files", "number of pages"])
def test_a_full_disk_loses_nothing_and_the_next_run_completes(shell, notes, tmp_path, monkeypatch, limit):
    (tmp_path / "big.jsonl").write_text(json.dumps({"id": "big", "text": "harbour", "notes": make_long_text()}))
    size = (notes / DATABASE_FILE).stat().st_size + 100_000
    with expect_nothing_lost(notes):
        with limit_files(size) if limit == "size of files" else limit_pages(size, monkeypatch):
            result = shell("index", "-q", "big.jsonl")
        assert "no room to write" in get_error(result)
        assert shell("doctor").status == 0
    assert shell("index", "big.jsonl").status == 0
    assert {hit.id for hit in read_collection(notes)[1]} == {"leap", "bound", "old/sea.txt", "planet", "big"}
    assert shell("doctor").status == 0


def test_a_limit_on_files_is_an_error_and_no_signal(process, notes, tmp_path):
    (tmp_path / "big.jsonl").write_text(json.dumps({"id": "big", "text": "harbour", "notes": make_long_text()}))
    size = (notes / DATABASE_FILE).stat().st_size + 100_000
    with expect_nothing_lost(notes):
        assert "no room to write" in get_error(process("index", "-q", "big.jsonl", preexec_fn=limit_file_size(size)))


def test_where_no_database_fits_none_is_left(shell, tmp_path):
    (tmp_path / "new.txt").write_text("new")
    with limit_files(10_000):
        result = shell("index", "new.txt")
    assert "no room to write" in get_error(result)
    assert list_files(tmp_path) == ["new.txt"]


def test_an_index_file_that_does_not_fit_costs_a_warning(shell, tmp_path, monkeypatch):
    with vecsearch.open(tmp_path / DATABASE_FOLDER, precision="float32") as collection:
        collection.add([f"number {n}" for n in range(900)], vectors=np.random.default_rng(0).normal(size=(900, 384)))
    full = tmp_path / DATABASE_FOLDER / "index"
    full.rmdir()
    full.write_text("in the way")
    (tmp_path / "new.txt").write_text("seals in the harbour")
    result = shell("index", "new.txt")
    assert result.status == 0
    assert result.err.startswith("Warning: no index file was written")
    assert "new.txt" in shell("search", "seals", "-n", "1").out


FULL_DISK = """
import subprocess, sys
import vecsearch
from tests import maintenance
from vecsearch.core.errors import DiskFullError

disk = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)
with vecsearch.open(f"{disk}/db") as notes:
    notes.add(["harbour seals", "banked turns"], ids=["seal", "turn"])
    added_ids = []
    try:
        for n in range(1000):
            added_ids += notes.add([f"number {n} " + "padding " * 20_000], ids=[f"n{n}"])
    except DiskFullError as error:
        print(error)
    assert 0 < len(added_ids) < 1000
    assert notes.count() == 2 + len(added_ids)
with vecsearch.open(f"{disk}/db", readonly=True) as notes:
    assert {hit.id for hit in notes.search("harbour seals", limit=10**6)} == {"seal", "turn", *added_ids}
assert maintenance.check(f"{disk}/db")[0].severity == "note", maintenance.check(f"{disk}/db")
subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
with vecsearch.open(f"{disk}/db") as notes:
    notes.add(["there is room again"], ids=["room"])
    notes.optimize()
    assert {hit.id for hit in notes.search("harbour seals", limit=10**6)} == {"seal", "turn", "room", *added_ids}
assert maintenance.check(f"{disk}/db") == []
"""


@needs_mounts
def test_a_disk_that_runs_full_keeps_what_was_acknowledged(tmp_path):
    (tmp_path / "disk").mkdir()
    result = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", FULL_DISK, tmp_path / "disk"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "no room to write" in result.stdout


# -- a disk that fails


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, vecsearch.StorageIOError), (errno.ENOTCONN, vecsearch.StorageIOError),
        (errno.ENOSPC, vecsearch.DiskFullError), (errno.EDQUOT, vecsearch.DiskFullError), (errno.EFBIG, vecsearch.DiskFullError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["fcntl.flock", "os.fsync"])
def test_only_a_lack_of_room_is_called_a_full_disk(notes, tmp_path, monkeypatch, number, expected, call):
    with vecsearch.open(notes) as collection, expect_nothing_lost(notes):
        monkeypatch.setattr(call, fail_with(number))
        with pytest.raises(expected, match=os.strerror(number)) as excinfo:
            if call == "os.fsync":
                collection.export_documents(tmp_path / "out.jsonl")
            else:
                collection.add(["x"])
        monkeypatch.undo()
        assert type(excinfo.value) is expected
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(("free", "expected"), [(1 << 30, vecsearch.StorageIOError), (0, vecsearch.DiskFullError)])
@pytest.mark.parametrize("name", ["SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"])
def test_a_write_that_sqlite_could_not_make_is_told_from_a_full_disk(notes, monkeypatch, name, free, expected):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, (1 << 40) - free, free))
    with pytest.raises(expected, match="disk I/O error") as excinfo, sqlite_errors.translate_errors(notes):
        raise error
    assert type(excinfo.value) is expected


def test_a_disk_that_cannot_be_read_is_said_to_fail(notes):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_READ"
    with pytest.raises(vecsearch.StorageIOError, match="could not read or write a file"), sqlite_errors.translate_errors(notes):
        raise error


# -- damage


def overwrite_first_bytes(file, size):
    overwrite(file, 0, 100)


def overwrite_middle(file, size):
    overwrite(file, size // 2, 65_536)


def overwrite_all_but_the_first_page(file, size):
    overwrite(file, 8192, size - 8192)


def cut_in_half(file, size):
    os.truncate(file, size // 2)


def cut_last_page(file, size):
    os.truncate(file, size - 8192)


def overwrite(file, start, count):
    with file.open("rb+") as handle:
        handle.seek(start)
        handle.write(random.Random(2).randbytes(count))


@pytest.mark.parametrize(
    "damage",
    [overwrite_first_bytes, overwrite_middle, overwrite_all_but_the_first_page, cut_in_half, cut_last_page],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_file_is_found_out_by_doctor_and_never_ends_in_a_traceback(shell, tmp_path, damage):
    folder = tmp_path / DATABASE_FOLDER
    with vecsearch.open(folder) as collection:
        rows = np.random.default_rng(0).normal(size=(500, 384))
        collection.add([f"harbour number {n} " + "with a long description " * 20 for n in range(500)], vectors=rows)
    damage(folder / DATABASE_FILE, (folder / DATABASE_FILE).stat().st_size)
    result = shell("doctor")
    assert result.status == 1
    assert "error  " in result.out
    assert result.err == ""
    (tmp_path / "new.txt").write_text("new")
    for arguments in (
        ["search", "harbour", "-n", "1000"],
        ["ls", "-n", "1000"],
        ["status"],
        ["get", "x"],
        ["index", "-q", "new.txt"],
        ["delete", "x"],
    ):
        result = shell(*arguments)
        if result.status:
            get_error(result)
        if damage in (overwrite_first_bytes, overwrite_all_but_the_first_page):
            assert "damaged" in get_error(result)


# -- encoders


def make_altered_model(folder):
    """Copy the default model's files with another prompt: another encoder."""
    model = model_files.find_model_folder(model_files.BUNDLED_MODEL)
    shutil.copytree(model, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    config = folder / "config_sentence_transformers.json"
    changed_config = {**json.loads(config.read_text()), "prompts": {"query": "question: "}}
    config.unlink()
    config.write_text(json.dumps(changed_config))
    return folder


def test_another_encoder_than_the_collections_is_refused_by_the_names_of_both(shell, notes, tmp_path):
    other = make_altered_model(tmp_path / "other-model")
    (tmp_path / "new.txt").write_text("new")
    with expect_nothing_lost(notes):
        error = get_error(shell("index", "new.txt", "--model", other))
        assert f"built with model all-MiniLM-L6-v2, not {other}" in error
        with pytest.raises(vecsearch.ModelMismatchError, match="built with model all-MiniLM-L6-v2"):
            vecsearch.open(notes, model=str(other))


@pytest.mark.parametrize("name", ["nobody/no-such-model", "./no-such-folder", "no such model"])
def test_an_encoder_that_is_not_to_be_had_is_named_and_nothing_is_made(shell, tmp_path, name):
    (tmp_path / "new.txt").write_text("new")
    assert f"cannot load the model '{name}'" in get_error(shell("index", "new.txt", "--model", name))
    assert list_files(tmp_path) == ["new.txt"]


def test_a_folder_that_holds_no_model_is_named_and_nothing_is_made(shell, tmp_path):
    (tmp_path / "new.txt").write_text("new")
    (tmp_path / "model").mkdir()
    assert "model" in get_error(shell("index", "new.txt", "--model", "model"))
    assert not (tmp_path / DATABASE_FOLDER).exists()
