"""An attribute is computed once an instance, whichever threads ask, and nobody waits for another instance."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import PROJECT
from tests.forking import run_in_child
from vecsearch.core.lazy_property import lazy_property

WAIT_S = 60


class Thing:
    """An attribute that takes as long as its owner likes."""

    def __init__(self, compute: Callable[[], int]) -> None:
        self._compute, self.computed = compute, 0

    @lazy_property
    def value(self) -> int:
        """Return what was computed."""
        self.computed += 1
        return self._compute()

    @lazy_property
    def double(self) -> int:
        return 2 * self.value


def test_an_attribute_is_computed_once_and_kept() -> None:
    thing = Thing(lambda: 7)
    assert (thing.value, thing.value, thing.double, thing.computed) == (7, 7, 14, 1)
    assert Thing.value.__doc__ == "Return what was computed."
    assert set(vars(thing)) == {"_compute", "computed", "value", "double"}  # no lock is left


def test_threads_that_ask_at_once_get_one_result() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def compute() -> int:
        begun.set()
        assert may_end.wait(WAIT_S)
        return 7

    thing = Thing(compute)
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(lambda: thing.value)]
        assert begun.wait(WAIT_S)
        results += [pool.submit(lambda: thing.value) for _ in range(7)]
        may_end.set()
        assert [result.result(WAIT_S) for result in results] == [7] * 8
    assert thing.computed == 1


def test_another_instance_is_not_held_up() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def compute() -> int:
        begun.set()
        assert may_end.wait(WAIT_S)
        return 7

    slow = Thing(compute)
    with ThreadPoolExecutor(2) as pool:
        result = pool.submit(lambda: slow.value)
        assert begun.wait(WAIT_S)
        assert pool.submit(lambda: Thing(lambda: 8).value).result(WAIT_S) == 8  # while the other computes
        may_end.set()
        assert result.result(WAIT_S) == 7


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_it_is_computed_again(error: type[BaseException]) -> None:
    results: list[BaseException | int] = [error("not yet"), 7]

    def compute() -> int:
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    thing = Thing(compute)
    with pytest.raises(error, match="not yet"):
        _ = thing.value
    assert thing.value == 7


def test_a_child_that_was_forked_while_a_thread_computes_computes_itself() -> None:
    """The thread is outside of the package, so that the fork does not wait for it."""
    begun, may_end, owner = threading.Event(), threading.Event(), os.getpid()

    def compute() -> int:
        if os.getpid() != owner:
            return 8
        begun.set()
        assert may_end.wait(WAIT_S)
        return 7

    thing = Thing(compute)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(lambda: thing.value)
        assert begun.wait(WAIT_S)
        assert run_in_child(lambda: thing.value) == 8
        may_end.set()
        assert result.result(WAIT_S) == 7


def test_the_package_has_no_other_kind_of_such_attribute() -> None:
    for path in (PROJECT / "vecsearch").rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
        assert "cached_property" not in names, path
