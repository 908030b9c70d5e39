"""The process that uses the library is its host: its settings are as before, whatever was opened, indexed, searched, exported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STATE = """
import locale, logging, os, signal, sys, threading, warnings
import alembic.migration, faiss, numpy, sqlalchemy, torch, transformers  # what a library sets when it is loaded is its own
from transformers.utils import logging as transformers_logging
from huggingface_hub.utils import are_progress_bars_disabled
import sentence_transformers, tqdm

def read_state():
    loggers = {n: (l.level, l.disabled, l.propagate, len(l.handlers), len(l.filters))
               for n, l in logging.root.manager.loggerDict.items() if isinstance(l, logging.Logger)}
    return {
        "environment": dict(os.environ), "folder": os.getcwd(), "import path": list(sys.path),
        "logging disabled": logging.root.manager.disable, "root logger": (logging.root.level, len(logging.root.handlers)),
        "loggers": {n: s for n, s in loggers.items() if s != (0, False, True, 0, 0)},
        "warnings": list(warnings.filters), "show warning": warnings.showwarning,
        "signals": {s: signal.getsignal(s) for s in signal.valid_signals()},
        "locale": locale.setlocale(locale.LC_ALL), "numpy": numpy.geterr(), "recursion": sys.getrecursionlimit(),
        "torch threads": torch.get_num_threads(), "faiss threads": faiss.omp_get_max_threads(),
        "bars": (transformers_logging.is_progress_bar_enabled(), are_progress_bars_disabled()),
        "hooks": (sys.excepthook, threading.excepthook), "file mode": (mask := os.umask(0o22), os.umask(mask))[0],
    }

def check_unchanged(step):
    after = read_state()
    for what, value in before.items():
        assert after[what] == value, (step, what, value, after[what])

faiss.omp_set_num_threads(3)
before = read_state()
"""

WORK = """
from pathlib import Path
import vecsearch
check_unchanged("import")
with vecsearch.open("x.vec") as notes:
    notes.add(["leap", "bound"], ids=["leap", "bound"])  # prepares the model: the cache is empty
    check_unchanged("export of the model")
    Path("a.md").write_text("# A jump\\n\\nover the fence")
    notes.index(["a.md"])
    check_unchanged("index")
    assert len(notes.search("jump", explain=True, rerank=True)) == 3
    check_unchanged("search")
    notes.optimize()
    notes.export_documents("x.jsonl")
    check_unchanged("optimize and export")
with vecsearch.open("y.vec", precision="float32") as notes:
    notes.add(["leap"])
    check_unchanged("export of the model in another precision")
assert len(list(tqdm.tqdm([1]))) == 1
"""

FORK = """
import vecsearch
with vecsearch.open("x.vec") as notes:
    rows = numpy.random.default_rng(0).normal(size=(600, 384))
    notes.add([f"number {n}" for n in range(600)], vectors=rows)
    notes.optimize()
    notes.search(rows[0])
    child = os.fork()
    if not child:
        state = faiss.omp_get_max_threads()
        text = notes.search(rows[5], limit=1)[0].text
        os._exit(0 if (state, text, faiss.omp_get_max_threads()) == (3, "number 5", 3) else 1)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("code", [WORK, FORK], ids=["work", "fork"])
def test_the_host_process_is_left_as_it_was(tmp_path: Path, code: str) -> None:
    environment = {**os.environ, "VECSEARCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "2"}
    for name in ("TQDM_DISABLE", "TOKENIZERS_PARALLELISM", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    result = subprocess.run(
        [sys.executable, "-c", STATE + code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == (2 if code is WORK else 0), result.stderr
    assert all("it/s" in line for line in lines)  # the host's own bar, and no line of ours
