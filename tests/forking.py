"""Forked children that are watched: one that hangs is killed, and the test fails."""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import Any

_SECONDS = 120.0  # far more than any child needs, also on a busy machine


class ChildHungError(AssertionError):
    """A child did not end."""


def run_in_child(work: Callable[[], Any]) -> Any:
    """Run something in a forked child; return its result, or the error that it raised. Raises ChildHungError."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            try:
                answer = work()
            except BaseException as error:
                answer = error
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return pickle.loads(_read(reading, child))
    finally:
        os.close(reading)
        os.waitpid(child, 0)


def _read(pipe: int, child: int) -> bytes:
    data, end = b"", time.monotonic() + _SECONDS
    while True:
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL)
            raise ChildHungError(f"a child did not end within {_SECONDS:g} seconds")
        block = os.read(pipe, 1 << 16)
        if not block:
            return data
        data += block
