"""The shell: parse → one library call → print. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any, Final

import click

import vecsearch
from vecsearch.core.errors import (
    CollectionNotFoundError,
    DatabaseCorruptedError,
    NotADatabaseError,
    UsageError,
    VecsearchError,
    VecsearchWarning,
)
from vecsearch.core.types import Finding, Severity
from vecsearch.interfaces.cli import document_commands, index_commands, search_commands, streams
from vecsearch.interfaces.cli.index_commands import IndexOptions, add_index_options
from vecsearch.interfaces.cli.options import CliContext, add_common_options, parse_metadata_option
from vecsearch.interfaces.rendering import output, terminal_safe

INTERRUPTED_STATUS: Final = 130


def run() -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    streams.enable_escapes()
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", VecsearchWarning)
    warnings.showwarning = _show_warning
    try:
        status = int(cli.main(standalone_mode=False, prog_name="vecsearch") or 0)
        sys.stdout.flush()  # here, where a closed pipe can still be told from a failure
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return _report_error(error)
    return status


def _report_error(error: BaseException) -> int:
    """Print the error in one line; return the exit status."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            _print_to_stderr("interrupted; what was committed is kept")
            return INTERRUPTED_STATUS
        case BrokenPipeError() | SystemExit():  # click leaves with SystemExit when the pipe is closed
            return _silence_stdout()
        case VecsearchError():
            _print_to_stderr(f"Error: {error}")
            return 2 if isinstance(error, UsageError) else 1
    if os.environ.get("VECSEARCH_DEBUG"):
        raise error
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    _print_to_stderr(f"Error: {type(error).__name__}: {error}{notes}; set VECSEARCH_DEBUG=1 to see where")
    return 1


