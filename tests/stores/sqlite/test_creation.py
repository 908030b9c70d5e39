"""Databases that are created, and upgraded, by many threads and processes at once, some of which are killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vecsearch
from tests.checks import is_sound
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from tests.stores.sqlite.test_formats import FORMATS, KEPT_IDS, read_version
from tests.threads import run_together
from vecsearch.core.settings import SCHEMA_VERSION, SCHEMA_VERSION_MIN

ENCODER = FakeEncoder()
OLD = range(SCHEMA_VERSION_MIN, SCHEMA_VERSION)


def write(folder: Path, key: str) -> None:
    with vecsearch.open(folder, model=ENCODER, collection="own") as collection:
        collection.add(["a text"], ids=[key])


def copy_formats(place: Path, name: str) -> list[Path]:
    """Copy a database of each older format; `name` tells the copies apart."""
    return [Path(shutil.copytree(FORMATS / str(version) / "database", place / f"{name}{version}")) for version in OLD]


def check_all(place: Path, writers: dict[str, set[str]]) -> None:
    """Check that each database holds what its writers were told it holds, and an old one what it held."""
    for name, keys in writers.items():
        folder = place / name
        assert read_version(folder) == SCHEMA_VERSION
        assert is_sound(folder)
        with vecsearch.connect(folder) as database:
            if keys:
                assert keys <= set(database.collection("own", model=ENCODER))
            if not name.startswith("new"):
                assert sorted(database.collection("default")) == KEPT_IDS
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_threads_that_create_and_upgrade_at_once_do_not_meet(tmp_path: Path) -> None:
    for n in range(3):
        place = tmp_path / str(n)
        place.mkdir()
        copies = copy_formats(place, "a") + copy_formats(place, "b")
        folders = [*copies, *copies, *(place / f"new{m}" for m in range(3)), *[place / "new"] * 3]
        uses = [(lambda folder=folder, m=m: write(folder, f"k{m}")) for m, folder in enumerate(folders)]
        assert run_together(uses) == []
        check_all(place, {folder.name: {f"k{m}" for m, other in enumerate(folders) if other == folder} for folder in folders})


def test_a_migration_that_did_not_take_place_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder, *_) = copy_formats(tmp_path, "old")
    with monkeypatch.context() as patch, vecsearch.connect(folder) as database:
        patch.setattr("alembic.command.upgrade", lambda *_: None)  # as of another's database
        with pytest.raises(vecsearch.StorageError, match=f"ended at 000{OLD[0]}, not at {SCHEMA_VERSION}"):
            database.upgrade()
    assert read_version(folder) == OLD[0]
    write(folder, "late")
    check_all(tmp_path, {folder.name: {"late"}})


# each thread of the process opens its folder once all are ready; where a number is given, the statement of that number kills it
MANY = """
import os, signal, sys, threading
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
import vecsearch
from tests.stores.sqlite.test_creation import write
from tests.threads import run_together
from vecsearch.stores.sqlite.write import writer  # what takes long is loaded before
from vecsearch.stores.sqlite.engine import migration, creation

name, last, *folders = sys.argv[1:]
count = 0

def count_statement(*_):
    global count
    count += 1
    if count == int(last):
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", count_statement)
print("ready", flush=True)
sys.stdin.readline()
errors = run_together([lambda folder=folder, n=n: write(Path(folder), f"{name}-{n}") for n, folder in enumerate(folders)])
print(errors)
sys.exit(bool(errors))
"""


def test_processes_that_create_and_upgrade_at_once_some_of_them_killed_lose_nothing(tmp_path: Path) -> None:
    copies = copy_formats(tmp_path, "old")
    folders = [*copies, tmp_path / "new", tmp_path / "new1", tmp_path / "new"]
    kills = [0, 7, 45, 120, 0]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, str(n), str(last), *map(str, folders)],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for n, last in enumerate(kills)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process, last in zip(processes, kills, strict=True):
        out, _ = process.communicate(timeout=120)
        assert process.returncode == (-signal.SIGKILL if last else 0), out
    for path in tmp_path.glob(".new*"):  # of those that were killed
        shutil.rmtree(path)
    survivors = [n for n, last in enumerate(kills) if not last]
    check_all(
        tmp_path,
        {
            folder.name: {f"{n}-{m}" for n in survivors for m, other in enumerate(folders) if other == folder}
            for folder in folders
        },
    )
