"""A question before what cannot be undone: on a terminal only, so that scripts run as they did."""

from __future__ import annotations

import sys

import click

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask, on a terminal, before it is done.")


def is_answerable() -> bool:
    """Return whether somebody sits at a terminal, reads stderr there and can type an answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes` was said before or nobody can answer; leave with exit status 1 unless the answer is yes."""
    from vecsearch.interfaces.rendering.terminal_safe import make_printable

    if not yes and is_answerable() and not click.confirm(make_printable(question), err=True):
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)
