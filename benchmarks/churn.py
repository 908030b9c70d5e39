"""Half an hour of reads and writes at once: do memory, disk and the log level off, and is every answer right at the end?

    make churn        or: python -m benchmarks.churn --minutes 30 --out FOLDER

A writer replaces, deletes, adds and changes documents without end; `vecsearch watch` keeps up with a folder whose files change;
two readers ask; `vecsearch optimize` runs every minute, `--full` every eighth time. Each second the memory of each process
(resident, its children's added), the database, its log and the index files are measured. Writes churn.json and churn.svg; exits
with 1 when something grew from the second quarter of the time to the last, when an answer was refused, or when something is not
sound.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

import vecsearch
from benchmarks.measuring import MEGABYTE, measure_resident_mb
from benchmarks.plot import draw_timeline

DOCUMENTS: Final = 5_000  # that come and go
WATCHED_FILES: Final = 20  # files
SAMPLE_INTERVAL_S: Final = 1.0
OPTIMIZE_INTERVAL_S: Final = 60.0
FULL_OPTIMIZE_INTERVAL: Final = 8
GROWTH_RATIO_MAX: Final = 1.1  # more than so many times the second quarter's median is growth, …
GROWTH_MB_MIN: Final = 20.0  # … if it is so much
WORDS: Final = "keel mast sail rope anchor tide harbour lantern compass storm gull reef chart deck helm oar".split()


def run_writer(folder: Path) -> None:
    """Write until killed: every round is a batch of replaced, deleted, added and changed documents."""
    draw, rows = random.Random(1), np.random.default_rng(1)
    with vecsearch.open(folder, lock_timeout=600) as collection:
        print("ready", flush=True)
        while True:
            keys = [f"d{n}" for n in draw.sample(range(DOCUMENTS), 200)]
            texts = [f"{' '.join(draw.choices(WORDS, k=9))} of {key}" for key in keys]
            metadatas = [{"n": n, "ship": draw.choice(WORDS)} for n in range(len(keys))]
            collection.add(texts, ids=keys, metadatas=metadatas, vectors=rows.normal(size=(200, 384)), on_conflict="replace")
            collection.delete(keys[:40])
            collection.add(texts[:20], ids=keys[:20], on_conflict="replace")  # by the encoder
            collection.update(keys[50], metadata={"n": -1})


def run_reader(folder: Path) -> None:
    """Search until killed, in every way; each answer must be complete and in order."""
    draw = random.Random(2)
    with vecsearch.open(folder, readonly=True) as collection:
        print("ready", flush=True)
        while True:
            query = " ".join(draw.choices(WORDS, k=3))
            for mode in ("hybrid", "dense", "lexical"):
                hits = collection.search(query, mode=mode, where=draw.choice([None, {"ship": draw.choice(WORDS)}]))
                assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            assert len(collection.search(query)) == 10
            print("answered", flush=True)


@dataclass
class Churn:
    """The run: its processes, its samples, and the problems that were found."""

    work_folder: Path
    start_time: float = field(default_factory=time.monotonic)
    samples: list[dict[str, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.work_folder / "db"

    def run(self, seconds: float) -> None:
        """Run everything for so many seconds."""
        with vecsearch.open(self.folder) as collection:
            texts = [f"{' '.join(words)} stays" for words in pairwise(WORDS)]
            collection.add(texts, ids=[f"kept{n}" for n in range(len(texts))])
        with self._run_processes() as processes:
            optimized, rounds, draw = time.monotonic(), 0, random.Random(3)
            while time.monotonic() - self.start_time < seconds and not self.problems:
                self._change_files(draw)
                self._take_sample(processes)
                self.problems += [
                    f"{name} ended: {self._read_log_tail(name)}"
                    for name, process in processes.items()
                    if process.poll() is not None
                ]
                if time.monotonic() - optimized > OPTIMIZE_INTERVAL_S:
                    optimized, rounds = time.monotonic(), rounds + 1
                    self._optimize(full=rounds % FULL_OPTIMIZE_INTERVAL == 0)
                time.sleep(SAMPLE_INTERVAL_S)
        self._finish()

    @contextmanager
    def _run_processes(self) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        base_command = [sys.executable, "-m", "benchmarks.churn", "--place", str(self.work_folder), "--role"]
        watch = [
            sys.executable,
            "-m",
            "vecsearch",
            "watch",
            str(self.work_folder / "notes"),
            "--db",
            str(self.folder),
            "-c",
            "notes",
            "-q",
        ]
        (self.work_folder / "notes").mkdir()
        self._change_files(random.Random(0), every_file=True)
        commands = {
            "writer": [*base_command, "writer"],
            "reader": [*base_command, "reader"],
            "reader 2": [*base_command, "reader"],
            "watch": watch,
        }
        processes = {}
        try:
            for name, command in commands.items():
                with (self.work_folder / f"{name}.txt").open("wb") as log:
                    processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            yield processes
        finally:
            for process in processes.values():
                process.kill()
                process.wait()

    def _change_files(self, draw: random.Random, *, every_file: bool = False) -> None:
        for number in range(WATCHED_FILES) if every_file else draw.sample(range(WATCHED_FILES), 2):
            file = self.work_folder / "notes" / f"log{number}.txt"
            if not every_file and draw.random() < 0.2:
                file.unlink(missing_ok=True)
            else:
                file.write_text("\n".join(" ".join(draw.choices(WORDS, k=8)) for _ in range(20)))

    def _optimize(self, *, full: bool) -> None:
        command = [sys.executable, "-m", "vecsearch", "optimize", "--db", str(self.folder), "-q", *(["--full"] if full else [])]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            self.problems.append(f"optimize: {result.stderr.strip()}")

    def _take_sample(self, processes: dict[str, subprocess.Popen[bytes]]) -> None:
        size = {name: _measure_size(path) for name, path in _list_files(self.folder).items()}
        memory = {f"memory of {name}": measure_resident_mb(process.pid) for name, process in processes.items()}
        self.samples.append({"minutes": (time.monotonic() - self.start_time) / 60, **memory, **size})

    def _finish(self) -> None:
        findings = [
            finding
            for finding in vecsearch.connect(self.folder, readonly=True).check()
            if finding.severity is vecsearch.Severity.ERROR
        ]
        self.problems += [f"doctor: {finding.what}" for finding in findings]
        for name, (early, late) in self.compute_growth().items():
            if late > early * GROWTH_RATIO_MAX and late - early > GROWTH_MB_MIN:
                self.problems.append(f"{name} grew from {early:.0f} to {late:.0f} MB")

    def compute_growth(self) -> dict[str, tuple[float, float]]:
        """Return the median MB of the second quarter and of the last, for all that was measured."""
        quarter = len(self.samples) // 4
        parts = self.samples[quarter : 2 * quarter], self.samples[-quarter:]
        names = [name for name in self.samples[0] if name != "minutes"] if quarter else []
        return {name: (_median(parts[0], name), _median(parts[1], name)) for name in names}

    def _read_log_tail(self, name: str) -> str:
        return "".join((self.work_folder / f"{name}.txt").read_text().splitlines(keepends=True)[-3:])

    def count_answers(self) -> int:
        """Count the rounds of questions that the readers had answered."""
        return sum((self.work_folder / f"{name}.txt").read_text().count("answered") for name in ("reader", "reader 2"))


def _list_files(folder: Path) -> dict[str, list[Path]]:
    main = folder / "vecsearch.db"
    return {"database": [main], "log": [folder / "vecsearch.db-wal"], "index files": list((folder / "index").glob("*"))}


def _measure_size(paths: Sequence[Path]) -> float:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:  # deleted in the meantime
            continue
    return total / MEGABYTE


def _median(samples: Sequence[dict[str, float]], name: str) -> float:
    return median(sample[name] for sample in samples)


def main() -> int:
    """Run the command; return 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=Path("build/churn"))
    parser.add_argument("--place", type=Path, help="an empty folder to work in")
    parser.add_argument("--role", choices=["writer", "reader"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        {"writer": run_writer, "reader": run_reader}[args.role](args.place / "db")
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        churn = Churn(args.place or Path(place))
        churn.run(args.minutes * 60)
        write_report(churn, args.out)
    return 1 if churn.problems else 0


def write_report(churn: Churn, out: Path) -> None:
    """Write the figures and the picture, and print what did not hold."""
    out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {
        "answers": churn.count_answers(),
        "growth_mb": churn.compute_growth(),
        "troubles": churn.problems,
        "samples": churn.samples,
    }
    (out / "churn.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    (out / "churn.svg").write_text(draw_timeline(churn.samples), encoding="utf-8")
    for name, (early, late) in churn.compute_growth().items():
        print(f"{name:22} {early:8.1f} MB {late:8.1f} MB")
    outcome = "; ".join(churn.problems) or "everything levelled off and is sound"
    print(f"{figures['answers']:,} rounds of questions answered; {outcome}")


if __name__ == "__main__":
    sys.exit(main())
