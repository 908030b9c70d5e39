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
from vecsearch.core.types import OnConflict, plural
from vecsearch.surfaces import safe
from vecsearch.surfaces.options import Common, common

if TYPE_CHECKING:
    from vecsearch.exchange.exporting import ExportReport
    from vecsearch.exchange.importing import ImportReport

_FAILED_SHOWN = 20
_STDIO = "-"


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@common
def backup(options: Common, file: str, force: bool) -> None:
    """Write the whole database into one file, while it is in use."""
    from vecsearch import maintenance

    held = maintenance.backup(options.folder(), file, force=force)
    _show(options, {"file": _absolute(file), **held}, f"backed up {_amounts(held)} to {file}")


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--replace", is_flag=True, help="In the place of all that the database holds.")
@common
def restore(options: Common, file: str, **chosen: bool) -> None:
    """Make the database of a backup, or put it in the place of one."""
    from vecsearch import maintenance

    folder = options.folder_to_make()
    held = maintenance.restore(file, folder, replace=chosen["replace"])
    _show(options, {"file": _absolute(file), "db": _absolute(folder), **held}, f"restored {_amounts(held)} to {folder}")


@click.command()
@click.argument("file", metavar="FILE or -")
@click.option("--format", "kind", type=click.Choice(["jsonl", "jsonl.gz", "parquet"]), help="By default as FILE ends.")
@click.option("--no-vectors", is_flag=True, help="Only id, text, title and metadata, which any tool reads.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@common
def export(options: Common, file: str, kind: str | None, no_vectors: bool, force: bool) -> None:
    """Write a collection's documents to JSON lines or Parquet."""
    if file == _STDIO and options.as_json:
        raise UsageError("stdout is for the documents: leave --json out, or name a file")
    with options.reading() as collection:
        target = sys.stdout.buffer if file == _STDIO else file
        report = collection.export(target, format=kind, vectors=not no_vectors, force=force)
    if file == _STDIO:
        sys.stdout.buffer.flush()
        if not options.quiet:
            click.echo(_exported(report, "stdout"), err=True)
        return
    _show(options, {"file": _absolute(file), **report.to_dict()}, _exported(report, file))


@click.command("import")
@click.argument("file", metavar="FILE or FOLDER or -")
@click.option(
    "--on-conflict", type=click.Choice([each.value for each in OnConflict]), default=OnConflict.ERROR.value, show_default=True,
    help="What happens to an id that is there.",
)  # fmt: skip
@click.option("--from", "from_collection", metavar="NAME", help="Only this collection of a Chroma folder.")
@click.option("--model", metavar="NAME", help="The encoder of a new collection.  [default: that of the export]")
@click.option("--language", metavar="CODE", help="Whose stems a new collection's words have.  [default: the export's]")
@common
def import_(
    options: Common, file: str, on_conflict: str, from_collection: str | None, model: str | None, language: str | None
) -> int:
    """Store documents of an export, JSON lines, Parquet, Chroma or txtai."""
    with ExitStack() as stack:
        place = stack.enter_context(_spooled()) if file == _STDIO else Path(file).expanduser()
        folder = stack.enter_context(_folder(options, place, from_collection))
        collection = stack.enter_context(vecsearch.open(folder, collection=options.name, encoder=model, language=language))
        progress = stack.enter_context(options.progress("importing"))
        report = collection.import_documents(place, on_conflict=on_conflict, from_collection=from_collection, progress=progress)
    if file == _STDIO:
        report = replace(report, failed=tuple(replace(each, uri="stdin") for each in report.failed))
    return _show_import(options, report)


@contextmanager
def _folder(options: Common, place: Path, from_collection: str | None) -> Iterator[Path]:
    """The database to import into; one that is thrown away where none is there and nothing that comes can be stored."""
    from tempfile import TemporaryDirectory

    from vecsearch.exchange import recognising
    from vecsearch.persistence.database import is_database

    folder = options.folder_to_make()
    with recognising.opened(place, only=from_collection) as source:
        make = is_database(folder) or any(entry.record is not None for entry in source.entries())
    if make:
        yield folder
        return
    with TemporaryDirectory(prefix="vecsearch-") as elsewhere:
        yield Path(elsewhere) / DATABASE_FOLDER


@contextmanager
def _spooled() -> Iterator[Path]:
    from vecsearch.arguments import spooled

    with spooled(sys.stdin.buffer, "stdin") as lines:
        assert lines.path is not None
        yield lines.path


# -- what is said


def _show_import(options: Common, report: ImportReport) -> int:
    if not options.as_json:
        for failure in report.failed[:_FAILED_SHOWN]:
            click.echo(safe.printable(f"failed: {failure.uri}: {failure.error}"), err=True)
        if len(report.failed) > _FAILED_SHOWN:
            click.echo(f"failed: {len(report.failed) - _FAILED_SHOWN:,} more; --json lists them all", err=True)
    counts = f"{report.added:,} added, {report.replaced:,} replaced, {report.skipped:,} skipped"
    made = f"{report.taken:,} with their vectors, {report.encoded:,} encoded"
    totals = f"{plural(report.documents, 'document')}, {plural(report.chunks, 'chunk')}"
    _show(options, report.to_dict(), f"{counts} · {made} · now {totals} · {report.seconds:.1f} s")
    return 1 if report.failed else 0


def _exported(report: ExportReport, where: str) -> str:
    kind = "with vectors" if report.vectors else "without vectors"
    return (
        f"exported {plural(report.documents, 'document')}, {plural(report.chunks, 'chunk')} to {where} ({report.format}, {kind})"
    )


def _amounts(held: dict[str, Any]) -> str:
    total = sum(each["documents"] for each in held["collections"])
    return f"{plural(len(held['collections']), 'collection')}, {plural(total, 'document')}, {held['bytes'] / 1e6:,.1f} MB"


def _absolute(path: str | Path) -> str:
    return Path(path).expanduser().absolute().as_posix()


def _show(options: Common, value: dict[str, Any], line: str) -> None:
    options.show(value, [] if options.quiet else [safe.printable(line)])
