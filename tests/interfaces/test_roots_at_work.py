"""Roots in processes of their own: watching all of them, and two runs at once."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import vecsearch
from tests.conftest import CommandResult

PATIENCE_S = 240  # then a line that never comes fails the test


@contextmanager
def run_shell(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and end it at the latest with the block."""
    command = [sys.executable, "-u", "-m", "vecsearch", *arguments]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    patience = threading.Timer(PATIENCE_S, child.kill)
    patience.start()
    try:
        yield child
    finally:
        patience.cancel()
        child.kill()
        child.communicate()


def test_watch_without_a_path_watches_every_root_by_its_own_options(tmp_path: Path, shell: Callable[..., CommandResult]) -> None:
    assert "name one: vecsearch watch PATH" in shell("watch").err
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/heron.md").write_text("the heron waits for fish")
    (tmp_path / "goods.csv").write_text("sku,name,description\n1,Tent,a warm tent for cold nights\n2,Rope,a long rope\n")
    assert shell("index", "notes", "--exclude", "*.log").status == 0
    assert shell("index", "goods.csv").status == 0
    with run_shell(tmp_path, "watch") as watching:
        assert watching.stdout is not None and watching.stderr is not None
        assert watching.stdout.readline().startswith("0 added, 0 updated, 3 unchanged")
        assert watching.stdout.readline().startswith("now 3 documents")
        assert "watching 2 paths" in watching.stderr.readline()
        (tmp_path / "notes/left-out.log").write_text("is excluded")
        (tmp_path / "goods.csv").write_text("sku,name,description\n1,Tent,a warm tent for cold nights\n3,Lamp,a lamp\n")
        # the folder may be read again too, as something in it has changed
        assert re.search("1 added, 0 updated, [12] unchanged, 1 removed", watching.stdout.readline())
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 130
    listed = json.loads(shell("ls", "--json").out)["documents"]
    assert [document["id"] for document in listed] == ["goods.csv#1", "goods.csv#3", "notes/heron.md"]


def test_a_run_waits_for_another_process_and_says_for_whom(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/heron.md").write_text("the heron waits for fish")
    with vecsearch.open(tmp_path / ".vecsearch") as collection:
        collection.add(["a gull on the pier"], ids=["gull"])
        with ExitStack() as lock:
            lock.enter_context(collection._store.open_writer(collection.name))
            with run_shell(tmp_path, "index", "notes") as other:
                assert other.stderr is not None
                while "waiting for" not in (line := other.stderr.readline()):
                    assert line, "it ended without having waited"
                assert re.search(r"waiting for process \d+ .*, which writes ", line) and str(tmp_path) in line
                assert other.poll() is None
                lock.close()
                out, _ = other.communicate()
                assert other.returncode == 0 and "1 added" in out
        assert sorted(collection) == ["gull", "notes/heron.md"]
