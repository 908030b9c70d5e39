"""The shell: parse → one library call → print. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any, Final

import click

import vecsearch
from vecsearch.core.errors import NotADatabase, UsageError, VecsearchError, VecsearchWarning
from vecsearch.core.settings import LIST_LIMIT_DEFAULT
from vecsearch.core.types import Finding, Severity
from vecsearch.surfaces import asking, indexing, render, safe
from vecsearch.surfaces.indexing import IndexRun, index_options
from vecsearch.surfaces.options import Common, common, limit_option, one_of, parsed_where, source_option, where_option

INTERRUPTED: Final = 130


def run() -> int:
    """Run the command line; gives the exit status: 0 done, 1 failed, 2 what the parser rejects, 130 interrupted."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", VecsearchWarning)
    warnings.showwarning = _show_warning
    try:
        status = int(cli.main(standalone_mode=False, prog_name="vecsearch") or 0)
        sys.stdout.flush()  # here, where a closed pipe can still be told from a failure
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return _status_of(error)
    return status


def _status_of(error: BaseException) -> int:
    """Say what went wrong, in one line; gives the exit status."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            _say("interrupted; what was committed is kept")
            return INTERRUPTED
        case BrokenPipeError() | SystemExit():  # click leaves with SystemExit when the pipe is closed
            return _closed_pipe()
        case VecsearchError():
            _say(f"Error: {error}")
            return 2 if isinstance(error, UsageError) else 1
    if os.environ.get("VECSEARCH_DEBUG"):
        raise error
    _say(f"Error: {type(error).__name__}: {error}; set VECSEARCH_DEBUG=1 to see where")
    return 1


def _closed_pipe() -> int:
    """Whoever read our answers has had enough: nothing more is flushed, nothing is said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"Warning: {message}")


def _say(line: str) -> None:
    click.echo(safe.printable(line), err=True)


class Elsewhere(click.Command):
    """The place of a command whose module is loaded when somebody asks for it; the others need not wait."""

    def __init__(self, name: str, module: str) -> None:
        """Loads nothing yet."""
        super().__init__(name)
        self._module = module

    def load(self) -> click.Command:
        """The command itself."""
        inside = vars(import_module(f"vecsearch.surfaces.{self._module}")).values()
        return next(each for each in inside if isinstance(each, click.Command) and each.name == self.name)


class InOrder(click.Group):
    """Lists its commands in the order of this file, which is that of use."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, loaded."""
        found = super().get_command(ctx, cmd_name)
        return found.load() if isinstance(found, Elsewhere) else found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as they were defined."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(vecsearch.__version__, prog_name="vecsearch")
@common
def cli(_: Common) -> None:
    """Semantic search over your own documents, in one folder."""


# -- writing


@cli.command()
@click.argument("paths", nargs=-1, metavar="PATH… | -")
@index_options
@click.option("--allow-empty", is_flag=True, help="Believe that a folder that is empty now, or not mounted, lost all its files.")
@click.option("--retry-failed", is_flag=True, help="Only files that failed before, all of them or those at PATH….")
@click.option("--dry-run", is_flag=True, help="Only say what would be added, updated and removed.")
@common
def index(options: Common, paths: Sequence[str], allow_empty: bool, retry_failed: bool, dry_run: bool, **chosen: Any) -> int:
    """Add or refresh files, folders and globs.

    With - it reads stdin. Stdin or a .jsonl file holds {"id", "text", "title", "metadata"} a line; any other key becomes
    metadata. Files that are gone from a folder are removed, unchanged ones cost nothing.
    """
    if not paths and not retry_failed:
        raise click.UsageError("Missing argument 'PATH… | -'.")
    if "-" in paths and (len(paths) > 1 or retry_failed or dry_run):
        raise click.UsageError("- (stdin) cannot be mixed with paths, --retry-failed or --dry-run.")
    run = IndexRun.of(chosen)
    if paths == ("-",):
        report = indexing.stdin(options, run)
    elif retry_failed:
        report = indexing.failed(options, paths, run, dry_run=dry_run)
    else:
        report = indexing.paths(options, paths, run, allow_empty=allow_empty, dry_run=dry_run)
    return indexing.show(options, report)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@index_options
@common
def watch(options: Common, paths: Sequence[str], **chosen: Any) -> None:
    """Index files and folders, then keep up with their changes until interrupted."""
    from vecsearch.surfaces import watching

    watching.watch(options, paths, IndexRun.of(chosen))


@cli.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@where_option
@source_option
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@common
def delete(options: Common, ids: Sequence[str], where: Sequence[str], source: str | None, dry_run: bool) -> None:
    """Delete documents by id, metadata or file."""
    one_of("ID…, --where or --source", bool(ids), bool(where), source is not None)
    with options.reading() if dry_run else options.writing() as collection:
        keys = collection.delete(list(ids) or None, where=parsed_where(where), source=source, dry_run=dry_run)
    said = "would delete" if dry_run else "deleted"
    lines = [f"{said} {len(keys):,} document{'' if len(keys) == 1 else 's'}", *(keys if dry_run else [])]
    options.show({"deleted": keys, "dry_run": dry_run}, [] if options.quiet else map(safe.printable, lines))


