"""Threads that begin together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def run_together(uses: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Run functions in a thread each, all at once; returns what they raised."""
    together, errors = threading.Barrier(len(uses)), list[BaseException]()

    def run(use: Callable[[], object]) -> None:
        together.wait()
        try:
            use()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(use,)) for use in uses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
