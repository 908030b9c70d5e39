"""Children forked from one warm process: what they did, how they ended."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vecsearch

SMALL = {  # so that tens of rows pass through all that thousands would
    "BATCH_CHUNKS": 16, "FILL_CHUNKS": 16, "BATCH_TEXT_CHUNKS": 16, "FILL_WINDOW": 24, "READ_DOCUMENTS": 8,
    "INDEX_FLUSH_ROWS": 20, "INDEX_RUN_ROWS_MIN": 4, "PQ_MIN_ROWS": 50, "SEGMENT_ROWS_MAX": 120, "RESCORE_MIN": 20,
}  # fmt: skip
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Ended:
    """How a child ended: `killed` by SIGKILL, with an `error` (its type and text), or with a value."""

    killed: bool = False
    error: tuple[str, str] | None = None
    value: Any = None


def shrink() -> None:
    """Give the thresholds small values, wherever they were imported."""
    for name, module in list(sys.modules.items()):
        if name.startswith("vecsearch"):
            for constant in SMALL.keys() & vars(module).keys():
                setattr(module, constant, SMALL[constant])


def forked(work: Callable[[], Any], *, kill_after: float | None = None) -> Ended:
    """Run something in a child; `kill_after` so many seconds it is killed, if it is still there."""
    child = Fork(work)
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    return child.wait()


class Fork:
    """A child that does something meanwhile."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._pipe, writing = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(self._pipe)
            _child(work, writing)
        os.close(writing)

    def kill(self) -> None:
        """Kill it, if it is still there."""
        os.kill(self._child, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for its end."""
        with os.fdopen(self._pipe, "rb") as pipe:
            said = _read(pipe.fileno(), self._child)
        status = os.waitpid(self._child, 0)[1]
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, f"the child died of signal {os.WTERMSIG(status)}"
            return Ended(killed=True)
        return Ended(*pickle.loads(said))


def _read(pipe: int, child: int) -> bytes:
    import select

    said, until = b"", time.monotonic() + _TIMEOUT
    while True:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"a child did not end within {_TIMEOUT:g} s")
        block = os.read(pipe, 1 << 16)
        if not block:
            return said
        said += block


def _child(work: Callable[[], Any], pipe: int) -> None:
    try:
        answer: tuple[Any, ...] = (False, None, work())
    except BaseException as error:
        kind = "VecsearchError" if isinstance(error, vecsearch.VecsearchError) else type(error).__name__
        where = "" if kind == "VecsearchError" else "".join(traceback.format_exception(error)[-4:])
        answer = (False, (kind, f"{type(error).__name__}: {error} {where}"))
    with os.fdopen(pipe, "wb") as file:
        file.write(pickle.dumps(answer))
    os._exit(0)


def warm(place: Path) -> None:
    """Do once all that children will do, so that they need not load anything."""
    from tests.torture.check import Expected, check
    from tests.torture.states import State
    from tests.torture.steps import Plan

    base = place / "warm"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    plan, state = Plan(0), State({})
    for step in (plan.first(), plan.named("files", state)):
        step.prepare(base)
        step.run(base)
        check(base, Expected(state, step.after, whole=False, late=step.after.late), 0)
        state = step.after
    shutil.rmtree(base)
