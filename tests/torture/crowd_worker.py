"""One worker of a crowd: a thread that writes documents of its own, is interrupted, forks, and knows what each answer must be."""

from __future__ import annotations

import random
import shutil
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vecsearch
from tests.forking import run_in_child
from tests.torture.crowd_changes import Change, Drawer, make_columns
from tests.torture.crowd_documents import ENCODER, Version, World, WrongError, find_versions, get_token
from tests.torture.crowd_reads import CHECKS, Question, check_all
from tests.torture.interrupts import Interrupter, InterruptibleThread, Outcome
from tests.torture.states import DATABASE

MAIN = "default"
_HISTORY = 12  # steps told of where something is wrong
_INTERRUPTED = 0.25  # of the attempts
_SHORTEST, _LONGEST = 0.0003, 0.1  # seconds until then
_OWN = 0.3  # of the writes that go to a collection of the worker's own
_TIMEOUTS = (0.05, 1.0, 60.0)
_PATIENT = 120.0


@dataclass
class Crew:
    """What the workers of one process share."""

    base: Path
    interrupter: Interrupter
    collection: vecsearch.Collection
    database: vecsearch.Database

    @property
    def folder(self) -> Path:
        return self.base / DATABASE

    @property
    def stopper(self) -> Path:
        """The file whose presence ends the run for all."""
        return self.base / "stop"


@dataclass
class Report:
    """What a worker did and left: its documents by collection, those of shared ones with when they came, and counts."""

    owner: str
    worlds: dict[str, World] = field(default_factory=lambda: {MAIN: {}})
    shared: dict[str, dict[str, tuple[Version, int]]] = field(default_factory=dict)
    operations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sent: int = 0  # interrupts
    finding: str | None = None


