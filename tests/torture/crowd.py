"""Let threads and processes work on one database, interrupt and fork them, and check every answer against a model.

    make crowd                                    ten minutes of it
    python -m tests.torture.crowd --seconds 600 --threads 8 --processes 4 --seed 1
    python -m tests.torture.crowd --steps 30      so many steps of each worker, however long they take

There are `--threads` workers in this process and two in each of the others, of which one is the main thread and gets its
interrupts as SIGINT. Every choice follows from the seed; how the threads take turns does not. A thread that makes no step for
`--patience` seconds ends the run with the stacks of all. A finding keeps its database in the folder that is named.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import logging
import multiprocessing
import pkgutil
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import vecsearch
from tests import maintenance
from tests.torture.check import Expected, check
from tests.torture.crowd_changes import make_columns
from tests.torture.crowd_collections import SHARED, read_shared
from tests.torture.crowd_documents import ENCODER, Version, World, WrongError, find_versions, to_state
from tests.torture.crowd_worker import MAIN, Crew, Report, Worker
from tests.torture.forks import shrink
from tests.torture.interrupts import Interrupter
from tests.torture.states import DATABASE

_FIRST = {"first-0": Version(1, 0)}  # so that the collection is there
_PAIR = 2  # workers of a process that is not this one
_LOOK_SECONDS = 0.5
_PACKAGES = [f"vecsearch.{name}" for name in ("api", "core", "documents", "exchange", "indexing", "search", "stores", "text")]


@dataclass(frozen=True)
class Plan:
    """One run: how many work, how long."""

    base: Path
    seed: int
    threads: int
    processes: int
    steps: int | None
    seconds: float | None
    patience: float


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="crowd", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, metavar="N")
    parser.add_argument("--steps", type=int, metavar="N", help="of each worker, instead of seconds")
    parser.add_argument("--threads", type=int, default=8, metavar="N")
    parser.add_argument("--processes", type=int, default=4, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--patience", type=float, default=300.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="crowd-"))
    seconds = None if given.steps is not None else given.seconds
    plan = Plan(base, given.seed, given.threads, given.processes, given.steps, seconds, given.patience)
    begun = time.monotonic()
    reports = run(plan)
    findings = [report.finding for report in reports if report.finding]
    if not findings:
        findings = check_end(plan, reports)
    print(format_table(plan, reports, time.monotonic() - begun))
    for finding in findings:
        print(f"\n{finding}", file=sys.stderr)
    if findings:
        print(f"\nits database is in {base}", file=sys.stderr)
        return 1
    shutil.rmtree(base)
    return 0


def run(plan: Plan) -> list[Report]:
    """Let all work, and return what they say; a process that ended without a word says so itself."""
    with vecsearch.open(plan.base / DATABASE, model=ENCODER) as collection:
        collection.add(**make_columns(_FIRST))
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(1, plan.processes + 1):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=work_in_process, args=(plan, number, sending))
        process.start()
        sending.close()
        pipes.append(receiving)
        processes.append(process)
    reports = run_workers(plan, 0, plan.threads, in_main=False)
    for number, (pipe, process) in enumerate(zip(pipes, processes, strict=True), 1):
        try:
            reports += pipe.recv()
        except EOFError:
            process.join()
            reports.append(Report(f"p{number}", finding=f"process {number} ended with {process.exitcode} and no report"))
            (plan.base / "stop").touch()
        process.join()
    return reports


def work_in_process(plan: Plan, number: int, pipe: Connection) -> None:
    """Be one of the processes."""
    pipe.send(run_workers(plan, number, _PAIR, in_main=True))


def run_workers(plan: Plan, number: int, count: int, *, in_main: bool) -> list[Report]:
    """Run so many workers in this process, one of them in its main thread, or none."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    logging.disable()
    sys.unraisablehook = _tell_unraisable
    load_all()
    shrink()
    interrupter = Interrupter()
    timeout = 60.0
    with (
        vecsearch.open(plan.base / DATABASE, model=ENCODER, lock_timeout=timeout) as collection,
        vecsearch.connect(plan.base / DATABASE, lock_timeout=timeout) as database,
        ThreadPoolExecutor(max(1, count)) as pool,
    ):
        crew = Crew(plan.base, interrupter, collection, database)
        workers: list[Worker] = []

        def work(place: int) -> Report:
            worker = Worker(crew, f"p{number}w{place}", plan.seed)
            workers.append(worker)
            if worker.thread.is_main:
                worker.thread.handle_signals()
            return worker.run(plan.steps)

        watch = Watch(plan, workers, count, tells=not in_main)
        futures = [pool.submit(work, place) for place in range(int(in_main), count)]
        reports = [work(0)] if in_main else []
        reports += [future.result() for future in futures]
        watch.stop()
    interrupter.stop()
    return reports


