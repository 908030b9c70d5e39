"""The shell: parse → one library call → print. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from typing import Any, Final

import click

import vecsearch
from vecsearch.core.errors import CollectionNotFoundError, FilterError, UsageError, VecsearchError, VecsearchWarning
from vecsearch.core.types import format_count
from vecsearch.interfaces.cli import document_commands, index_commands, search_commands, streams
from vecsearch.interfaces.cli.command_group import CommandGroup, LazyCommand
from vecsearch.interfaces.cli.completion import FILE, complete_collections
from vecsearch.interfaces.cli.examples import format_environment
from vecsearch.interfaces.cli.index_commands import INTERRUPTED_STATUS, IndexOptions, add_index_options
from vecsearch.interfaces.cli.options import CliContext, add_common_options, parse_metadata_option
from vecsearch.interfaces.cli.questions import confirm, yes_option
from vecsearch.interfaces.rendering import terminal_safe


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
        if isinstance(error, SystemExit) and not error.code:  # a completion
            return 0
        return _report_error(error)
    return status


def _report_error(error: BaseException) -> int:
    """Print the error in one line; return the exit status."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            shown = StringIO()
            error.show(shown)
            for line in shown.getvalue().splitlines():
                _print_to_stderr(line)
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            _print_to_stderr("interrupted; what was committed is kept")
            return INTERRUPTED_STATUS
        case BrokenPipeError() | SystemExit():  # click leaves with SystemExit when the pipe is closed
            return _silence_stdout()
        case VecsearchError():
            _print_to_stderr(f"Error: {error}")
            return 2 if isinstance(error, UsageError | FilterError) else 1
    if os.environ.get("VECSEARCH_DEBUG"):
        raise error
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    _print_to_stderr(f"Error: {type(error).__name__}: {error}{notes}; set VECSEARCH_DEBUG=1 to see where")
    return 1


