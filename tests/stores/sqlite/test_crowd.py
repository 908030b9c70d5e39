"""A sample of `make crowd`: whatever threads and processes do to one folder, answers are right; and proof it would be seen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

SPOILT = {
    "what is deleted stays": (
        "from vecsearch.stores.sqlite.write.writer import SQLiteWriter\nSQLiteWriter.delete_documents = lambda self, keys: None"
    ),
    "pages end early": (
        "from vecsearch.stores.sqlite.read.snapshot import SQLiteSnapshot as s\n"
        "real = s.list_document_ids\n"
        "s.list_document_ids = lambda self, **more: real(self, **more)[:3]"
    ),
    "an interrupted write holds its lock": (
        "from vecsearch.core import file_lock as f\n"
        "kept, real = [], f._try_file\n"
        "def keep(path):\n"
        "    file = real(path)\n"
        "    kept.append(file)\n"
        "    return file\n"
        "f._try_file = keep\n"
        "f.LockFile.__exit__ = lambda *what: None"
    ),
}


def run_crowd(*options: str, spoilt: str = "") -> subprocess.CompletedProcess[str]:
    start = "import sys\nfrom tests.torture.crowd import main\nif __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", f"{spoilt}\n{start}", "--seed", "1", *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


def test_threads_and_processes_on_one_folder_lose_nothing_and_get_right_answers():
    done = run_crowd("--steps", "12", "--threads", "3", "--processes", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "found wrong by workers: 0" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("what", SPOILT)
def test_a_store_that_answers_wrongly_or_hangs_is_found_out(what):
    done = run_crowd("--steps", "60", "--threads", "2", "--processes", "0", "--patience", "3", spoilt=SPOILT[what])
    assert done.returncode == 1, done.stdout + done.stderr