class Worker:
    """Takes steps, each drawn, done and checked; made in the thread that takes them."""

    def __init__(self, crew: Crew, owner: str, seed: int) -> None:
        self.crew, self.owner, self.seed = crew, owner, seed
        self.draw = random.Random(f"{seed} {owner}")
        self.drawer = Drawer(owner, self.draw)
        self.report = Report(owner)
        self.thread = InterruptibleThread()
        self.step, self.is_over = 0, False
        self._handles: dict[str, vecsearch.Collection] = {}
        self._history: deque[str] = deque(maxlen=_HISTORY)

    def run(self, steps: int | None) -> Report:
        """Take so many steps, or until all are stopped; what is wrong stands in the report and stops all."""
        from tests.torture.crowd_steps import STEPS

        names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
        try:
            while (steps is None or self.step < steps) and not self.crew.stopper.exists():
                self.step += 1
                STEPS[self.draw.choices(names, weights)[0]][1](self)
            self.close_handles()
        except BaseException:
            self.report.finding = (
                f"worker {self.owner}, seed {self.seed}, step {self.step}\nlast: "
                + "; ".join(self._history)
                + "\n"
                + traceback.format_exc()
            )
            self.crew.stopper.touch()
        self.report.sent, self.is_over = self.thread.sent, True
        return self.report

    # -- trying

    def attempt(
        self, name: str, work: Callable[[], Any], *allowed: type[Exception], expected: type[Exception] | None = None
    ) -> Outcome:
        """Do something that may be interrupted, and count it. Raises what is not allowed; `expected` must come."""
        self._history.append(name)
        delay = _SHORTEST * (_LONGEST / _SHORTEST) ** self.draw.random()
        interrupter = self.crew.interrupter if self.draw.random() < _INTERRUPTED else None
        outcome = self.thread.attempt(work, interrupter, delay)
        said = "interrupted" if outcome.interrupted else type(outcome.error).__name__ if outcome.error else "done"
        self._history[-1] += f" → {said}"
        self.report.operations[name] += 1
        self.report.outcomes[said] += 1
        kinds = allowed if expected is None else (*allowed, expected)
        if outcome.error is not None and not isinstance(outcome.error, kinds):
            raise outcome.error
        if expected is not None and outcome.done:
            raise WrongError(f"{name}: {expected.__name__} was expected")
        if outcome.error is not None:
            outcome.error = outcome.error.with_traceback(None)
        return outcome

    # -- handles

    def draw_handle(self, name: str, *, to_read: bool = False) -> Callable[[], Any]:
        """Return what gives, in `with`, one of the handles of a collection: the process's, the thread's, or one just for this."""
        kinds = ["own", "own", "database", "new"] + ["shared"] * 3 * (name == MAIN) + ["readonly"] * to_read
        kind = self.draw.choice(kinds)
        timeout = self.draw.choice(_TIMEOUTS)
        self._history.append(f"{kind} handle of {name}")

        @contextmanager
        def keep_open(collection: vecsearch.Collection) -> Iterator[vecsearch.Collection]:
            yield collection

        if kind == "own":
            own = self._get_own(name, timeout)
            return lambda: keep_open(own)
        if kind == "shared":
            return lambda: keep_open(self.crew.collection)
        if kind == "database":
            return lambda: keep_open(self.crew.database.collection(name, model=ENCODER))
        return lambda: vecsearch.open(
            self.crew.folder, collection=name, model=ENCODER, lock_timeout=timeout, readonly=kind == "readonly"
        )

    def _get_own(self, name: str, timeout: float) -> vecsearch.Collection:
        if name not in self._handles:
            self._handles[name] = vecsearch.open(self.crew.folder, collection=name, model=ENCODER, lock_timeout=timeout)
        return self._handles[name]

    def close_handle(self, name: str) -> None:
        """Close the thread's own handle of a collection, if it has one."""
        if name in self._handles:
            self._handles.pop(name).close()

    def close_handles(self) -> None:
        """Close all handles of the thread."""
        for name in list(self._handles):
            self.close_handle(name)

    # -- steps on its own documents

    def draw_name(self) -> str:
        """Return a collection in which all of this worker's documents are known."""
        own = sorted(self.report.worlds.keys() - {MAIN})
        return self.draw.choice(own) if own and self.draw.random() < _OWN else MAIN

    def write(self) -> None:
        """Change some documents; then look at them."""
        name = self.draw_name()
        world = self.report.worlds[name]
        change, open_handle = self.drawer.draw_change(world), self.draw_handle(name)

        def work() -> None:
            with open_handle() as collection:
                change.run(collection)

        outcome = self.attempt(change.name, work, vecsearch.DatabaseLockedError, expected=change.expected)
        self.settle(name, change, outcome)
        self.look(name)

    def settle(self, name: str, change: Change, outcome: Outcome) -> None:
        """Find out what a change has left, and check that it is allowed."""
        world, keys = self.report.worlds[name], list(change.after)
        before = {key: world.get(key) for key in keys}
        if outcome.done or change.expected is not None:
            candidates: Mapping[str, list[Version | None]] = {key: [change.after[key]] for key in keys}
        else:
            candidates = {key: [change.after[key], before[key]] for key in keys}
        with self.draw_handle(name, to_read=True)() as collection:
            found = find_versions(collection.get(keys, missing="skip", include_vectors=True), candidates)
        there = {key: found.get(key) for key in keys}
        if change.whole and there not in (dict(change.after), before):
            raise WrongError(f"{change.name} is done in part: {there}, before {before}, after {change.after}")
        for key in keys:
            world.pop(key, None)
        world.update(found)

    def look(self, name: str) -> None:
        """Check all of its documents in a collection, and one or two questions more."""
        checks = [check_all, *self.draw.sample(CHECKS, 2)]
        for check in checks:
            self.ask(name, check)

    def ask(self, name: str, check: Callable[[Question], None]) -> None:
        """Ask one question, which may be interrupted."""
        open_handle = self.draw_handle(name, to_read=True)
        draw = random.Random(self.draw.getrandbits(64))

        def work() -> None:
            with open_handle() as collection:
                check(Question(collection, self.owner, self.report.worlds[name], draw))

        self.attempt(f"read: {check.__name__}", work)

    def fork(self) -> None:
        """Let a child that is forked now look at documents, and write one."""
        key, world = self.drawer.new_key(), self.report.worlds[MAIN]
        after = self.drawer.new_versions([key])
        change = Change("fork", lambda collection: collection.upsert(**make_columns(after)), after)
        open_handle, check = self.draw_handle(MAIN), self.draw.choice(CHECKS)
        draw = random.Random(self.draw.getrandbits(64))

        def work() -> str:
            try:
                with open_handle() as collection:
                    check(Question(collection, self.owner, world, draw))
                    change.run(collection)
                    (hit,) = collection.search(get_token(key, after[key]), mode="lexical")
                    return str(hit.id)
            except Exception as error:
                error.add_note(traceback.format_exc())
                raise

        answer = run_in_child(work)
        outcome = Outcome(done=answer == key)
        said = "done" if outcome.done else type(answer).__name__
        self._history.append(f"fork → {said}")
        self.report.operations["fork"] += 1
        self.report.outcomes[f"fork: {said}"] += 1
        if not outcome.done and not isinstance(answer, vecsearch.UnsafeForkError | vecsearch.DatabaseLockedError):
            raise answer if isinstance(answer, BaseException) else WrongError(f"the child found {answer!r}, expected {key!r}")
        self.settle(MAIN, change, outcome)

    # -- steps on the whole

    def tidy(self) -> None:
        """Optimize a collection; then look at it."""
        name, full = self.draw_name(), self.draw.random() < 0.2
        open_handle = self.draw_handle(name)

        def work() -> None:
            with open_handle() as collection:
                collection.optimize(full=full)

        self.attempt("optimize", work, vecsearch.DatabaseLockedError)
        self.look(name)

    def examine(self) -> None:
        """Check the database while others work."""

        def work() -> list[vecsearch.Finding]:
            return self.crew.database.check(model=ENCODER)

        outcome = self.attempt("check", work)
        if outcome.done and (errors := [each for each in outcome.value if each.severity is vecsearch.Severity.ERROR]):
            raise WrongError(f"check: {errors}")

    def back_up(self) -> None:
        """Back up, restore elsewhere, and find all of its documents there."""
        place = self.crew.base / f"copy-{self.owner}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        outcome = self.attempt("backup", lambda: self.crew.database.backup(place / "kept"))
        if outcome.done:
            vecsearch.restore(place / "kept", place / DATABASE)
            for name, world in self.report.worlds.items():
                with vecsearch.open(place / DATABASE, collection=name, model=ENCODER, readonly=True) as collection:
                    check_all(Question(collection, self.owner, world, self.draw))
        shutil.rmtree(place)

    def reopen(self) -> None:
        """Close the thread's handles: the next step opens others."""
        self.close_handles()
        self.report.operations["reopen"] += 1
