"""`vecsearch index` with the real encoder, ended at random moments while it makes vectors, files change, and another fills.

    python -m tests.torture.filling             200 ends, then a run that makes what is missing
    python -m tests.torture.filling --ends 8

Ends are kills (SIGKILL), Ctrl-C (SIGINT) and full disks. After each: the database is sound; each file is there as it was in
some version; answers equal brute force over what is not pending, as many as are said to be; what had a vector was not encoded
again. At the end all is there, as the files say.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import vecsearch
from tests import maintenance
from tests.torture.check import AgainError, LostError, UnopenableError, WrongAnswerError, list_waiting
from tests.torture.logged import hash_text, list_made
from tests.torture.shim import build, can_build
from tests.torture.states import DATABASE, WORDS
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder

PROJECT = Path(__file__).parents[2]
FILES = 160
CHANGED = 24  # files between two runs
_ENDS = ("killed", "interrupted", "full disk")
_LONGEST_WAIT = 60.0


class Filling:
    """A folder of notes, a database of them, and commands that are ended."""

    def __init__(self, base: Path, seed: int = 0) -> None:
        self._base, self._draw, self._log = base, random.Random(seed), base / "encoded"
        self._notes = base / "notes"
        self._notes.mkdir(parents=True)
        self._versions: dict[str, set[str]] = {}  # all texts that a file ever had
        self._encoder: TextEncoder = registry.load(None)
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._made: frozenset[str] = frozenset()
        self._seen = 0  # lines of the log
        self._started = time.monotonic()
        self.counts: Counter[str] = Counter()
        for number in range(FILES // 2):
            self._write(number)

    def ends(self) -> Iterator[str]:
        """Yield how each run ended; without end. Raises the errors of `check`."""
        while True:
            how = self._run()
            self._check()
            self.counts[how] += 1
            yield how
            self._change()

    @property
    def ended(self) -> int:
        """Return how many runs were ended before they were done."""
        return sum(count for how, count in self.counts.items() if any(end in how for end in _ENDS))

    def finish(self) -> None:
        """Make what is missing; then all must be there, and a run more has nothing to do."""
        self._change()
        for _ in range(2):
            process = self._start("index", "notes")
            if process.wait(_LONGEST_WAIT):
                raise LostError(f"the last run failed: {self._said()}")
            self._check()
        with vecsearch.open(self._base / DATABASE, readonly=True) as collection:
            found = {Path(each.source or "").name: each.text for each in collection.get(where={})}
            waiting = collection.pending_vectors
        wanted = {path.name: path.read_text() for path in self._notes.iterdir()}
        if waiting or found != wanted:
            raise LostError(f"{waiting} vectors wait; {len(found)} documents of {len(wanted)} files")

    def describe(self) -> str:
        """Say what was done, in figures."""
        encoded = Counter(self._log.read_text().split())
        again = encoded.total() - len(encoded)
        seconds, ends = time.monotonic() - self._started, dict(self.counts.most_common())
        return (
            f"{self.ended} of {self.counts.total()} runs ended in {seconds:.0f} s: {ends}; {encoded.total()} texts encoded: "
            f"{again} of them again, as the run before had not committed them, none that had a vector"
        )

    # -- files

    def _write(self, number: int) -> None:
        name = f"{number}.txt"
        text = " ".join(self._draw.choices(WORDS, k=self._draw.choice([4, 12, 40]))) + f" number{self._draw.getrandbits(40):x}"
        (self._notes / name).write_text(text)
        self._versions.setdefault(name, set()).add(text)

    def _change(self) -> None:
        for number in self._draw.sample(range(FILES), CHANGED):
            if self._draw.random() < 0.15:
                (self._notes / f"{number}.txt").unlink(missing_ok=True)
            else:
                self._write(number)

    # -- runs

    def _run(self) -> str:
        first = self._draw.choice([["index", "notes"]] * 4 + [["index", "notes", "--no-vectors"], ["index", "--vectors-only"]])
        full_at = self._draw.randint(1, 150) if can_build() and self._draw.random() < 0.15 else 0
        log_before = self._count_encoded()
        process = self._start(*first, full_at=full_at)
        other = self._start("index", "--vectors-only") if self._draw.random() < 0.4 and self._is_there() else None
        how = self._end(process, log_before) if not full_at else self._wait(process, "full disk")
        if other is not None:
            how += " | " + (self._end(other, log_before) if self._draw.random() < 0.3 else self._wait(other, "filled"))
        return how

    def _start(self, *arguments: str, full_at: int = 0) -> subprocess.Popen[bytes]:
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(PROJECT)}
        if full_at:
            env["LD_PRELOAD"] = str(build(PROJECT / ".torture"))
        command = [sys.executable, "-m", "tests.torture.logged_shell", str(self._log), str(full_at), str(self._base / DATABASE)]
        with (self._base / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [*command, *arguments, "--db", DATABASE], cwd=self._base, env=env, stdout=said, stderr=said,
            )  # fmt: skip

    def _end(self, process: subprocess.Popen[bytes], log_before: int) -> str:
        """Kill or interrupt a run: at a moment of its start, or shortly after it has begun to encode."""
        if self._draw.random() < 0.7:  # else most of them were ended while they load libraries
            until = time.monotonic() + _LONGEST_WAIT
            while process.poll() is None and self._count_encoded() == log_before and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(self._draw.uniform(0, 0.4))
        else:
            time.sleep(self._draw.uniform(0, 2.5))
        if process.poll() is not None:
            return self._wait(process, "over before")
        if self._draw.random() < 0.75:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return "killed"
        process.send_signal(signal.SIGINT)
        status = process.wait(_LONGEST_WAIT)
        if status not in (0, 1, 130, -signal.SIGINT):
            raise UnopenableError(f"interrupted, it ended with {status}: {self._said()}")
        return "interrupted" if status in (130, -signal.SIGINT) else "over before"

    def _wait(self, process: subprocess.Popen[bytes], how: str) -> str:
        status = process.wait(_LONGEST_WAIT)
        if status not in (0, 1) or b"Traceback" in (self._base / "said.txt").read_bytes():
            raise UnopenableError(f"it ended with {status}: {self._said()}")
        return how if status == 0 or how == "full disk" else f"{how}, failed"

    def _said(self) -> str:
        return (self._base / "said.txt").read_text()[-4000:]

    def _count_encoded(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _is_there(self) -> bool:
        return (self._base / DATABASE / DATABASE_FILE).exists()

    # -- what must hold

    def _check(self) -> None:
        if not self._is_there():
            return
        errors = maintenance.list_errors(self._base / DATABASE)
        if errors:
            raise UnopenableError(str(errors))
        self._check_log()
        with vecsearch.open(self._base / DATABASE, readonly=True) as collection:
            if not len(collection):
                return
            documents = collection.get(where={})
            for each in documents:
                if each.text not in self._versions[Path(each.source or "").name]:
                    raise LostError(f"nobody wrote {each.text!r}")
            waiting = {key for key, _ in list_waiting(collection)}
            self._check_dense(collection, [each for each in documents if each.id not in waiting])
            self._check_words(collection, documents)
            self._made = list_made(collection, salt=0)

    def _check_log(self) -> None:
        """What had a vector when the last run began was not encoded since."""
        lines = self._log.read_text().split() if self._log.exists() else []
        new, self._seen = lines[self._seen :], len(lines)
        if again := self._made & set(new):
            raise AgainError(f"{len(again)} of {len(new)} texts had vectors, and were encoded again")

    def _check_dense(self, collection: vecsearch.Collection, documents: list[vecsearch.Document]) -> None:
        query = " ".join(self._draw.choices(WORDS, k=4))
        rows = self._encode([format_encoder_input(each.title, "", each.text) for each in documents])
        best = np.sort(rows @ self._encoder.encode_queries([query])[0])[::-1][:10]
        found = np.array([hit.score for hit in collection.search(query, mode="dense")])
        if len(found) != len(best) or (len(best) and np.abs(found - best).max() > 2e-3):
            raise WrongAnswerError(f"{found} where brute force has {best}")

    def _check_words(self, collection: vecsearch.Collection, documents: list[vecsearch.Document]) -> None:
        word = self._draw.choice(WORDS)
        holding = {each.id for each in documents if word in each.text.split()}
        found = {hit.id for hit in collection.search(word, mode="lexical", limit=FILES)}
        if found != holding:
            raise WrongAnswerError(f"{word!r} is found in {len(found)}, and stands in {len(holding)}")

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        missing = [text for text in texts if hash_text(0, text) not in self._vectors]
        rows = self._encoder.encode_documents(missing) if missing else ()
        self._vectors.update((hash_text(0, text), row) for text, row in zip(missing, rows, strict=True))
        return np.array([self._vectors[hash_text(0, text)] for text in texts]).reshape(len(texts), self._encoder.dimension)


def main() -> int:
    """The command; gives 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="filling", description=__doc__.splitlines()[0])
    parser.add_argument("--ends", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="filling-") as folder:
        filling = Filling(Path(folder) / "base", given.seed)
        try:
            for how in filling.ends():
                print(f"\r{filling.ended:,} of {given.ends:,}: {how:40}", end="", file=sys.stderr, flush=True)
                if filling.ended >= given.ends:
                    break
            filling.finish()
        except (AssertionError, vecsearch.VecsearchError, subprocess.TimeoutExpired) as error:
            kept = PROJECT / ".torture" / f"filling-{given.seed}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(Path(folder) / "base", kept)
            print(f"\n{type(error).__name__}: {error}; kept in {kept}", file=sys.stderr)
            return 1
        finally:
            print(f"\n{filling.describe()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