@cli.command()
@click.option("--full", is_flag=True, help="Write everything anew: few index files, one compact database.")
@click.option("--language", metavar="CODE", help="Make the text index anew with the stems of this language.")
@common
def optimize(options: Common, full: bool, language: str | None) -> None:
    """Fold in what is new, give free space back: in one collection, or in all."""
    from vecsearch import maintenance

    names = maintenance.collections(options.folder(), upgrade=True) if options.collection is None else [options.collection]
    for name in names:
        with replace(options, collection=name).writing() as collection:
            collection.optimize(full=full, language=language)
    if not names:
        maintenance.compact(options.folder(), full=full)
    for copy in maintenance.old_copies(options.folder()) if full else []:
        _say(f"Note: {copy} still holds what was deleted since it was made; remove it once you do not need it")
    _show_status(options, only=options.collection)


cli.add_command(Elsewhere("reembed", "reembedding"))


# -- asking


for _command in (asking.search, asking.similar, asking.recommend, asking.context, Elsewhere("eval", "evaluating")):
    cli.add_command(_command)


@cli.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@source_option
@common
def get(options: Common, ids: Sequence[str], source: str | None) -> None:
    """Print documents with their text and metadata."""
    one_of("ID… or --source", bool(ids), source is not None)
    with options.reading() as collection:
        documents = collection.get(list(ids) or None, source=source)
    options.show(render.json_documents(documents), render.document_lines(documents))


@cli.command()
@limit_option(LIST_LIMIT_DEFAULT)
@click.option("--offset", metavar="N", type=click.IntRange(min=0), default=0, show_default=True, help="Skip so many.")
@click.option("--sources", is_flag=True, help="List the files that they come from: state, chunks, when, and what is wrong.")
@click.option("--failed", is_flag=True, help="List the files whose newest attempt failed.")
@common
def ls(options: Common, limit: int, offset: int, sources: bool, failed: bool) -> None:
    """List the documents, or their files, a page at a time."""
    if sources or failed:
        _list_sources(options, limit, offset, failed)
        return
    with options.reading() as collection:
        listed, total = collection.ls(limit=limit, offset=offset), collection.count()
    value = {"documents": [render.json_listed(each) for each in listed], "total": total}
    options.show(value, render.listing_lines(listed, total=total, offset=offset))


def _list_sources(options: Common, limit: int, offset: int, failed: bool) -> None:
    with options.reading() as collection:
        listed = collection.sources(failed=failed, limit=limit, offset=offset)
        total = collection.count_sources(failed=failed)
    value = {"sources": [asdict(each) for each in listed], "total": total}
    options.show(value, render.source_lines(listed, total=total, offset=offset))


@cli.command()
@common
def status(options: Common) -> None:
    """Say what the database holds, in numbers."""
    _show_status(options, only=options.collection)


@cli.command()
@common
def models(options: Common) -> None:
    """List the encoders, and who uses them."""
    from vecsearch import maintenance

    try:
        folder = options.folder()
    except NotADatabase:
        folder = None
    found = maintenance.models(folder)
    options.show({"models": found}, render.model_lines(found))


@cli.command()
@click.option("--fix", is_flag=True, help="Mend what follows from the texts and vectors, after a backup in the folder.")
@common
def doctor(options: Common, fix: bool) -> int:
    """Check that everything is sound."""
    from vecsearch import maintenance

    if not fix:
        findings: Sequence[Finding] = maintenance.doctor(options.folder())
        more, lines = {}, render.finding_lines(findings)
    else:
        done = maintenance.mend(options.folder())
        findings = done.findings
        more = {"mended": list(done.mended), "backup": None if done.backup is None else str(done.backup)}
        lines = render.mended_lines(done.mended, done.backup, findings)
    ok = all(finding.severity is not Severity.ERROR for finding in findings)
    options.show({"ok": ok, "findings": [asdict(each) for each in findings], **more}, lines)
    return 0 if ok else 1


for _name in ("backup", "restore", "export", "import"):
    cli.add_command(Elsewhere(_name, "moving"))


@cli.group(invoke_without_command=True)
@common
def collections(options: Common) -> None:
    """List, delete or rename collections."""
    if click.get_current_context().invoked_subcommand is None:
        _list_collections(options)


@collections.command("list")
@common
def list_collections(options: Common) -> None:
    """List the collections."""
    _list_collections(options)


@collections.command("delete")
@click.argument("name")
@common
def delete_collection(options: Common, name: str) -> None:
    """Delete a collection with all its documents."""
    from vecsearch import maintenance

    maintenance.delete_collection(options.folder(), name)
    options.show({"deleted": name}, [] if options.quiet else [f"deleted {name}"])


@collections.command("rename")
@click.argument("old")
@click.argument("new")
@common
def rename_collection(options: Common, old: str, new: str) -> None:
    """Give a collection another name."""
    from vecsearch import maintenance

    maintenance.rename_collection(options.folder(), old, new)
    options.show({"renamed": old, "to": new}, [] if options.quiet else [f"{old} is now {new}"])


def _list_collections(options: Common) -> None:
    from vecsearch import maintenance

    names = maintenance.collections(options.folder())
    options.show({"collections": names}, map(safe.printable, names))


def _show_status(options: Common, *, only: str | None) -> None:
    from vecsearch import maintenance

    found = maintenance.status(options.folder(), collection=only)
    options.show(found, render.status_lines(found))
