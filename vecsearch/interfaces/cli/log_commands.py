"""The commands for the log of questions, which is off until it is turned on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from shlex import quote
from typing import Any

import click

from vecsearch.core.errors import StorageError
from vecsearch.core.types import format_count
from vecsearch.interfaces.cli import question_log
from vecsearch.interfaces.cli.command_group import CommandGroup
from vecsearch.interfaces.cli.options import CliContext, add_common_options, make_limit_option
from vecsearch.interfaces.cli.question_log import LogEntry
from vecsearch.interfaces.cli.questions import confirm, yes_option
from vecsearch.interfaces.rendering import output, terminal_safe


@click.group(cls=CommandGroup, invoke_without_command=True)
@add_common_options
def log(options: CliContext) -> None:
    """Log, on this machine alone, what is searched for and which hits are opened or liked: for tune --from-log.

    It is off until `vecsearch log on`. It is kept in the database folder, for your eyes alone, and in no backup.
    """
    if click.get_current_context().invoked_subcommand is None:
        _show_state(options)


@log.command()
@add_common_options
def on(options: CliContext) -> None:
    """Log from now on: searches in the shell, and which of their hits `open` opens, `get` prints or
    `profile like` likes."""
    _turn(options, on=True)


@log.command()
@add_common_options
def off(options: CliContext) -> None:
    """Log no more; what was logged stays until `vecsearch log delete`."""
    _turn(options, on=False)


@log.command()
@make_limit_option(20)
@add_common_options
def show(options: CliContext, limit: int) -> None:
    """Show what was logged, the newest last: of one collection with -c, else of all."""
    entries = list(question_log.read_entries(options.find_database(), options.collection))[-limit:]
    lines = map(_format_entry, entries) if entries or options.quiet else ["nothing is logged"]
    options.show({"entries": [asdict(entry) for entry in entries]}, lines)


@log.command()
@add_common_options
def export(options: CliContext) -> None:
    """Print all that was logged, as JSON lines: of one collection with -c, else of all."""
    lines = [asdict(entry) for entry in question_log.read_entries(options.find_database(), options.collection)]
    options.show(lines, (json.dumps(line, ensure_ascii=False) for line in lines), wraps=False)


@log.command()
@yes_option
@add_common_options
def delete(options: CliContext, yes: bool) -> None:
    """Delete all that was logged, of all collections.

    On a terminal it asks first.
    """
    database = options.find_database()
    confirm(f"delete the log of questions of {database}?", yes=yes)
    try:
        count = question_log.delete_entries(database)
    except OSError as error:
        raise StorageError(f"the log in {database} cannot be deleted: {error}") from error
    options.show({"deleted": count}, [] if options.quiet else [f"deleted {format_count(count, 'line')}"])


def _turn(options: CliContext, *, on: bool) -> None:
    database = options.find_database()
    try:
        question_log.turn(database, on=on)
    except OSError as error:
        raise StorageError(f"the log in {database} cannot be turned {'on' if on else 'off'}: {error}") from error
    _show_state(options)


def _show_state(options: CliContext) -> None:
    database = options.find_database()
    counts = Counter(entry.act.value for entry in question_log.read_entries(database, options.collection))
    is_on, pairs = question_log.is_on(database), len(question_log.list_pairs(database, options.name))
    value: dict[str, Any] = {"on": is_on, **{act.value: counts[act.value] for act in question_log.LoggedAct}, "pairs": pairs}
    amounts = ", ".join(f"{value[act.value]:,} {act.value}" for act in question_log.LoggedAct)
    hint = "" if is_on else "; to log from now on: vecsearch log on"
    options.show(value, [f"the log is {'on' if is_on else 'off'}: {amounts}{hint}", *_format_next(options, pairs)])


def _format_next(options: CliContext, pairs: int) -> Iterator[str]:
    """Yield how far it is to what `tune` needs, where something was chosen."""
    if not pairs:
        return
    from vecsearch.core.tuning import PAIRS_MIN

    have = f"{format_count(pairs, 'pair')} of a question and what was chosen of {options.name}"
    chosen = "" if options.collection is None else f" -c {quote(options.collection)}"
    learn = f"to learn from them: vecsearch tune --from-log{chosen}" if pairs >= PAIRS_MIN else f"tune needs {PAIRS_MIN}"
    yield terminal_safe.make_printable(f"{have}; {learn}")


def _format_entry(entry: LogEntry) -> str:
    what = "" if entry.id is None else f" → {entry.id}"
    return terminal_safe.make_printable(f"{output.format_minute(entry.at)}  {entry.act:8}  {entry.question}{what}")
