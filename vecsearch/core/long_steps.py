"""Tell people of a step that takes long and happens once, such as preparing a model, so that nobody waits in silence.

The shell shows it its own way (`display`). Elsewhere it is logged by `logging.getLogger("vecsearch")` at INFO; where nobody
listens to that, and somebody sits at a terminal or in a notebook, it is one line on stderr.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeAlias

Display: TypeAlias = Callable[[str, int], AbstractContextManager[object]]
"""Shows what is done, and about how many seconds it takes, for as long as the block lasts."""

_log: Final = logging.getLogger("vecsearch")
_displays: Final[list[Display]] = []


@contextmanager
def display(shown_by: Display) -> Iterator[None]:
    """Show the steps that begin inside the block this way; of several, the innermost counts."""
    _displays.append(shown_by)
    try:
        yield
    finally:
        _displays.remove(shown_by)


@contextmanager
def announce(what: str, seconds: int) -> Iterator[None]:
    """Tell of a step of about so many seconds, which the block is."""
    if _displays:
        with _displays[-1](what, seconds):
            yield
        return
    line = f"{what} (about {seconds} s, once)"
    _log.info("%s", line)
    if not (_log.isEnabledFor(logging.INFO) and _log.hasHandlers()) and _is_watched():
        print(line, file=sys.stderr, flush=True)
    yield


def _is_watched() -> bool:
    """Return whether somebody reads stderr while this runs: at a terminal, or in a notebook."""
    return sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)
