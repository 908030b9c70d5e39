"""Ctrl-C, a lack of memory or a signal handler's error, at any moment: the handle, its locks and its data are as before or after.

Signals are handled where a function begins and after a call of C: there, at every so many of those moments, an error is raised.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import vecsearch
from tests.checks import is_sound
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from vecsearch.core.file_lock import hold_file_lock
from vecsearch.core.helper_process import HelperProcess
from vecsearch.core.settings import DATABASE_FILE, SCHEMA_VERSION
from vecsearch.stores.sqlite.engine import write_lock

ENCODER = FakeEncoder()
MOMENTS = int(os.environ.get("VECSEARCH_TEST_MOMENTS", "9"))  # of each operation
PATIENCE = 60


class HandlerError(BaseException):
    """What a signal handler of the user's raises."""


ERRORS: tuple[type[BaseException], ...] = (KeyboardInterrupt, TimeoutError, HandlerError, MemoryError)


class Interrupter:
    """Counts the moments at which an error can come, and raises one at a chosen moment."""

    def __init__(self, at: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self._at, self._error, self.moments = at, error, 0

    def run(self, work: Callable[[], object]) -> None:
        sys.setprofile(self._count)
        try:
            work()
        except ERRORS:
            pass
        except TypeError as error:  # of Python 3.11, which may lose count of its own stack where a profile function raises
            if "'traceback' object" not in str(error):
                raise
        finally:
            sys.setprofile(None)

    def _count(self, _frame: FrameType, event: str, _argument: object) -> None:
        if event in {"call", "c_return"}:
            self.moments += 1
            if self.moments == self._at:
                sys.setprofile(None)
                raise self._error("now")


def interrupt_everywhere(work: Callable[[], object], moments: int = MOMENTS) -> Iterator[int]:
    """Do work again and again, each time interrupted elsewhere; yields after each."""
    work()  # what is loaded once is loaded
    whole = Interrupter()
    whole.run(work)
    for number in range(moments):
        Interrupter(1 + number * whole.moments // moments, ERRORS[number % len(ERRORS)]).run(work)
        yield number


@contextmanager
def stop_collecting() -> Iterator[None]:
    """Leave cycles of references where they are: Python may collect them much later."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def find_open_files(folder: Path) -> list[str]:
    gc.collect()
    names = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(file.readlink()))
        except FileNotFoundError:
            continue
    return [name for name in names if name.startswith(str(folder))]


@pytest.fixture(autouse=True)
def _logging_lock() -> Iterator[None]:
    """Give back the lock of `logging`, which Python 3.11 keeps where an interruption comes just after it was taken."""
    yield
    lock: Any = logging._lock  # type: ignore[attr-defined]
    while lock._is_owned():
        lock.release()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    for n in range(3):
        (tmp_path / "files" / f"{n}.txt").write_text(f"a buoy of number {n}")
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        collection.add(["a gull", "a keel"], ids=["gull", "keel"], metadatas=[{"n": 1}, {"n": 2}])
        collection.export_documents(tmp_path / "in.jsonl")
    return tmp_path / "db"


def work_on(collection: Any, folder: Path) -> dict[str, Callable[[], object]]:
    files = folder.parent

    def index() -> None:
        collection.index([files / "files"])
        collection.delete(source=files / "files")

    def fill() -> None:
        collection.index([files / "files"], vectors=False)
        collection.fill_vectors()
        collection.delete(source=files / "files")

    return {
        "get": lambda: collection.get(["gull"], include_vectors=True),
        "list": lambda: (collection.list_documents(), list(collection), collection.list_sources(), len(collection)),
        "search": lambda: collection.search("a gull", where={"n": 1}, explain=True),
        "similar": lambda: (collection.similar(id="gull"), collection.recommend(positive=["gull"]), collection.context("gull")),
        "status": collection.status,
        "add and delete": lambda: (collection.add(["a changed one"]), collection.delete(where={"n": {"$exists": False}})),
        "upsert": lambda: collection.upsert(["a changed one"], ids=["changed"]),
        "update": lambda: collection.update("keel", metadata={"n": 2, "more": [1]}),
        "fill": fill,
        "index": index,
        "optimize": collection.optimize,
        "export": lambda: collection.export_documents(files / "out.jsonl", force=True),
        "import": lambda: collection.import_documents(files / "in.jsonl", on_conflict="replace"),
        "open": lambda: vecsearch.open(folder, model=ENCODER).close(),
    }


OPERATIONS = [
    "get", "list", "search", "similar", "status", "add and delete", "upsert", "update", "fill", "index", "optimize", "export",
    "import", "open",
]  # fmt: skip


def check(collection: Any, number: int) -> None:
    """Check what an interrupted handle answers and writes."""
    assert [document.text for document in collection.get(["gull", "keel"])] == ["a gull", "a keel"]
    assert collection.search("a gull", limit=1)[0].id == "gull"
    assert "changed" not in collection or collection.get("changed")[0].text == "a changed one"
    write(collection, number)


def write(collection: Any, number: int) -> None:
    collection.upsert([f"number {number}"], ids=["own"], metadatas=[{"n": number}])
    assert collection.get("own")[0].text == f"number {number}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # where it comes while something is collected
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_interrupted_the_handle_goes_on(folder: Path, name: str) -> None:
    with vecsearch.open(folder, model=ENCODER, lock_timeout=1) as collection, ThreadPoolExecutor(1) as thread:
        for number in interrupt_everywhere(work_on(collection, folder)[name]):
            check(collection, number)
            thread.submit(write, collection, number).result(PATIENCE)  # a lock that is held would be this thread's
    with vecsearch.open(folder, model=ENCODER, lock_timeout=1) as other:
        write(other, 0)
    assert find_open_files(folder) == []
    assert is_sound(folder)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["get", "list", "search", "upsert"])
def test_what_was_interrupted_reads_no_longer_also_where_no_cycle_is_collected(folder: Path, name: str) -> None:
    with (
        stop_collecting(),
        vecsearch.open(folder, model=ENCODER, lock_timeout=1) as collection,
        closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None, timeout=0)) as other,
    ):
        for _ in interrupt_everywhere(work_on(collection, folder)[name], moments=60):
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # it waits for nobody
            other.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")  # so that there is something in the log


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["write", "fill"])
def test_an_interruption_at_any_moment_of_a_lock_leaves_it_free_also_where_no_cycle_is_collected(folder: Path, name: str) -> None:
    def hold() -> None:
        with write_lock.hold_write_lock(folder, timeout=0) if name == "write" else write_lock.claim_filling(folder, 1):
            pass

    hold()
    whole = Interrupter()
    whole.run(hold)
    with stop_collecting():
        for moment in range(1, whole.moments + 1):
            Interrupter(moment, ERRORS[moment % len(ERRORS)]).run(hold)
            with hold_file_lock(folder / write_lock.LOCK_FILE, timeout=0), write_lock.claim_filling(folder, 1) as claimed:
                assert claimed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_helper_is_as_good_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.core.helper_process.count_cores", lambda: 2)
    helper, numbers = HelperProcess(), iter(range(10_000))

    def compute() -> int:
        number = next(numbers)
        with helper.begin(abs, -number) as get_result:
            assert get_result() == number
        return number

    def find_process() -> bool:
        with helper.begin(os.getpid) as get_result:
            return get_result() != os.getpid()

    try:
        while not find_process():
            pass
        for _ in interrupt_everywhere(compute):
            compute()
            with ThreadPoolExecutor(1) as thread:
                while not thread.submit(find_process).result(PATIENCE):  # it is there again, soon
                    pass
    finally:
        helper.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError, HandlerError])
def test_what_a_signal_handler_raises_comes_out_as_it_is(folder: Path, error: type[BaseException]) -> None:
    """The signal of a timer comes between any two instructions of Python, so also where SQLite calls a test of a filter."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise error("of the handler")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with vecsearch.open(folder, model=ENCODER) as collection:
            for number in range(120):
                try:
                    signal.setitimer(signal.ITIMER_REAL, (number % 40 + 1) * 1e-4)
                    for _ in range(20):
                        collection.count({"$text": {"$regex": "g.ll"}})
                        collection.facets("n", where={"$title": {"$not_regex": "x"}})
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except error as raised:
                    assert str(raised) == "of the handler"
            assert collection.count({"$text": {"$regex": "g.ll"}}) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupted_first_use_of_faiss_does_not_spoil_the_next(folder: Path) -> None:
    script = f"""
import sys, vecsearch
from tests.fakes import FakeEncoder

def interrupt(frame, event, argument):
    begins = event == "c_call" and argument.__name__ == "start_new_thread"
    if begins or (event == "return" and frame.f_code.co_name == "handle_SearchParameters"):
        sys.setprofile(None)
        raise KeyboardInterrupt

with vecsearch.open({str(folder)!r}, model=FakeEncoder()) as collection:
    sys.setprofile(interrupt)
    try:
        collection.optimize()
    except KeyboardInterrupt:
        collection.optimize()
        collection.delete("keel")
        print([hit.id for hit in collection.search("a gull")])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout == "['gull']\n", done.stderr
