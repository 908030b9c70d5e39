"""A sample of `make torture`: kills, failing calls and power cuts cost nothing; and proof that it would see it if they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.torture.check import Expected, WrongAnswerError, check
from tests.torture.filling import Filling
from tests.torture.shim import build, can_build
from tests.torture.steps import Plan
from vecsearch.stores.sqlite.vectors import vector_view

pytestmark = pytest.mark.skipif(
    not can_build(), reason="no C compiler (cc) here, or no Linux: the machine cannot be made to fail"
)

SPOILT = {  # what is broken, and the blow that must show it
    "commits are not synced": (
        "power cut",
        "from vecsearch.stores.sqlite.engine import database_file as d\n"
        "d._CONNECTION_PRAGMAS = [each.replace('FULL', 'OFF') for each in d._CONNECTION_PRAGMAS]",
    ),
    "names are not synced": ("power cut", "from vecsearch.core import atomic_files as f; f.sync_folder = lambda folder: None"),
    "words are written apart from their documents": (
        "kill",
        "from vecsearch.stores.sqlite.fulltext import term_tables as f\n"
        "from vecsearch.stores.sqlite.write import writer as w\n"
        "late, add, commit = [], f.add, w.SQLiteWriter.commit\n"
        "f.add = lambda *what: late.append(what)\n"
        "def both(self, *what, **more):\n"
        "    commit(self, *what, **more)\n"
        "    with self._database.begin_write() as connection:\n"
        "        for _, *what in late:\n"
        "            add(connection, *what)\n"
        "    late.clear()\n"
        "w.SQLiteWriter.commit = both",
    ),
    "what is encoded is committed late": (
        "kill",
        "from vecsearch.indexing import vector_filler as f\n"
        "late, attach, fill = {}, f.VectorFiller._attach, f.VectorFiller._fill\n"
        "f.VectorFiller._attach = lambda self, vectors: late.update(vectors) or len(vectors)\n"
        "def both(self):\n"
        "    while not self._stop.ask() and self._read_info().pending_vectors:\n"
        "        fill(self)\n"
        "        attach(self, late)\n"
        "encode = f.VectorFiller._encode_texts\n"
        "def twice(self, chunks):\n"
        "    encode(self, chunks)\n"
        "    encode(self, chunks)\n"
        "    attach(self, late)\n"
        "    late.clear()\n"
        "    return True\n"
        "f.VectorFiller._encode_texts = twice",
    ),
    "errors are not told": (
        "fault",
        "from contextlib import suppress\n"
        "from vecsearch.core.errors import StorageError\n"
        "from vecsearch.stores.sqlite.write import writer as w\n"
        "commit = w.SQLiteWriter.commit\n"
        "def quiet(*what, **more):\n"
        "    with suppress(StorageError):\n"
        "        commit(*what, **more)\n"
        "w.SQLiteWriter.commit = quiet",
    ),
}


@pytest.fixture
def rounds(tmp_path_factory):
    """Outcomes of one kind of blow, as many as are taken."""
    started = []

    def begin(blow: str, *, seed: int, spoilt: str = "") -> Iterator[dict[str, Any]]:
        place = tmp_path_factory.mktemp("torture")
        env = {**os.environ, "OMP_NUM_THREADS": "1", "LD_PRELOAD": str(build(PROJECT / ".torture"))}
        script = f"{spoilt}\nfrom tests.torture.worker import main\nmain({blow!r}, '{seed}', {str(place)!r})"
        process = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return map(json.loads, process.stdout)

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("blow", "few"), [("kill", 20), ("fault", 20), ("power cut", 30)])
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_nothing_is_lost_and_every_answer_is_right(rounds, blow, few, times):
    count = few * times
    seen = list(islice(rounds(blow, seed=0), count))
    assert len(seen) == count
    assert [each for each in seen if each["finding"]] == []
    assert sum(each["hit"] for each in seen) > count / 2
    assert len({(each["step"], each["point"]) for each in seen if each["hit"]}) > count / 6


@pytest.mark.slow
@pytest.mark.parametrize("what", SPOILT)
def test_a_store_that_loses_something_is_found_out(rounds, what):
    blow, spoilt = SPOILT[what]
    assert any(each["finding"] for each in islice(rounds(blow, seed=0, spoilt=spoilt), 400))


@pytest.mark.parametrize("is_spoilt", [True, False])
def test_a_reader_that_is_not_told_of_vectors_that_come_late_is_found_out(tmp_path, monkeypatch, is_spoilt):
    if is_spoilt:
        monkeypatch.setattr(vector_view, "_LATE_ROWS", vector_view._LATE_ROWS.replace(":version", ":version + 1000"))
    plan = Plan(0, alone=True)
    first = plan.first()
    lines = next(step for step in (plan.named("lines", first.after) for _ in range(100)) if step.after.late)
    for step in (first, lines):
        step.run(tmp_path)
    expected = Expected(lines.after, lines.after, whole=False, late=lines.after.late)
    with pytest.raises(WrongAnswerError) if is_spoilt else nullcontext():
        for seed in range(6):  # some of them fill what waits
            check(tmp_path, expected, seed)


@pytest.mark.slow
def test_runs_that_are_ended_while_they_make_vectors_cost_nothing(tmp_path):
    filling = Filling(tmp_path / "base", seed=1)
    for _ in filling.ends():
        if filling.ended >= 3:
            break
    filling.finish()
