"""The page of all commands, made of what `--help` prints."""

from __future__ import annotations

from collections.abc import Iterator

import click

from vecsearch.interfaces.cli.main import cli

_WIDTH = 80
_HEAD = """\
# Commands

Made by `python -m docs.make` from what `vecsearch COMMAND --help` prints. Every command takes `--db DIR`,
`-c/--collection NAME`, `--json` (one JSON value on stdout; `watch`: one for each change) and `-q/--quiet`. Data goes to
stdout, everything else to stderr.

## Values of options

An optional value is joined by `=`: `--mmr=0.3`, `--rerank=MODEL`. A number after `--mmr` and the path of a folder after
`--rerank` are taken too; any other word belongs to the query.

## Output that the terminal cannot show

Characters that the output's encoding lacks are shown as `\\u2026`. `--json` stays valid JSON in any encoding.

## Exit status

| status | meaning |
| --- | --- |
| 0 | done |
| 1 | failed, or some files failed; with `--exit-status` also: nothing found |
| 2 | usage error |
| 130 | interrupted |

## Environment variables

| variable | meaning |
| --- | --- |
| `VECSEARCH_DB` | the database folder, where `--db` is not given |
| `VECSEARCH_CACHE` | the folder of prepared models, instead of the system's own |
| `VECSEARCH_EDITOR_URI` | the template of the links that open a hit in an editor |
| `VECSEARCH_DEBUG` | `1` shows where an unexpected error came from |
| `HF_HUB_OFFLINE` | `1` looks for no model on the network |
| `OMP_NUM_THREADS` | how many cores are used at most |
| `NO_COLOR` | anything switches colours off |
"""


def make_command_reference() -> str:
    """Write the page: each command with its help as it is printed at 80 columns."""
    return "\n".join([_HEAD, *_describe(cli, None, "vecsearch")])


def list_commands(group: click.Group = cli, prefix: str = "") -> Iterator[str]:
    """Yield the name of every command, that of its group before it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from list_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def _describe(group: click.Group, parent: click.Context | None, name: str) -> Iterator[str]:
    context = _make_context(group, parent, name)
    yield f"## `{context.command_path}`\n\n```text\n{group.get_help(context)}\n```\n"
    for sub_name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [sub_name])
        if isinstance(command, click.Group):
            yield from _describe(command, context, sub_name)
        elif command is not None:
            sub_context = _make_context(command, context, sub_name)
            yield f"## `{sub_context.command_path}`\n\n```text\n{command.get_help(sub_context)}\n```\n"


def _make_context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return click.Context(command, parent=parent, info_name=name, **settings)
