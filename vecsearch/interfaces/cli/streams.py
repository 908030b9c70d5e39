"""Standard output and error that show anything: what their encoding has not is escaped, visibly, and never an error."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Final, TextIO

import click

from vecsearch.interfaces.rendering.terminal_safe import make_printable

_line_printers: Final[list[Callable[[str], object]]] = []  # of what keeps the last lines of the terminal for itself


class _EscapingAscii(TextIOWrapper):
    """ASCII under a name of its own: click takes "ascii" for a mistake, and writes UTF-8 where no one can read it."""

    encoding = "vecsearch-ascii"


def enable_escapes() -> None:
    """Let stdout and stderr escape, as `\\u2026`, each character that their encoding cannot hold."""
    sys.stdout, sys.stderr = _make_escaping(sys.stdout), _make_escaping(sys.stderr)


def _make_escaping(stream: TextIO) -> TextIO:
    if not isinstance(stream, TextIOWrapper) or isinstance(stream, _EscapingAscii):
        return stream
    if get_encoding(stream) != "ascii":
        stream.reconfigure(errors="backslashreplace")
        return stream
    is_line_buffered, is_unbuffered = stream.line_buffering, stream.write_through
    return _EscapingAscii(
        stream.detach(), "ascii", "backslashreplace", line_buffering=is_line_buffered, write_through=is_unbuffered
    )


def get_encoding(stream: TextIO) -> str:
    """Return the encoding that a stream writes, by its one name in Python."""
    if isinstance(stream, _EscapingAscii):
        return "ascii"
    try:
        return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name
    except LookupError:
        return "ascii"


def print_line(line: str) -> None:
    """Print a line to stderr, above a progress bar where there is one."""
    if _line_printers:
        _line_printers[-1](make_printable(line))
    else:
        click.echo(make_printable(line), err=True)


@contextmanager
def print_lines(printer: Callable[[str], object]) -> Iterator[None]:
    """Let this print the lines for stderr while the block runs."""
    _line_printers.append(printer)
    try:
        yield
    finally:
        _line_printers.remove(printer)
