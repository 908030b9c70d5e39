"""Work in a process beside: whatever becomes of the process, the result is that of the function."""

from __future__ import annotations

import operator
import os
import signal
import time
from collections.abc import Iterator

import pytest

from vecsearch.core import helper_process
from vecsearch.core.helper_process import HelperProcess


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[HelperProcess]:
    """One that listens already."""
    monkeypatch.setattr(helper_process, "count_cores", lambda: 2)
    made = HelperProcess()
    wait_until_ready(made)
    yield made
    made.stop()


def wait_until_ready(helper: HelperProcess) -> None:
    while not helper._is_ready:
        with helper.begin(os.getpid) as get_result:
            get_result()
        time.sleep(0.01)


def find_process(helper: HelperProcess) -> int:
    with helper.begin(os.getpid) as get_result:
        return get_result()


def test_work_is_done_in_another_process_one_thing_after_the_other(helper: HelperProcess) -> None:
    pids = {find_process(helper) for _ in range(5)}
    assert len(pids) == 1 and os.getpid() not in pids
    large = "ä" * 3_000_000  # more than a pipe holds, there and back
    with helper.begin(operator.add, large, "!") as get_result:
        assert get_result() == large + "!"


def test_nobody_waits_for_it_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "count_cores", lambda: 2)
    helper = HelperProcess()
    assert find_process(helper) == os.getpid()
    wait_until_ready(helper)
    assert find_process(helper) != os.getpid()
    helper.stop()
    assert find_process(helper) == os.getpid()
    helper.stop()


def test_on_one_core_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "count_cores", lambda: 1)
    helper = HelperProcess()
    assert find_process(helper) == os.getpid() and helper._process is None


def test_whoever_comes_while_it_works_computes_alone(helper: HelperProcess) -> None:
    with helper.begin(os.getpid) as get_result:
        assert find_process(helper) == os.getpid()
        assert get_result() != os.getpid()
    assert find_process(helper) != os.getpid()


def test_an_error_is_the_functions_own(helper: HelperProcess) -> None:
    with helper.begin(operator.truediv, 1, 0) as get_result, pytest.raises(ZeroDivisionError, match="division by zero"):
        get_result()
    with helper.begin(operator.add, 1, 1) as get_result:
        assert get_result() == 2


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_where_it_ends_the_caller_computes(helper: HelperProcess, ending: signal.Signals) -> None:
    with helper.begin(time.sleep, 600):
        assert helper._process is not None
        os.kill(helper._process.pid, ending)
    with helper.begin(operator.add, 1, 1) as get_result:
        assert get_result() == 2
    wait_until_ready(helper)
    with helper.begin(operator.add, 2, 2) as get_result:
        assert helper._process is not None
        os.kill(helper._process.pid, signal.SIGKILL)
        assert get_result() == 4


def test_what_nobody_asked_for_is_no_answer_to_the_next(helper: HelperProcess) -> None:
    with pytest.raises(KeyboardInterrupt), helper.begin(operator.add, 1, 1):
        raise KeyboardInterrupt
    for _ in range(2):
        with helper.begin(operator.add, 2, 2) as get_result:
            assert get_result() == 4
        wait_until_ready(helper)


def test_without_work_it_ends_and_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "count_cores", lambda: 2)
    monkeypatch.setattr(helper_process, "_MAIN", helper_process._MAIN.replace("serve(", "serve(idle_seconds=0.1, socket="))
    helper = HelperProcess()
    wait_until_ready(helper)
    assert helper._process is not None
    helper._process.wait(60)
    for _ in range(2):
        with helper.begin(operator.add, 1, 1) as get_result:
            assert get_result() == 2
    helper.stop()


def test_a_forked_child_has_no_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "count_cores", lambda: 2)
    helper = helper_process.HELPER
    wait_until_ready(helper)
    with helper.begin(operator.add, 1, 1) as get_result:
        child = os.fork()
        if child == 0:
            with helper.begin(os.getpid) as get_its_result:
                os._exit(0 if get_its_result() == os.getpid() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert get_result() == 2
    helper.stop()
