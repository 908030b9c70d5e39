"""How many modules a warm hybrid search and the indexing of one file pass, and how often they move between them.

    python -m benchmarks.moves

A move is a call or a return whose two ends lie in different modules of vecsearch, counted by sys.setprofile in every thread. What
runs outside the package (NumPy, SQLite, the model) counts as part of the module that called it. Fewer is easier to follow; the
figures are no reason to merge modules that are good apart.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import vecsearch

TEXTS = ("The harbour seals rest on the sandbank.", "A central bank lends to the other banks.", "A jump over the fence.")


class MoveCounter:
    """Count the modules that are entered, and the moves between them."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.modules: Counter[str] = Counter()
        self.moves = 0
        self._lock = threading.Lock()

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count a call or a return; for sys.setprofile."""
        if event not in ("call", "return"):
            return
        module = find_module(frame)
        if module is None:
            return
        caller = find_caller(frame)
        with self._lock:
            if event == "call":
                self.modules[module] += 1
            if caller is not None and caller != module:
                self.moves += 1


def find_module(frame: FrameType) -> str | None:
    """Return the module of vecsearch that a frame runs in; None for any other code."""
    name = frame.f_globals.get("__name__", "")
    return name if name == "vecsearch" or name.startswith("vecsearch.") else None


def find_caller(frame: FrameType) -> str | None:
    """Return the nearest module of vecsearch above a frame."""
    caller = frame.f_back
    while caller is not None:
        if (module := find_module(caller)) is not None:
            return module
        caller = caller.f_back
    return None


@contextmanager
def count_moves() -> Iterator[MoveCounter]:
    """Count what the block does, in every thread."""
    counter = MoveCounter()
    threading.setprofile(counter.profile)
    sys.setprofile(counter.profile)
    try:
        yield counter
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def measure_search(collection: vecsearch.Collection) -> MoveCounter:
    """Count a hybrid search whose model and index are loaded."""
    ask: Callable[[], object] = lambda: collection.search("where do seals rest", limit=2)  # noqa: E731
    for _ in range(3):
        ask()
    with count_moves() as counter:
        ask()
    return counter


def measure_index(collection: vecsearch.Collection, folder: Path) -> MoveCounter:
    """Count the indexing of one new file into a collection that is there."""
    file = folder / "note.txt"
    file.write_text("A note about the tide and the estuary.", encoding="utf-8")
    with count_moves() as counter:
        collection.index([file])
    return counter


def main() -> None:
    """Print both."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        with vecsearch.open(folder / "x.vec") as collection:
            collection.add(list(TEXTS))
            for name, counter in (
                ("hybrid search", measure_search(collection)),
                ("index one file", measure_index(collection, folder)),
            ):
                print(f"{name}: {len(counter.modules)} modules, {counter.moves} moves")
                if "-v" in sys.argv:
                    print("  " + ", ".join(f"{module} {count}" for module, count in counter.modules.most_common()))


if __name__ == "__main__":
    main()
