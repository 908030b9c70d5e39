"""The commands for roots: what was given to `index`, with the options that it keeps, and what is kept away from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from vecsearch.core.types import format_count
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.rendering import root_lines, terminal_safe


@click.group(invoke_without_command=True)
@add_common_options
def roots(options: CliContext) -> None:
    """List what `index` refreshes, with its options, and what is kept away."""
    if click.get_current_context().invoked_subcommand is None:
        _list_roots(options)


@roots.command("list")
@add_common_options
def list_(options: CliContext) -> None:
    """List the files and folders that were indexed."""
    _list_roots(options)


@roots.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@add_common_options
def forget(options: CliContext, paths: Sequence[str]) -> None:
    """Refresh PATH no more; its documents stay."""
    with options.open_for_writing() as collection:
        for path in paths:
            collection.forget_root(path)
    lines = [f"forgot {path}; to remove its documents too: vecsearch delete --source {path}" for path in paths]
    options.show({"forgotten": list(paths)}, [] if options.quiet else map(terminal_safe.make_printable, lines))


@roots.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@add_common_options
def unignore(options: CliContext, ids: Sequence[str]) -> None:
    """Take documents again that `delete --ignore` keeps away."""
    with options.open_for_writing() as collection:
        count = collection.stop_ignoring(ids)
    pronoun = "it" if count == 1 else "them"
    line = f"{format_count(count, 'document')} kept away no more: the next `vecsearch index` brings {pronoun} back"
    options.show({"unignored": count}, [] if options.quiet else [line])


def _list_roots(options: CliContext) -> None:
    with options.open_for_reading() as collection:
        listed, ignored = collection.roots(), collection.list_ignored()
        counts = [collection.count(source=root.path) for root in listed]
    value = [
        {**root.to_dict(), "documents": count, "there": root_lines.is_there(root)}
        for root, count in zip(listed, counts, strict=True)
    ]
    lines = list(root_lines.format_roots(listed, ignored, counts)) or ["nothing is refreshed by `vecsearch index` yet"]
    options.show(
        {"roots": value, "ignored": [asdict(document) for document in ignored]}, [] if options.quiet and not listed else lines
    )
