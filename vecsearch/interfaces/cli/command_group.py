"""Groups of commands: loaded when they are used, listed by what they are for, each with examples in its help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import click

_OTHER: Final = "Other commands"
_SHORT_HELP_LENGTH: Final = 300  # none is cut: what does not fit into a line is wrapped


class LazyCommand(click.Command):
    """Stand in for a command whose module is loaded when it is used, so that other commands start sooner."""

    def __init__(self, name: str, module: str) -> None:
        """Note where the command is defined; load nothing yet."""
        super().__init__(name)
        self._module = module

    def load(self) -> click.Command:
        """Return the command itself."""
        members = vars(import_module(f"vecsearch.interfaces.cli.{self._module}")).values()
        return next(member for member in members if isinstance(member, click.Command) and member.name == self.name)


class CommandGroup(click.Group):
    """A group whose commands are listed in `sections` of its help, and are shown with their examples."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **options: Any) -> None:
        """Make a group; a command that no section names is listed at the end."""
        super().__init__(*args, **options)
        self.sections = sections or {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, loaded."""
        command = super().get_command(ctx, cmd_name)
        return command.load() if isinstance(command, LazyCommand) else command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of definition."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        names = self.list_commands(ctx)
        sections = [(title, [name for name in section if name in names]) for title, section in self.sections.items()]
        listed = {name for _, section in sections for name in section}
        title = _OTHER if sections else "Commands"
        width = max(map(len, names))
        for heading, section in [*sections, (title, [name for name in names if name not in listed])]:
            rows = [(name.ljust(width), self._describe(ctx, name)) for name in section]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def _describe(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(_SHORT_HELP_LENGTH)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant, with its examples as the end of its help."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name is not None:
            add_examples(ctx, name, command)
        return name, command, rest


def add_examples(ctx: click.Context, name: str, command: click.Command) -> None:
    """Let the help of a command of the group that `ctx` runs end with its examples."""
    if command.epilog is None:
        from vecsearch.interfaces.cli.examples import format_examples

        path = [*ctx.command_path.split()[1:], name]
        command.epilog = format_examples(" ".join(path))
