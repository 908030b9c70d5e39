"""Pictures and pages that a command writes: to a file, or to stdout."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.core.errors import wrap_write_error
from vecsearch.interfaces.cli.options import CliContext
from vecsearch.interfaces.rendering.terminal_safe import make_encodable


def write_picture(options: CliContext, path: str, picture: str) -> None:
    """Write a picture in the place of what a file holds, or to stdout where the path is -.

    Raises ReadOnlyError, DiskFullError, StorageIOError.
    """
    if path == "-":
        click.echo(make_encodable(picture))
        return
    try:
        Path(path).expanduser().write_bytes(make_encodable(picture).encode())
    except OSError as error:
        raise wrap_write_error(f"{path} cannot be written", error) from error
    if not options.quiet:
        click.echo(f"wrote {path}", err=True)
