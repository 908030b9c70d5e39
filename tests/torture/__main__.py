"""Kill, break and cut the power of vecsearch some thousand times, and count what did not hold.

    make torture                            until there were 2,000 kills, 1,000 faults, 2,000 power cuts and 60 kills of the shell
    python -m tests.torture --kills 5000    … more of them

Counts add up over runs, as long as the code is the same; interrupted, it goes on where it was. A finding keeps its database and
its seed in the folder of its run.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import selectors
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.torture.shim import build
from tests.torture.worker import BLOWS

PROJECT = Path(__file__).parents[2]
PLACE = PROJECT / ".torture"
_WANTED = {"kill": 2_000, "fault": 1_000, "power cut": 2_000, "kill the shell": 60}


def main() -> int:
    """The command; gives 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.splitlines()[0])
    for blow, count in _WANTED.items():
        parser.add_argument(f"--{blow.replace(' ', '-')}s", type=int, default=count, metavar="N", dest=blow)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    given = vars(parser.parse_args())
    PLACE.mkdir(exist_ok=True)
    lock = (PLACE / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.error(f"another one works in {PLACE}: its databases would be taken for this one's")
    tally = Tally(PLACE / code_digest())
    try:
        for blow in BLOWS:
            run(tally, blow, given[blow], given["jobs"])
    except KeyboardInterrupt:
        print("\ninterrupted; the next run goes on from here", file=sys.stderr)
    finally:
        tally.save()
        print(tally.table())
    return 1 if tally.findings else 0


def code_digest() -> str:
    """Changes with the code that is tried and with that which tries it."""
    files = sorted(each for name in ("vecsearch", "migrations", "tests/torture") for each in (PROJECT / name).rglob("*.[pc]*"))
    said = hashlib.sha256()
    for each in files:
        if each.suffix in (".py", ".c"):
            said.update(each.read_bytes())
    return said.hexdigest()[:12]


class Tally:
    """Counts by blow, step and point, kept in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "counts.json"
        kept: dict[str, Any] = (
            json.loads(self._file.read_text()) if self._file.exists() else {"counts": [], "findings": [], "seed": 0, "missed": 0}
        )
        self.counts = Counter({tuple(key): count for key, count in kept["counts"]})
        self.findings: list[dict[str, Any]] = kept["findings"]
        self.seed, self._missed = kept["seed"], kept["missed"]

    def total(self, blow: str) -> int:
        """Rounds in which it came to the blow."""
        return sum(
            count for (name, _, _), count in self.counts.items() if name == blow or (blow == "fault" and name.startswith(blow))
        )

    def add(self, outcome: dict[str, Any]) -> None:
        """One round more."""
        self.seed = max(self.seed, outcome["seed"])
        if outcome["hit"]:
            self.counts[outcome["blow"], outcome["step"], outcome["point"]] += 1
        else:
            self._missed += 1
        if outcome["finding"]:
            self.findings.append(outcome)
            print(f"\n{outcome['blow']}, {outcome['step']}, {outcome['point']}: {outcome['finding']}", file=sys.stderr)

    def save(self) -> None:
        """For the next run."""
        kept = {"counts": list(self.counts.items()), "findings": self.findings, "seed": self.seed, "missed": self._missed}
        unfinished = self._file.with_suffix(".tmp")
        unfinished.write_text(json.dumps(kept))
        unfinished.replace(self._file)

    def table(self) -> str:
        """Counts by blow and step, a column for each point."""
        lines = []
        for blow in sorted({name for name, _, _ in self.counts}):
            of = {(step, point): count for (name, step, point), count in self.counts.items() if name == blow}
            points, steps = sorted({point for _, point in of}), sorted({step for step, _ in of})
            widths = [max(len(point), 4) for point in points]
            lines.append(f"{blow}: {sum(of.values()):,}")
            lines.append(f"  {'':20}" + "".join(f"  {point:>{width}}" for point, width in zip(points, widths, strict=True)))
            for step in steps:
                cells = (f"  {of.get((step, point), 0) or '':>{width}}" for point, width in zip(points, widths, strict=True))
                lines.append(f"  {step:20}" + "".join(cells))
        kinds = Counter(_kind(each["finding"]) for each in self.findings)
        blows = sum(map(self.total, BLOWS))
        lines.append(f"{blows:,} blows; in {self._missed:,} rounds more the step was over before. Found:")
        lost, wrong = kinds["LostError"], kinds["WrongAnswerError"]
        lines.append(f"  committed rows lost, or rows that nobody wrote: {lost}; wrong answers: {wrong}")
        lines.append(f"  databases unsound or not to open: {kinds['UnopenableError']}; anything else: {kinds['other']}")
        return "\n".join(lines)


def _kind(finding: str) -> str:
    return next((kind for kind in ("LostError", "WrongAnswerError", "UnopenableError") if f"{kind}" in finding[:60]), "other")


def run(tally: Tally, blow: str, wanted: int, jobs: int) -> None:
    """Workers of one kind, until there are as many rounds as wanted."""
    if tally.total(blow) >= wanted:
        return
    waiting = selectors.DefaultSelector()
    workers = [_worker(tally, blow, number) for number in range(1 if blow == "kill the shell" else jobs)]
    for worker in workers:
        assert worker.stdout is not None
        waiting.register(worker.stdout, selectors.EVENT_READ, worker.stdout)
    try:
        while tally.total(blow) < wanted and waiting.get_map():
            for key, _ in waiting.select():
                line = key.data.readline()
                if not line:
                    waiting.unregister(key.fileobj)
                    continue
                tally.add(json.loads(line))
                if sum(tally.counts.values()) % 50 == 0:
                    tally.save()
                    print(f"\r{blow}: {tally.total(blow):,} of {wanted:,}  ", end="", file=sys.stderr, flush=True)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        print(file=sys.stderr)


def _worker(tally: Tally, blow: str, number: int) -> subprocess.Popen[str]:
    place = tally.folder / f"{blow.replace(' ', '-')}-{number}"
    if not tally.findings:
        shutil.rmtree(place, ignore_errors=True)
    seed = (tally.seed // 1_000_000 + 1 + number) * 1_000_000
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if blow != "kill the shell":
        env["LD_PRELOAD"] = str(build(PLACE))
    command = [sys.executable, "-m", "tests.torture.worker", blow, str(seed), str(place)]
    return subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    sys.exit(main())