def _tell_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Tell of errors in destructors, but for interrupts, which are lost there."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


def load_all() -> None:
    """Load all modules: Python gives other threads an ImportError where an interrupt comes while one loads a module."""
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)


class Watch:
    """A thread that ends the process, with the stacks of all, where a worker makes no step; and ends the run when it is time."""

    def __init__(self, plan: Plan, workers: list[Worker], count: int, *, tells: bool) -> None:
        self._plan, self._workers, self._count, self._tells = plan, workers, count, tells
        self._begun, self._told = time.monotonic(), 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """All have ended."""
        self._stopped.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        seen: list[int] = []
        self._allow()
        while not self._stopped.wait(_LOOK_SECONDS):
            steps = [-1 if worker.is_over else worker.step for worker in self._workers]
            moved = [now == -1 or now != before for now, before in zip(steps, seen, strict=False)]
            if len(moved) == self._count and all(moved):
                self._allow()
                seen = steps
            elif len(seen) < len(steps):
                seen = steps
            self._look_at_clock(sum(worker.step for worker in self._workers))

    def _allow(self) -> None:
        """Begin to wait anew."""
        faulthandler.dump_traceback_later(self._plan.patience, exit=True)

    def _look_at_clock(self, steps: int) -> None:
        seconds = time.monotonic() - self._begun
        if self._plan.seconds is not None and seconds > self._plan.seconds:
            (self._plan.base / "stop").touch()
        if self._tells and self._plan.seconds is not None and seconds > self._told + 30:
            self._told = seconds
            print(f"{seconds:.0f} s: {steps:,} steps of this process", file=sys.stderr, flush=True)


# -- the end


def check_end(plan: Plan, reports: Sequence[Report]) -> list[str]:
    """Open it once more and compare with all that the workers know."""
    try:
        _check_end(plan, reports)
    except (AssertionError, vecsearch.VecsearchError) as error:
        return [f"at the end, seed {plan.seed}: {type(error).__name__}: {error}"]
    return []


def _check_end(plan: Plan, reports: Sequence[Report]) -> None:
    folder = plan.base / DATABASE
    main: World = dict(_FIRST)
    worlds: dict[str, World] = {MAIN: main}
    for report in reports:
        main |= report.worlds[MAIN]
        worlds |= {name: world for name, world in report.worlds.items() if name != MAIN}
    if strange := set(maintenance.collections(folder)) - worlds.keys() - set(SHARED):
        raise WrongError(f"collections {sorted(strange)} are there")
    for name, world in worlds.items():
        with vecsearch.open(folder, collection=name, model=ENCODER, create=False) as collection:
            find_versions(collection.get(where={}, include_vectors=True), {key: [version] for key, version in world.items()})
            collection.optimize()
    for name in SHARED:
        with vecsearch.open(folder, collection=name, model=ENCODER) as collection:
            for report in reports:
                read_shared(report.shared, name, report.owner, collection)
            collection.optimize()
    if findings := maintenance.check(folder, model=ENCODER):
        raise WrongError(f"check: {findings}")
    state = to_state(main)
    check(plan.base, Expected(state, state, whole=True, done=True), plan.seed)


def format_table(plan: Plan, reports: Sequence[Report], seconds: float) -> str:
    """Return what was done, and what came of it."""
    operations, outcomes = Counter[str](), Counter[str]()
    for report in reports:
        operations.update(report.operations)
        outcomes.update(report.outcomes)
    documents = sum(len(world) for report in reports for world in report.worlds.values())
    lines = [
        f"seed {plan.seed}: {plan.threads} threads, {plan.processes} processes of {_PAIR} threads, {seconds:.0f} s",
        f"{sum(operations.values()):,} operations, {sum(report.sent for report in reports):,} interrupts, "
        f"{operations['fork']:,} forks, {documents:,} documents at the end",
    ]
    for title, counts in (("operation", operations), ("outcome", outcomes)):
        lines += ["", f"{title:28}{'count':>10}", *(f"{name:28}{count:>10,}" for name, count in counts.most_common())]
    findings = sum(report.finding is not None for report in reports)
    return "\n".join([*lines, "", f"found wrong by workers: {findings}"])


if __name__ == "__main__":
    sys.exit(main())