def _silence_stdout() -> int:
    """Leave quietly when the reader of our output has closed the pipe, as `head` does: that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _print_to_stderr(f"Warning: {message}")


def _print_to_stderr(line: str) -> None:
    streams.print_line(line)


_SECTIONS: Final = {
    "Store documents": ("index", "watch", "roots", "delete", "import"),
    "Search": ("search", "similar", "recommend", "context", "senses", "open", "profile", "eval", "log", "tune"),
    "Look at what is stored": ("ls", "get", "facets", "status", "collections", "models", "inspect", "map"),
    "Maintain": ("doctor", "optimize", "reembed", "backup", "restore", "export"),
    "Help": ("help", "completion"),
}


@click.group(
    cls=CommandGroup,
    sections=_SECTIONS,
    epilog=format_environment(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(vecsearch.__version__, "-V", "--version", prog_name="vecsearch")
@add_common_options
def cli(_: CliContext) -> None:
    """Semantic search over your own documents, in one folder.

    To begin: vecsearch index PATH, then vecsearch search QUERY.
    """


# -- writing


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH… | -]", type=FILE)
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
    """Add or refresh files, folders and globs; without PATH, all that was indexed before.

    Each PATH keeps its options (--split, --include, --exclude, --max-size, --password-file): given again without them, it is
    read as before. `vecsearch roots` lists them.

    With - it reads stdin. A .jsonl file holds {"id", "text", "title", "metadata"} a line; any other key becomes metadata. Rows of
    tables and lines of lists are documents with --rows, and in a file at PATH, or stdin, that looks like a list. Files that are
    gone from a folder are removed, unchanged ones cost nothing.

    Texts are found by their words as soon as they are read; their vectors follow, the newest first. Ctrl-C keeps what is done.
    """
    if vectors_only:
        if paths or no_vectors or allow_empty or retry_failed or dry_run:
            raise click.UsageError("--vectors-only takes neither PATH… nor another option of what to read.")
        return index_commands.show_fill_report(options, index_commands.fill_vectors(options))
    if "-" in paths and (len(paths) > 1 or retry_failed or dry_run):
        raise click.UsageError("- (stdin) cannot be mixed with paths, --retry-failed or --dry-run.")
    run = IndexOptions.from_options(option_values)
    if paths == ("-",):
        if option_values["rows"] is False:
            raise click.UsageError("stdin is read a row a document: leave --no-rows out.")
        report = index_commands.index_stdin(options, run, vectors=not no_vectors)
    elif retry_failed:
        report = index_commands.index_failed_files(options, paths, run, dry_run=dry_run, vectors=not no_vectors)
    else:
        chosen = paths or None
        report = index_commands.index_paths(
            options, chosen, run, allow_empty=allow_empty, dry_run=dry_run, vectors=not no_vectors
        )
    return index_commands.show_report(options, report)


@cli.command()
@click.argument("paths", nargs=-1, metavar="[PATH…]", type=FILE)
@add_index_options
@add_common_options
def watch(options: CliContext, paths: Sequence[str], **option_values: Any) -> None:
    """Index files and folders, then keep up with their changes until interrupted.

    Without PATH, all that was indexed before; see `vecsearch roots`.
    """
    from vecsearch.interfaces.cli import file_watcher

    try:
        file_watcher.watch(options, paths, IndexOptions.from_options(option_values))
    except KeyboardInterrupt:
        _print_to_stderr("stopped watching; what was indexed stays, the same command watches again")
        raise click.exceptions.Exit(INTERRUPTED_STATUS) from None


cli.add_command(LazyCommand("roots", "root_commands"))
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
    from vecsearch.interfaces.cli.database_commands import show_status

    show_status(options)


cli.add_command(LazyCommand("reembed", "reembed_command"))


# -- searching and reading


for _command in (
    search_commands.search,
    search_commands.similar,
    search_commands.recommend,
    search_commands.context,
    LazyCommand("senses", "senses_command"),
    LazyCommand("open", "open_command"),
    LazyCommand("profile", "profile_commands"),
    LazyCommand("eval", "eval_commands"),
    LazyCommand("tune", "tune_command"),
    LazyCommand("log", "log_commands"),
    document_commands.get,
    document_commands.ls,
    document_commands.facets,
):
    cli.add_command(_command)


cli.add_command(LazyCommand("inspect", "inspect_command"))
cli.add_command(LazyCommand("map", "map_command"))


for _name in ("status", "models", "doctor"):
    cli.add_command(LazyCommand(_name, "database_commands"))


for _name in ("backup", "restore", "export", "import"):
    cli.add_command(LazyCommand(_name, "transfer_commands"))


@cli.group(cls=CommandGroup, invoke_without_command=True)
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
@click.argument("name", shell_complete=complete_collections)
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
@click.argument("name", shell_complete=complete_collections)
@yes_option
@add_common_options
def delete_collection(options: CliContext, name: str, yes: bool) -> None:
    """Delete a collection with all its documents.

    On a terminal it asks first.
    """
    with options.connect(writable=True) as database:
        if name in database.collections():
            amount = format_count(len(database.collection(name)), "document")
            confirm(f"delete the collection {name!r} with {amount} from {database.path}?", yes=yes)
        database.delete_collection(name)
    options.show({"deleted": name}, [] if options.quiet else [f"deleted {name}"])


@collections.command("rename")
@click.argument("old", shell_complete=complete_collections)
@click.argument("new")
@add_common_options
def rename_collection(options: CliContext, old: str, new: str) -> None:
    """Rename a collection."""
    with options.connect(writable=True) as database:
        database.rename_collection(old, new)
    options.show({"renamed": old, "to": new}, [] if options.quiet else [f"{old} is now {new}"])


def _list_collections(options: CliContext) -> None:
    from vecsearch.interfaces.rendering import database_state

    with options.connect() as database:
        listed = database.describe_collections()
    options.show({"collections": listed}, database_state.format_collections(listed))


for _name in ("help", "completion"):
    cli.add_command(LazyCommand(_name, "shell_commands"))
