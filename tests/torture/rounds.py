"""Rounds: a step, a machine that fails in the middle of it, and a look at what is left."""

from __future__ import annotations

import errno
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import vecsearch
from tests.torture.check import Expected, check
from tests.torture.forks import Ended, Fork, forked
from tests.torture.logged import log_of
from tests.torture.power import Disk, Record, read_trace
from tests.torture.shim import Kind, Shim, What
from tests.torture.states import DATABASE, State, Step
from tests.torture.steps import Plan

_STEPS_TRACED = 6
_CUTS = 40  # of one trace
_HELD = 0.7
_AGAIN = 0.5
_BOTH = 0.3  # of the rounds with another process beside: that is killed, too
_WATCHED = 0.1  # of the rounds: the step is left alone and its points are counted
_UNHARMED = 0.8  # of the first steps, which only make the database
_CHAIN = 12  # rounds on one database, so that what they leave behind adds up
_FAULTS = ((What.FAIL, errno.ENOSPC), (What.FAIL, errno.EIO), (What.FAIL_HALF, errno.ENOSPC), (What.FULL, errno.ENOSPC))


@dataclass(frozen=True)
class Outcome:
    """One round: what was done to which step at which point; `finding` is what did not hold, None where all did.

    `hit` is False where the step was over before the point was reached.
    """

    blow: str
    step: str
    point: str
    hit: bool
    finding: str | None = None
    seed: int = 0


