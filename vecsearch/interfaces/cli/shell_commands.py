"""The commands about the shell itself: help, completion."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class

from vecsearch.interfaces.cli.options import CliContext, add_common_options

_SHELLS = ("bash", "zsh", "fish")


@click.command("help")
@click.argument("command", nargs=-1, metavar="[COMMAND]", shell_complete=lambda ctx, _, begun: _complete_command(ctx, begun))
@add_common_options
def show_help(options: CliContext, command: Sequence[str]) -> None:
    """Show the help of a command, or of all."""
    context = click.get_current_context().find_root()
    for name in command:
        group = context.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands.", context)
        _, found, _ = group.resolve_command(context, [name])
        assert found is not None
        context = click.Context(found, info_name=name, parent=context)
    text = context.get_help()
    options.show({"command": " ".join(command), "help": text}, [text])


def _complete_command(ctx: click.Context, begun: str) -> list[str]:
    root = ctx.find_root()
    group = root.command
    assert isinstance(group, click.Group)
    return [name for name in group.list_commands(root) if name.startswith(begun)]


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), metavar="SHELL")
@add_common_options
def completion(options: CliContext, shell: str) -> None:
    """Print the script for completion in bash, zsh or fish.

    It completes commands, options, files, collections and ids, and asks vecsearch itself for each word, so that it is always that
    of the version that runs.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "vecsearch", "_VECSEARCH_COMPLETE").source()
    options.show({"shell": shell, "script": script}, [script.rstrip("\n")])
