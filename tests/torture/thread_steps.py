"""Steps in which threads of one process work at once: they open new and old databases, fork, and are interrupted.

Each thread writes documents of its own, and all of these are there when the step is done. What a child or an interrupted
thread did not do is done once more.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vecsearch
from tests import maintenance
from tests.forking import run_in_child
from tests.threads import run_together
from tests.torture.interrupts import Interrupter, InterruptibleThread
from tests.torture.states import DATABASE, FILES, Doc, State, Step, add_documents
from vecsearch.core.settings import SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.stores.sqlite.engine.database_file import is_database

if TYPE_CHECKING:
    from tests.torture.steps import Plan

_FORMATS = Path(__file__).parents[1] / "formats"
_OLD_DOCUMENTS = 10  # of each format that is kept
_THREADS = 3
_NEW = ("a keel of a new ship", "a mast of a new ship", "a sail of a new ship")
_OTHER = "an oar"
_LONGEST = 0.05  # seconds until an interruption

Work = Callable[[Path], None]


class StepError(AssertionError):
    """A thread found something wrong."""


def open_at_once(plan: Plan, state: State) -> Step:
    """Threads open one new database, one of an older format, and the database that is there, all at the same time."""
    parts, old = _draw_parts(plan, state), draw_format(plan)

    def prepare(base: Path) -> None:
        shutil.rmtree(base / FILES, ignore_errors=True)
        (base / FILES).mkdir()
        if not plan.alone:  # else what is copied here would be lost with the power
            shutil.copytree(_FORMATS / str(old), base / FILES / "old")

    def run(base: Path) -> None:
        works = [partial(_put_part(plan, state, part).run, base) for part in parts]
        works += [partial(_write_new, base, number) for number in range(len(_NEW))]
        works += [partial(_upgrade, base)] * (0 if plan.alone else 2)
        run_at_once(works)
        check_beside(base, done=True)

    return Step("threads open", run, _add_parts(state, parts), whole=False, prepare=prepare)


def create_at_once(plan: Plan) -> Step:
    """Threads make the database together, each with documents of its own."""
    state = State({})
    parts = _draw_parts(plan, state)

    def run(base: Path) -> None:
        run_at_once([partial(_put_part(plan, state, part).run, base) for part in parts])

    return Step("threads create", run, _add_parts(state, parts), whole=False)


def fork_among_writers(plan: Plan, state: State) -> Step:
    """Children are forked while other threads write, and write too, unless they say that they cannot."""
    *parts, childs = _draw_parts(plan, state)
    forked = _put_part(plan, state, childs)

    def fork(base: Path) -> None:
        try:
            answer = run_in_child(lambda: forked.run(base))
        except EOFError as error:  # it was killed
            answer = error
        if answer is not None and not isinstance(answer, vecsearch.VecsearchError | EOFError):
            raise answer
        if answer is not None:
            forked.run(base)

    def run(base: Path) -> None:
        run_at_once([*(partial(_put_part(plan, state, part).run, base) for part in parts), partial(fork, base)])

    return Step("threads fork", run, _add_parts(state, [*parts, childs]), whole=False, repeats=True)


def interrupt_writers(plan: Plan, state: State) -> Step:
    """Threads that write by one handle are interrupted, and write once more."""
    parts, seed = _draw_parts(plan, state), plan.draw.random()

    def run(base: Path) -> None:
        interrupter, draw = Interrupter(), random.Random(seed)
        with vecsearch.open(base / DATABASE, model=state.encode_at(base)) as collection:
            run_at_once(
                [partial(_insist, partial(_add, collection, part), interrupter, draw.uniform(0, _LONGEST)) for part in parts]
            )
        interrupter.stop()

    return Step("threads interrupt", run, _add_parts(state, parts), whole=False, repeats=True)


def run_at_once(works: Sequence[Callable[[], object]]) -> None:
    """Do each in a thread of its own, all begun together; raises what one of them raised, the strangest first."""
    for error in sorted(run_together(works), key=lambda error: isinstance(error, vecsearch.VecsearchError)):
        raise error


def check_beside(base: Path, *, done: bool = False) -> None:
    """Check the new and the old database, as far as they are there; with `done` they are, whole."""
    if is_database(new := base / FILES / "new"):
        with vecsearch.open(new, model=State({}).encoder) as collection:
            found = {each.id: each.text for each in collection.get(where={})} if "default" in maintenance.collections(new) else {}
            whole = {(str(number), text) for number, text in enumerate(_NEW)} | {("0", _OTHER)}  # where this check was cut off
            wrong = found.items() - whole
            if wrong or (done and len(found) < len(_NEW)):
                raise StepError(f"the new database holds {found}")
            collection.upsert([_OTHER], ids=["0"])  # it can be written
            collection.upsert([_NEW[0]], ids=["0"])
        _check_sound(new)
    elif done:
        raise StepError("the new database is not there")
    if (base / FILES / "old").exists():
        _upgrade(base)
        _check_sound(base / FILES / "old" / "database")


def draw_format(plan: Plan) -> int:
    """Return an older format that is still read."""
    return plan.draw.randrange(SCHEMA_VERSION_MIN, SCHEMA_VERSION)


def _check_sound(folder: Path) -> None:
    if errors := maintenance.list_errors(folder):
        raise StepError(f"doctor: {errors}")


def _write_new(base: Path, number: int) -> None:
    with vecsearch.open(base / FILES / "new", model=State({}).encoder) as collection:
        collection.upsert([_NEW[number]], ids=[str(number)])


def _upgrade(base: Path) -> None:
    with vecsearch.connect(base / FILES / "old" / "database", create=False) as database:
        database.upgrade()
        count = len(database.collection("default"))
    if count != _OLD_DOCUMENTS:
        raise StepError(f"the old database holds {count} documents, expected {_OLD_DOCUMENTS}")


def _draw_parts(plan: Plan, state: State) -> list[dict[str, Doc]]:
    """Return the documents of each thread: new ones, and others that it replaces."""
    free = sorted(key for key, doc in state.docs.items() if doc.source is None)
    replaced = plan.draw.sample(free, min(len(free), 2 * _THREADS))
    return [
        {key: plan.draw_document() for key in [plan.new_key(state), *replaced[number::_THREADS]]} for number in range(_THREADS)
    ]


def _put_part(plan: Plan, state: State, part: dict[str, Doc]) -> Step:
    return plan.put("part", state, part, whole=False)


def _add_parts(state: State, parts: Sequence[dict[str, Doc]]) -> State:
    for part in parts:
        state = add_documents(state, part)
    return state


def _add(collection: vecsearch.Collection, part: dict[str, Doc]) -> None:
    columns: dict[str, Any] = {
        "ids": list(part), "metadatas": [doc.metadata for doc in part.values()], "titles": [doc.title for doc in part.values()],
    }  # fmt: skip
    collection.upsert([doc.text for doc in part.values()], **columns)


def _insist(work: Callable[[], object], interrupter: Interrupter, delay: float) -> None:
    outcome = InterruptibleThread().attempt(work, interrupter, delay)
    if outcome.error is not None:
        raise outcome.error
    if not outcome.done:
        work()