def _silence_stdout() -> int:
    """Leave quietly when the reader of our output has closed the pipe: nothing more is flushed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _print_to_stderr(f"Warning: {message}")


def _print_to_stderr(line: str) -> None:
    click.echo(terminal_safe.make_printable(line), err=True)


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


class OrderedGroup(click.Group):
    """List the commands in the order of this file, which is the order of use."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, loaded."""
        command = super().get_command(ctx, cmd_name)
        return command.load() if isinstance(command, LazyCommand) else command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of definition."""
        return list(self.commands)


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(vecsearch.__version__, prog_name="vecsearch")
@add_common_options
def cli(_: CliContext) -> None:
    """Semantic search over your own documents, in one folder."""


# -- writing


@cli.command()
@click.argument("paths", nargs=-1, metavar="PATH… | -")
@add_index_options
@click.option("--allow-empty", is_flag=True, help="Remove the documents of a folder that is now empty or not mounted.")
@click.option("--retry-failed", is_flag=True, help="Index again only the files that failed, all of them or those at PATH….")
@click.option("--dry-run", is_flag=True, help="Show what would be added, updated and removed; change nothing.")
@click.option("--no-vectors", is_flag=True, help="Stop once texts are found by their words.")
@click.option("--vectors-only", is_flag=True, help="Only make the vectors that are still to be made.")
@add_common_options
def index(
    options: CliContext, paths: Sequence[str], allow_empty: bool, retry_failed: bool, dry_run: bool, no_vectors: bool,
    vectors_only: bool, **option_values: Any,
) -> int:  # fmt: skip
    """Add or refresh files, folders and globs.

    With - it reads stdin. Stdin or a .jsonl file holds {"id", "text", "title", "metadata"} a line; any other key becomes
    metadata. Files that are gone from a folder are removed, unchanged ones cost nothing.

    Texts are found by their words as soon as they are read; their vectors follow, the newest first. Ctrl-C keeps what is done.
    """
    if vectors_only:
        if paths or no_vectors or allow_empty or retry_failed or dry_run:
            raise click.UsageError("--vectors-only takes neither PATH… nor another option of what to read.")
        return index_commands.show_fill_report(options, index_commands.fill_vectors(options))
    if not paths and not retry_failed:
        raise click.UsageError("Missing argument 'PATH… | -'.")
    if "-" in paths and (len(paths) > 1 or retry_failed or dry_run):
        raise click.UsageError("- (stdin) cannot be mixed with paths, --retry-failed or --dry-run.")
    run = IndexOptions.from_options(option_values)
    if paths == ("-",):
        report = index_commands.index_stdin(options, run, vectors=not no_vectors)
    elif retry_failed:
        report = index_commands.index_failed_files(options, paths, run, dry_run=dry_run, vectors=not no_vectors)
    else:
        report = index_commands.index_paths(options, paths, run, allow_empty=allow_empty, dry_run=dry_run, vectors=not no_vectors)
    return index_commands.show_report(options, report)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@add_index_options
@add_common_options
def watch(options: CliContext, paths: Sequence[str], **option_values: Any) -> None:
    """Index files and folders, then keep up with their changes until interrupted."""
    from vecsearch.interfaces.cli import file_watcher

    file_watcher.watch(options, paths, IndexOptions.from_options(option_values))


cli.add_command(document_commands.delete)


@cli.command()
@click.option("--full", is_flag=True, help="Rewrite everything: as few index files as possible, a compact database.")
@click.option("--stemmer", metavar="CODE", help="Rebuild the text index with this stemmer, an ISO 639-1 code or none.")
@add_common_options
def optimize(options: CliContext, full: bool, stemmer: str | None) -> None:
    """Merge new rows into the indexes and free unused space, in one collection or in all."""
    with options.connect(writable=True) as database:
        database.upgrade()
        names = database.collections() if options.collection is None else [options.collection]
    for name in names:
        with replace(options, collection=name).open_for_writing() as collection:
            collection.optimize(full=full, stemmer=stemmer)
    with options.connect(writable=True) as database:
        if not names:
            database.compact(full=full)
        copies = database.list_old_copies() if full else []
    for copy in copies:
        _print_to_stderr(f"Note: {copy} still holds what was deleted since it was made; remove it once you do not need it")
    _show_status(options, only=options.collection)


cli.add_command(LazyCommand("reembed", "reembed_command"))


# -- searching and reading


for _command in (
    search_commands.search,
    search_commands.similar,
    search_commands.recommend,
    search_commands.context,
    LazyCommand("eval", "eval_commands"),
    document_commands.get,
    document_commands.ls,
    document_commands.facets,
):
    cli.add_command(_command)


@cli.command()
@add_common_options
def status(options: CliContext) -> None:
    """Show what the database holds: counts, model, index and sizes."""
    _show_status(options, only=options.collection)


@cli.command()
@add_common_options
def models(options: CliContext) -> None:
    """List the models, and the collections that use them."""
    from vecsearch.api.database import describe_model
    from vecsearch.encoders.model_files import BUNDLED_MODEL

    try:
        with options.connect() as database:
            models = database.models()
    except NotADatabaseError:
        models = [describe_model(BUNDLED_MODEL, [])]
    options.show({"models": models}, output.format_models(models))


@cli.command()
@click.option("--fix", is_flag=True, help="Repair what can be derived from texts and vectors, after a backup in the folder.")
@add_common_options
def doctor(options: CliContext, fix: bool) -> int:
    """Check the database for damage."""
    from vecsearch.api.database import describe_damage

    try:
        with options.connect(writable=fix) as database:
            if options.collection is not None and options.collection not in (names := database.collections()):
                raise CollectionNotFoundError(options.collection, names)
            done = database.repair() if fix else None
            findings: Sequence[Finding] = database.check() if done is None else done.findings
    except DatabaseCorruptedError as error:
        done, findings = None, [describe_damage(error)]
    more: dict[str, Any] = {"repaired": [], "backup": None} if fix else {}
    lines = output.format_findings(findings)
    if done is not None:
        more = {"repaired": list(done.repaired), "backup": None if done.backup is None else str(done.backup)}
        lines = output.format_repairs(done.repaired, done.backup, findings)
    ok = all(finding.severity is not Severity.ERROR for finding in findings)
    options.show({"ok": ok, "findings": [asdict(finding) for finding in findings], **more}, lines)
    return 0 if ok else 1


for _name in ("backup", "restore", "export", "import"):
    cli.add_command(LazyCommand(_name, "transfer_commands"))


@cli.group(invoke_without_command=True)
@add_common_options
def collections(options: CliContext) -> None:
    """List, create, describe, delete or rename collections."""
    if click.get_current_context().invoked_subcommand is None:
        _list_collections(options)


@collections.command("list")
@add_common_options
def list_collections(options: CliContext) -> None:
    """List the collections."""
    _list_collections(options)


@collections.command("create")
@click.argument("name")
@click.option("--model", metavar="NAME", help="A hub name or a local folder.  [default: all-MiniLM-L6-v2]")
@click.option("--stemmer", metavar="CODE", help="Stemmer of its text index, an ISO 639-1 code or none.  [default: en]")
@click.option("--metadata", metavar="JSON", help="A JSON object to store with it.")
@add_common_options
def create_collection(options: CliContext, name: str, model: str | None, stemmer: str | None, metadata: str | None) -> None:
    """Create an empty collection, and the database if there is none."""
    extra = {} if metadata is None else parse_metadata_option(metadata)
    with vecsearch.connect(options.choose_database()) as database:
        collection = database.create_collection(name, model=model, stemmer=stemmer, metadata=extra)
        created = {"created": name, "model": collection.model, "dimension": collection.dimension, "metadata": extra}
    options.show(created, [] if options.quiet else [f"created {name} with the model {created['model']}"])


@collections.command("describe")
@click.argument("name")
@click.option("--metadata", metavar="JSON", help="A JSON object to store with it, in the place of what is there.")
@add_common_options
def describe_collection(options: CliContext, name: str, metadata: str | None) -> None:
    """Show a collection's id and metadata, or give it other metadata."""
    with options.connect(writable=metadata is not None) as database:
        if name not in (known := database.collections()):
            raise CollectionNotFoundError(name, known)
        collection = database.collection(name)
        if metadata is not None:
            collection.set_metadata(parse_metadata_option(metadata))
        described = {"name": name, "id": collection.id, "metadata": dict(collection.metadata)}
    shown = json.dumps(described["metadata"], ensure_ascii=False)
    options.show(described, [] if options.quiet else map(terminal_safe.make_printable, (f"{name}  {described['id']}", shown)))


@collections.command("delete")
@click.argument("name")
@add_common_options
def delete_collection(options: CliContext, name: str) -> None:
    """Delete a collection with all its documents."""
    with options.connect(writable=True) as database:
        database.delete_collection(name)
    options.show({"deleted": name}, [] if options.quiet else [f"deleted {name}"])


@collections.command("rename")
@click.argument("old")
@click.argument("new")
@add_common_options
def rename_collection(options: CliContext, old: str, new: str) -> None:
    """Rename a collection."""
    with options.connect(writable=True) as database:
        database.rename_collection(old, new)
    options.show({"renamed": old, "to": new}, [] if options.quiet else [f"{old} is now {new}"])


def _list_collections(options: CliContext) -> None:
    with options.connect() as database:
        names = database.collections()
    options.show({"collections": names}, map(terminal_safe.make_printable, names))


def _show_status(options: CliContext, *, only: str | None) -> None:
    with options.connect() as database:
        status = database.status(only)
    options.show(status, output.format_status(status))
