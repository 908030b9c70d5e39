"""Tens of thousands of documents: memory that does not grow with their number, and kills that cost nothing but time.

The encoder here is a stand-in, a thousand times quicker than a real one: what is tested is everything around it.
"""

from __future__ import annotations

import gzip
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import maintenance
from tests.checks import is_sound
from vecsearch.core.settings import DATABASE_FILE

pytestmark = pytest.mark.slow

KILLS = 10
RUN = """
import re, resource, sys, zlib
import numpy as np
import vecsearch

class Quick:
    name, dimension, max_tokens, fingerprint = "quick", 64, 254, "quick"

    def __init__(self, log): self.log = open(log, "a")
    def token_spans(self, text): return [match.span() for match in re.finditer(r"\\\\S+", text)]
    def encode_documents(self, texts):
        rows = np.stack([np.random.default_rng(zlib.crc32(text.encode())).standard_normal(64) for text in texts])
        print(*(zlib.crc32(text.encode()) for text in texts), sep="\\n", file=self.log, flush=True)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    encode_queries = encode_documents

corpus, database, log = sys.argv[1:]
with vecsearch.open(database, model=Quick(log)) as collection:
    report = collection.index([corpus])
print(report.documents, report.added, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", RUN, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def write_corpus(shared: Callable[[str], Path], folder: Path, count: int) -> Path:
    """Write the first documents of a real corpus as one .jsonl file."""
    path = folder / f"{count}.jsonl"
    with gzip.open(shared("scale_debian") / "corpus.jsonl.gz", "rt") as lines, path.open("w") as out:
        for _, line in zip(range(count), lines, strict=False):
            out.write(line)
    return path


def read_contents(database: Path) -> list[tuple[object, ...]]:
    """Read everything that two runs must agree on."""
    with sqlite3.connect(database / DATABASE_FILE) as connection:
        return connection.execute(
            'SELECT d.external_id, d.title, d.text, d.metadata, d.digest, s.path, s.digest, c.ordinal, c.start, c."end", '
            "c.location, "
            "c.context, v.vector FROM documents d JOIN sources s ON s.id = d.source_id JOIN chunks c ON c.document_id = d.id "
            "JOIN vectors v ON v.chunk_id = c.id ORDER BY d.external_id, c.ordinal"
        ).fetchall()


def test_memory_does_not_grow_with_the_number_of_documents(shared: Callable[[str], Path], tmp_path: Path) -> None:
    peaks = {}
    for count in (30_000, 60_000):  # the first run fills the caches of fixed size
        child = run(write_corpus(shared, tmp_path, count), tmp_path / f"{count}.vec", tmp_path / "log")
        documents, added, peaks[count] = map(int, child.communicate(timeout=3600)[0].split())
        assert (documents, added) == (count, count)
    assert peaks[60_000] < peaks[30_000] * 1.25, peaks  # what is left is the exact index, held while it is written


def test_kills_at_random_moments_cost_no_finished_batch(shared: Callable[[str], Path], tmp_path: Path) -> None:
    source = write_corpus(shared, tmp_path, 60_000)
    calm = run(source, tmp_path / "calm.vec", tmp_path / "calm.log")
    start_time = time.monotonic()
    assert calm.communicate(timeout=3600)[0].startswith("60000 ")
    duration = time.monotonic() - start_time

    chance = random.Random(7)
    kill_count = 0
    for _ in range(KILLS):
        before = is_finished(tmp_path / "killed.vec")
        child = run(source, tmp_path / "killed.vec", tmp_path / "killed.log")
        time.sleep(2 + chance.random() * duration / KILLS)
        child.send_signal(signal.SIGKILL)
        kill_count += child.wait() == -signal.SIGKILL
        assert is_finished(tmp_path / "killed.vec") >= before
    child = run(source, tmp_path / "killed.vec", tmp_path / "killed.log")
    assert child.communicate(timeout=3600)[0].startswith("60000 ")
    assert kill_count >= 5
    assert read_contents(tmp_path / "killed.vec") == read_contents(tmp_path / "calm.vec")
    assert is_sound(tmp_path / "killed.vec")
    encoded_count = len((tmp_path / "killed.log").read_text().split())
    at_once = len((tmp_path / "calm.log").read_text().split())
    assert encoded_count <= at_once + kill_count * 2 * 256, (encoded_count, at_once)  # a kill loses the batch in hand


def is_finished(database: Path) -> int:
    try:
        return int(json.dumps(maintenance.status(database)["collections"][0]["documents"]))
    except Exception:
        return 0