class Machine:
    """Databases in a folder, and a shim that makes their machine fail."""

    def __init__(self, place: Path, shim: Shim, seed: int) -> None:
        self._place, self._shim = place, shim
        self._seed, self._draw = seed, random.Random(seed)
        self._points: dict[str, dict[Kind, int]] = defaultdict(dict)  # the most seen in each step
        self._seconds: dict[str, float] = {}

    def kills(self) -> Iterator[Outcome]:
        """Without end: a child is killed at a point, in the middle of a write, or at a random moment."""
        yield from self._rounds("kill", (What.KILL, What.KILL_HALF, None))

    def faults(self) -> Iterator[Outcome]:
        """Without end: a call fails, or does half of what it should."""
        yield from self._rounds("fault", _FAULTS)

    def power_cuts(self) -> Iterator[Outcome]:
        """Without end: all that some steps do to the disk is written down, and the power fails at points in between."""
        while True:
            self._seed += 1
            plan, base, trace = (
                Plan(self._seed, alone=True),
                self._place / f"base{self._seed}",
                self._place / f"trace{self._seed}",
            )
            shutil.rmtree(base, ignore_errors=True)
            base.mkdir(parents=True)
            steps = [plan.first()]
            if self._draw.random() < 0.5:
                steps.append(plan.grown(steps[-1].after))
            while len(steps) < _STEPS_TRACED:
                steps.append(plan.next(steps[-1].after))
            disk = Disk(base)
            held = self._draw.random() < _HELD
            ended = forked(lambda: self._traced(base, steps, trace, held=held))  # noqa: B023
            if ended.error:
                yield Outcome("power cut", "all", "none", False, f"{ended.error}", self._seed)
                continue
            yield from self._cuts(disk, read_trace(trace), steps)
            shutil.rmtree(base)
            trace.unlink()

    def _traced(self, base: Path, steps: Sequence[Step], trace: Path, *, held: bool) -> None:
        """`held`: a reader stays, so that SQLite's log is not emptied after every step."""
        readers: list[vecsearch.Collection] = []
        with trace.open("wb", buffering=0) as file:
            self._shim.arm(base, What.TRACE, trace=file.fileno())
            for number, step in enumerate(steps):
                self._shim.note(f"prepare {number}")
                step.prepare(base)
                self._shim.note(f"begin {number}")
                step.run(base)
                self._shim.note(f"done {number}")
                if held and not readers:
                    readers.append(vecsearch.open(base / DATABASE, readonly=True))
            self._shim.disarm()

    def _cuts(self, disk: Disk, records: Sequence[Record], steps: Sequence[Step]) -> Iterator[Outcome]:
        chosen = set(self._draw.sample(range(len(records)), min(len(records), _CUTS)))
        image, now, word, before = self._place / "image", 0, "prepare", None
        for number, record in enumerate(records):
            if record.kind is Kind.NOTE:
                word, place = record.path.split()
                now, before = int(place), steps[int(place) - 1].after if int(place) else None
            else:
                disk.apply(record)
            if number not in chosen or word == "prepare":
                continue
            done = word == "done"
            shutil.rmtree(image, ignore_errors=True)
            disk.cut(image, random.Random(self._seed * 1_000_003 + number))
            expected = _expect(before, steps[now], done=done, once=False)
            seen = forked(lambda: check(image, expected, self._seed))  # noqa: B023
            finding = f"at record {number}: {seen.error}; {'done' if done else 'going on'}" if seen.error or seen.killed else None
            yield Outcome("power cut", steps[now].name, f"after {record.kind.name.lower()}", True, finding, self._seed)

    def _rounds(self, blow: str, choices: Sequence[Any]) -> Iterator[Outcome]:
        while True:
            self._seed += 1
            plan, base = Plan(self._seed), self._place / f"base{self._seed}"
            shutil.rmtree(base, ignore_errors=True)
            base.mkdir(parents=True)
            state: State | None = None
            for _ in range(_CHAIN):
                step = plan.first() if state is None else plan.next(state)
                if state is None and self._draw.random() < _UNHARMED:
                    state = self._unharmed(base, step)
                    continue
                if state is not None and len(state.docs) < 30 and self._draw.random() < 0.3:
                    step = plan.grown(state)
                outcome, state = self._round(blow, base, state, step, self._draw.choice(choices))
                yield outcome
                if outcome.finding:
                    break
            else:
                shutil.rmtree(base)

    def _unharmed(self, base: Path, step: Step) -> State:
        step.prepare(base)
        ended = forked(lambda: step.run(base))
        assert ended == Ended(), ended
        return step.after

    def _round(self, blow: str, base: Path, before: State | None, step: Step, how: Any) -> tuple[Outcome, State | None]:
        step.prepare(base)
        log_of(base).unlink(missing_ok=True)
        self._shim.forget()
        again = self._draw.random() < _AGAIN
        beside = Fork(partial(step.beside, base)) if step.beside else None
        if how is None:
            ended = forked(lambda: self._armed(base, step, What.WATCH), kill_after=self._draw.uniform(0, self._longest(step)))
        else:
            what, error = (how, 0) if isinstance(how, What) else how
            at, kind = self._aim(step)
            if not self._points[step.name] or self._draw.random() < _WATCHED:
                what = What.WATCH  # else only what comes before the first blow would ever be known
            ended = forked(lambda: self._armed(base, step, what, at, kind, error, again=again))
        endings = [ended, *([self._end(beside)] if beside else [])]
        point = "a random moment" if how is None else (self._shim.reached or Kind.NOTE).name.lower()
        hit = ended.killed or self._shim.reached is not None
        self._remember(step)
        name = blow if how is None or isinstance(how, What) else f"{blow} {how[0].name.lower()} {errno.errorcode[how[1]]}"
        finding, state = self._look(base, before, step, endings, once=not (again and self._shim.reached))
        return Outcome(name, step.name, point, hit, finding, self._seed), state

    def _end(self, beside: Fork) -> Ended:
        """Wait for the other process, or kill it, too."""
        if self._draw.random() < _BOTH:
            time.sleep(self._draw.uniform(0, 0.1))
            beside.kill()
        return beside.wait()

    def _armed(
        self, base: Path, step: Step, what: What, at: int = 0, kind: int = 0, error: int = 0, *, again: bool = False
    ) -> None:
        """`again`: where the step fails, the cause is taken away and the same process tries once more, which must do."""
        self._shim.arm(base, what, at, kind=kind, error=error)
        try:
            step.run(base)
        except vecsearch.VecsearchError:
            if not again:
                raise
            self._shim.disarm()
            step.run(base)

    def _aim(self, step: Step) -> tuple[int, int]:
        """A point of any kind, or one of a kind, among as many as this step was seen to have."""
        seen = self._points[step.name] or {Kind.WRITE: 1}
        if self._draw.random() < 0.5:
            return self._draw.randint(1, sum(seen.values())), 0
        kind = self._draw.choice(list(seen))
        return self._draw.randint(1, seen[kind]), kind

    def _remember(self, step: Step) -> None:
        seen = self._points[step.name]
        for kind, count in self._shim.counts.items():
            seen[kind] = max(seen.get(kind, 0), count)

    def _longest(self, step: Step) -> float:
        return 0.6 if "files" in step.name else 0.3 if step.beside else 0.15

    def _look(
        self, base: Path, before: State | None, step: Step, endings: Sequence[Ended], *, once: bool
    ) -> tuple[str | None, State | None]:
        for ended in endings:
            if ended.error and ended.error[0] != "VecsearchError":
                return f"the step failed with {ended.error[1]}", None
        done = not any(ended.killed or ended.error for ended in endings)
        expected = _expect(before, step, done=done, once=once and (done or len(endings) == 1))
        seen = forked(lambda: check(base, expected, self._seed))
        if seen.killed or seen.error:
            how = [ended.error or ("was killed" if ended.killed else "ended well") for ended in endings]
            return f"{seen.error}; the step {how}", None
        return None, seen.value


def _expect(before: State | None, step: Step, *, done: bool, once: bool) -> Expected:
    """What may be there after a step, or in the middle of it."""
    late = step.after.late if done else step.after.late | step.late | (before.late if before else frozenset())
    return Expected(before, step.after, step.whole, done, step.spoils, late, once and not step.repeats)
