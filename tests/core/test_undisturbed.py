"""Work in a thread that no interruption reaches comes to its end, whenever the caller is interrupted."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from vecsearch.core.atomic_files import sync_folder
from vecsearch.core.undisturbed import run_undisturbed

PATIENCE = 60.0


class NowError(BaseException):
    """What comes at a chosen moment."""


def interrupt_everywhere(work: Callable[[], object]) -> Iterator[int]:
    """Do work again and again, interrupted one call or return later each time, until it is over before; yields after each."""
    moment, was_interrupted = 0, True
    while was_interrupted:
        moment, left, was_interrupted = moment + 1, moment + 1, False

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal left
            left -= event in {"call", "c_return"}
            if left == 0:
                sys.setprofile(None)
                raise NowError

        try:
            sys.setprofile(count)
            work()
        except NowError:
            was_interrupted = True
        finally:
            sys.setprofile(None)
        yield moment


def test_work_ends_whenever_its_caller_is_interrupted() -> None:
    begun, ended = 0, threading.Semaphore(0)

    def work() -> None:
        nonlocal begun
        begun += 1
        ended.release()

    awaited = 0
    for _ in interrupt_everywhere(lambda: run_undisturbed(work)):
        while awaited < begun:  # none is begun that does not end
            assert ended.acquire(timeout=PATIENCE)
            awaited += 1
    assert awaited > 1
    assert run_undisturbed(lambda: 5) == 5


@pytest.mark.slow
def test_a_folder_that_is_made_durable_is_closed_whenever_that_is_interrupted(tmp_path: Path) -> None:
    def is_open() -> bool:
        return any(handle.samefile(tmp_path) for handle in Path("/proc/self/fd").iterdir() if handle.exists())

    for _ in interrupt_everywhere(lambda: sync_folder(tmp_path)):
        sync_folder(tmp_path)  # after which the one before is over
        for _ in range(1000):
            if not is_open():
                break
            threading.Event().wait(0.01)
        assert not is_open()


def test_an_error_of_the_work_is_the_caller_s() -> None:
    with pytest.raises(FileNotFoundError):
        sync_folder(Path("/nowhere/at/all"))
    with pytest.raises(SystemExit):
        run_undisturbed(sys.exit)


def test_a_thread_that_is_ended_before_its_work_begins_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    start = _thread.start_new_thread

    def stop_at_once(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_thread, "start_new_thread", lambda run, arguments: start(stop_at_once, arguments))
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        run_undisturbed(lambda: 5)
    monkeypatch.undo()
    assert run_undisturbed(lambda: 5) == 5
