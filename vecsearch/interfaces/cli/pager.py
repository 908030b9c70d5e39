"""Long output through a pager, as git does it: on a terminal only, and only where it is longer than the screen."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from vecsearch.interfaces.rendering.terminal import Terminal, measure_cells

_PAGER_DEFAULT: Final = "less"
_LESS_OPTIONS: Final = "FRX"  # leave if it fits, show colours, leave it on the screen; what the user has set in $LESS wins
_PLAIN: Final = ("", "cat")


def show_paged(lines: Iterable[str], terminal: Terminal) -> None:
    """Print lines: through $PAGER, else `less`, where they are more than a terminal shows at once; else as they are."""
    shown, command = list(lines), shlex.split(os.environ.get("PAGER", _PAGER_DEFAULT))
    is_watched = terminal.is_terminal and sys.stdin.isatty()
    if not is_watched or " ".join(command) in _PLAIN or _count_rows(shown, terminal) < shutil.get_terminal_size().lines:
        _print(shown)
        return
    environment = {"LESS": _LESS_OPTIONS, **os.environ}
    try:
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:  # none is there
        _print(shown)
        return
    with _ignore_interrupts():  # Ctrl-C belongs to the pager
        text = "".join(f"{line}\n" for line in shown).encode(sys.stdout.encoding, "backslashreplace")
        pager.communicate(text)  # which takes no harm where it is left before the end


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _count_rows(lines: Iterable[str], terminal: Terminal) -> int:
    """Return how many rows of the screen lines take."""
    parts = (part for line in lines for part in line.split("\n"))
    return sum(max(1, -(-measure_cells(part) // terminal.width)) for part in parts)


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
