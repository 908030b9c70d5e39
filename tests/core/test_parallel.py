"""Work that is done on all cores: its order, its errors, and that it works in a forked child."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vecsearch.core.parallel import count_cores, map_parallel, start


@pytest.fixture(params=[1, 2], autouse=True)
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("vecsearch.core.parallel.count_cores", lambda: request.param)
    return int(request.param)


def test_results_stand_in_the_order_asked_for() -> None:
    assert map_parallel(lambda n: n * n, range(100)) == [n * n for n in range(100)]
    assert map_parallel(str, []) == []


def test_as_many_at_a_time_as_there_are_cores(cores: int) -> None:
    barrier = threading.Barrier(cores)
    assert map_parallel(lambda n: barrier.wait(timeout=30) >= 0, range(cores)) == [True] * cores


def test_work_that_is_begun_is_done_once_beside_the_caller(cores: int) -> None:
    threads: list[int] = []

    def work() -> int:
        threads.append(threading.get_ident())
        return 7

    wait = start(work)
    assert (wait(), wait()) == (7, 7)
    assert len(threads) == 1 and (threads[0] == threading.get_ident()) == (cores == 1)


def test_threads_take_turns_often_only_while_work_goes_on_beside_the_caller(cores: int) -> None:
    usual, go_on = sys.getswitchinterval(), threading.Event()
    first, second = start(go_on.is_set), start(lambda: go_on.wait(30))
    first()
    assert (sys.getswitchinterval() < usual) == (cores > 1)
    if child := os.fork() if cores > 1 else 0:
        assert os.waitpid(child, 0)[1] == 0
    elif cores > 1:
        os._exit(sys.getswitchinterval() != usual)
    go_on.set()
    assert second() and sys.getswitchinterval() == usual


def test_an_error_of_work_that_was_begun_is_raised_where_its_result_is_needed() -> None:
    wait = start(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError, match="by zero"):
        wait()


def test_the_first_error_is_raised_and_none_is_left_running() -> None:
    running_threads = []

    def work(n: int) -> None:
        running_threads.append(n)
        try:
            if n == 3:
                raise ValueError(f"no {n}")
        finally:
            running_threads.remove(n)

    with pytest.raises(ValueError, match="no 3"):
        map_parallel(work, range(50))
    assert not running_threads


def test_many_callers_and_work_within_work_wait_for_nobody() -> None:
    def inner(n: int) -> int:
        return sum(map_parallel(lambda m: n * m, range(20)))

    with ThreadPoolExecutor(16) as callers:
        results = list(callers.map(lambda _: map_parallel(inner, range(20)), range(16)))
    assert results == [[n * 190 for n in range(20)]] * 16


def test_a_forked_child_has_helpers_of_its_own() -> None:
    assert map_parallel(str, range(9)) == [str(n) for n in range(9)]
    child = os.fork()
    if not child:
        right = False
        try:
            right = map_parallel(str, range(9)) == [str(n) for n in range(9)]
        finally:
            os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_fewer_cores_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert count_cores() == 1
