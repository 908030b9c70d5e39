"""The shell's `backup`, `restore`, `export` and `import`: a whole database as one file, a collection's documents as another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import vecsearch
from vecsearch.core.errors import UsageError
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.core.types import OnConflict, format_count
from vecsearch.interfaces.cli.completion import FILE
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.cli.questions import confirm, yes_option
from vecsearch.interfaces.cli.row_columns import add_column_options, parse_column_options
from vecsearch.interfaces.rendering import terminal_safe

if TYPE_CHECKING:
    from vecsearch.core.row_options import RowOptions
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport

_FAILED_SHOWN = 20
_STDIO = "-"


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@add_common_options
def backup(options: CliContext, file: str, force: bool) -> None:
    """Write the whole database into one file, while others use it."""
    with options.connect() as database:
        contents = database.backup(file, force=force)
    _show_result(options, {"file": _make_absolute(file), **contents}, f"backed up {_format_amounts(contents)} to {file}")


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--replace", is_flag=True, help="Replace everything that the database holds, after a question on a terminal.")
@yes_option
@add_common_options
def restore(options: CliContext, file: str, yes: bool, **option_values: bool) -> None:
    """Create a database from a backup, or replace one by it."""
    from vecsearch.api.open import exists

    folder = options.choose_database()
    if option_values["replace"] and exists(folder):
        confirm(f"replace everything in {folder} by what {file} holds?", yes=yes)
    contents = vecsearch.restore(file, folder, replace=option_values["replace"])
    _show_result(
        options,
        {"file": _make_absolute(file), "db": _make_absolute(folder), **contents},
        f"restored {_format_amounts(contents)} to {folder}",
    )


@click.command()
@click.argument("file", metavar="FILE or -", type=FILE)
@click.option("--format", "kind", type=click.Choice(["jsonl", "jsonl.gz", "parquet"]), help="By default as FILE's name ends.")
@click.option("--no-vectors", is_flag=True, help="Write only id, text, title and metadata, which any tool reads.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@add_common_options
def export(options: CliContext, file: str, kind: str | None, no_vectors: bool, force: bool) -> None:
    """Write a collection's documents to JSON lines or Parquet."""
    if file == _STDIO and options.as_json:
        raise UsageError("stdout is for the documents: leave --json out, or name a file")
    with options.open_for_reading() as collection:
        target = sys.stdout.buffer if file == _STDIO else file
        report = collection.export_documents(target, format=kind, vectors=not no_vectors, force=force)
    if file == _STDIO:
        sys.stdout.buffer.flush()
        if not options.quiet:
            click.echo(_format_export(report, "stdout"), err=True)
        return
    _show_result(options, {"file": _make_absolute(file), **report.to_dict()}, _format_export(report, file))


@click.command("import")
@click.argument("file", metavar="FILE or FOLDER or -", type=FILE)
@click.option(
    "--on-conflict", type=click.Choice([kind.value for kind in OnConflict]), default=OnConflict.ERROR.value, show_default=True,
    help="What to do with an id that exists already.",
)  # fmt: skip
@click.option("--from", "from_collection", metavar="NAME", help="Only this collection of a Chroma folder.")
@click.option("--model", metavar="NAME", help="The model of a new collection.  [default: the export's]")
@click.option("--stemmer", metavar="CODE", help="The stemmer of a new collection.  [default: the export's]")
@add_column_options
@click.option("--no-vectors", is_flag=True, help="Stop once texts are found by their words.")
@add_common_options
def import_(
    options: CliContext, file: str, on_conflict: str, from_collection: str | None, model: str | None, stemmer: str | None,
    no_vectors: bool, **columns: Any,
) -> int:  # fmt: skip
    """Store documents of an export, JSON lines, CSV, Parquet, Chroma or txtai."""
    rows = parse_column_options(columns)
    with ExitStack() as stack:
        place = stack.enter_context(_spool_stdin()) if file == _STDIO else Path(file).expanduser()
        folder = stack.enter_context(_open_folder(options, place, from_collection, rows))
        collection = stack.enter_context(vecsearch.open(folder, collection=options.name, model=model, stemmer=stemmer))
        progress = stack.enter_context(options.show_progress("importing"))
        report = collection.import_documents(
            place, on_conflict=on_conflict, from_collection=from_collection, vectors=not no_vectors, progress=progress,
            id=rows.id, text=rows.text or None, title=rows.title,
        )  # fmt: skip
    if file == _STDIO:
        report = replace(report, failed=tuple(replace(failure, source="stdin") for failure in report.failed))
    return _show_import(options, report)


@contextmanager
def _open_folder(options: CliContext, path: Path, from_collection: str | None, rows: RowOptions) -> Iterator[Path]:
    """Return the database to import into; a temporary one where there is none and nothing can be stored."""
    from tempfile import TemporaryDirectory

    from vecsearch.api.open import exists
    from vecsearch.exchange import detect_format

    folder = options.choose_database()
    with detect_format.open_source(path, only=from_collection, rows=rows if rows.list_columns() else None) as source:
        make = exists(folder) or any(entry.record is not None for entry in source.read_entries())
    if make:
        yield folder
        return
    with TemporaryDirectory(prefix="vecsearch-") as elsewhere:
        yield Path(elsewhere) / DATABASE_FOLDER


@contextmanager
def _spool_stdin() -> Iterator[Path]:
    from vecsearch.api.arguments import spool_json_lines

    with spool_json_lines(sys.stdin.buffer, "stdin") as lines:
        assert lines.path is not None
        yield lines.path


# -- output


def _show_import(options: CliContext, report: ImportReport) -> int:
    if not options.as_json:
        for failure in report.failed[:_FAILED_SHOWN]:
            click.echo(terminal_safe.make_printable(f"failed: {failure.source}: {failure.error}"), err=True)
        if len(report.failed) > _FAILED_SHOWN:
            click.echo(f"failed: {len(report.failed) - _FAILED_SHOWN:,} more; --json lists them all", err=True)
    counts = f"{report.added:,} added, {report.replaced:,} replaced, {report.skipped:,} skipped"
    vectors = f"{report.vectors_reused:,} with their vectors, {report.encoded:,} encoded"
    totals = f"{format_count(report.documents, 'document')}, {format_count(report.chunks, 'chunk')}"
    _show_result(options, report.to_dict(), f"{counts} · {vectors} · now {totals} · {report.seconds:.1f} s")
    options.tell_pending(report.pending_vectors)
    return 1 if report.failed else 0


def _format_export(report: ExportReport, target: str) -> str:
    kind = "with vectors" if report.vectors else "without vectors"
    amounts = f"{format_count(report.documents, 'document')}, {format_count(report.chunks, 'chunk')}"
    return f"exported {amounts} to {target} ({report.format}, {kind})"


def _format_amounts(manifest: dict[str, Any]) -> str:
    total = sum(collection["documents"] for collection in manifest["collections"])
    amounts = f"{format_count(len(manifest['collections']), 'collection')}, {format_count(total, 'document')}"
    return f"{amounts}, {manifest['bytes'] / 1e6:,.1f} MB"


def _make_absolute(path: str | Path) -> str:
    return Path(path).expanduser().absolute().as_posix()


def _show_result(options: CliContext, value: dict[str, Any], line: str) -> None:
    options.show(value, [] if options.quiet else [terminal_safe.make_printable(line)])
