"""A lock on a file ends with whoever held it, also where that was lost in the middle of an error."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from vecsearch.core.file_lock import LockFile, LockTimeoutError, hold_file_lock


@pytest.fixture
def _collector_off() -> Iterator[None]:
    """Keep Python from collecting cycles by itself, as where little is made while one waits."""
    gc.disable()
    yield
    gc.enable()


class _Frame:
    """Holds a lock and itself, as a frame does that the traceback of its own error leads to."""

    def __init__(self, lock: LockFile) -> None:
        self.lock, self.error = lock, self


@pytest.mark.usefixtures("_collector_off")
def test_a_lock_that_a_cycle_alone_holds_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    _Frame(hold_file_lock(path))
    with hold_file_lock(path, timeout=60):
        pass


def test_a_lock_that_is_held_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with hold_file_lock(path):
        for timeout in (0, 1.2):
            with pytest.raises(LockTimeoutError, match="is locked by another process"):
                hold_file_lock(path, timeout=timeout)
    with hold_file_lock(path, timeout=0):
        pass
