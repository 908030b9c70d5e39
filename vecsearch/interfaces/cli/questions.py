"""A question before what cannot be undone: on a terminal only, so that scripts run as they did."""

from __future__ import annotations

import sys

import click

from vecsearch.interfaces.cli import streams

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask, on a terminal, before it is done.")


def is_answerable() -> bool:
    """Return whether somebody sits at a terminal, reads stderr there and can type an answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes` was said before or nobody can answer; leave with exit status 1 unless the answer is yes."""
    from vecsearch.interfaces.rendering.terminal_safe import make_printable

    if yes or not is_answerable():
        return
    lines = streams.detect_terminal().wrap(make_printable(f"{question} [y/N]:"), 0)
    if not click.confirm("\n".join(lines), err=True, show_default=False, prompt_suffix=" "):
        streams.print_line("nothing was changed")
        raise click.exceptions.Exit(1)
