"""The shell's `index` and `watch`: which files, with which options, and the report of the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

import click

import vecsearch
from vecsearch.core.errors import InputError, SchemaVersionError
from vecsearch.core.memory_limits import keep_little_memory
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.core.source_paths import format_path, resolve_path
from vecsearch.core.types import Split, format_count
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.options import CliContext
from vecsearch.interfaces.cli.row_columns import add_column_options, parse_column_options
from vecsearch.interfaces.rendering import output, root_lines

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection
    from vecsearch.core.files import IndexReport, Scan
    from vecsearch.core.roots import Root
    from vecsearch.core.row_options import RowOptions
    from vecsearch.indexing.root_plan import GivenOptions, RootPlan
    from vecsearch.indexing.vector_filler import FillReport

INTERRUPTED_STATUS: Final = 130
_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


class SizeType(click.ParamType[int]):
    """A number of bytes such as 300kB, 50MB or 2G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes, or fail with what was expected."""
        if isinstance(value, int):
            return value
        number = value.strip().lower().removesuffix("b")
        unit = number[-1:] if number[-1:] in _UNITS else ""
        try:
            size = float(number.removesuffix(unit)) * _UNITS[unit]
        except ValueError:
            size = 0
        if not 1 <= size < 2**63:
            self.fail(f"expected a size such as 300kB, 50MB or 2GB, got {value!r}", param, ctx)
        return int(size)


def add_index_options(command: _F) -> _F:
    """Add the options of every command that reads files."""
    for option in reversed(
        (
            click.option(
                "--split",
                type=click.Choice([split.value for split in Split]),
                help="How to split documents: into chunks that fit the model, paragraphs, or lines.  [default: tokens]",
            ),
            click.option("--model", metavar="NAME", help="The model of a new collection: a hub name or a local folder."),
            click.option(
                "--stemmer", metavar="CODE", help="The stemmer of a new collection.  [default: its documents' language]"
            ),
            click.option(
                "--include",
                multiple=True,
                metavar="PATTERN",
                help="In folders, only files that match, such as '*.md'; repeat for more.",
            ),
            click.option("--exclude", multiple=True, metavar="PATTERN", help="In folders, no files that match; repeat for more."),
            click.option("--max-size", type=SizeType(), metavar="SIZE", help="Skip files larger than this.  [default: 256MB]"),
            click.option(
                "--rows/--no-rows",
                default=None,
                help="One document a row of a table, a record of JSON, a line of a list.  [default: guessed for files at PATH]",
            ),
            add_column_options,
            click.option(
                "--password-file",
                metavar="FILE",
                type=click.Path(exists=True, dir_okay=False),
                help="Passwords for encrypted files, one a line.",
            ),
        )
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """The values of the options that `index` and `watch` share; `given` are those that a root keeps."""

    model: str | None
    stemmer: str | None
    given: GivenOptions

    @classmethod
    def from_options(cls, values: dict[str, Any]) -> Self:
        """Build it from the values of `add_index_options`."""
        from vecsearch.indexing.root_plan import GivenOptions

        split, file, rows = values["split"], values["password_file"], _parse_row_options(values)
        given = GivenOptions(
            None if split is None else Split(split), tuple(values["include"]) or None, tuple(values["exclude"]) or None,
            values["max_size"], None if file is None else format_path(resolve_path(file)), rows,
            guesses_rows=rows is None and split is None,
        )  # fmt: skip
        return cls(values["model"], values["stemmer"], given)


def _parse_row_options(values: dict[str, Any]) -> RowOptions | Literal[False] | None:
    """Return how rows become documents, False where files are documents, None where nothing is said."""
    columns = parse_column_options(values)
    wants_rows, is_named = values["rows"], bool(columns.list_columns())
    if wants_rows is False and is_named:
        raise click.UsageError("--id, --text and --title name columns of rows: leave them or --no-rows out.")
    if wants_rows or is_named:
        return columns
    return False if wants_rows is False else None


def index_paths(
    options: CliContext, paths: Sequence[str] | None, run: IndexOptions, *, allow_empty: bool = False, dry_run: bool = False,
    vectors: bool = True, only: Callable[[Scan], Scan] = lambda scan: scan,
) -> IndexReport:  # fmt: skip
    """Index files, folders and globs, or all roots, reduced by `only`."""
    from vecsearch.api.open import exists, load_writing
    from vecsearch.indexing.read_files import has_documents
    from vecsearch.indexing.root_plan import RootPlan

    plan = RootPlan.make(list_roots(options), paths, run.given)
    _tell_changed(options, plan)
    files = only(plan.scan())
    if not (files.files or files.failed or files.skipped or exists(options.choose_database())):
        raise InputError(f"nothing to index: no readable file in {', '.join(paths or ())}")
    anything = not dry_run and (
        exists(options.choose_database())
        or has_documents(
            files.files, plan.passwords, lambda file: plan.get_options(file.path).rows, model=run.model, meanwhile=load_writing
        )
    )
    with _open_collection(options, run, make=anything, readonly=dry_run) as collection:
        return _index_scan(options, collection, plan, files, allow_empty=allow_empty, dry_run=dry_run, vectors=vectors)


def index_failed_files(
    options: CliContext, paths: Sequence[str], run: IndexOptions, *, dry_run: bool, vectors: bool
) -> IndexReport:
    """Index the files that failed before, all of them or those at the paths given."""
    from vecsearch.indexing.root_plan import RootPlan

    with options.open_for_reading() as collection:
        failed = [source.source for source in collection.list_sources(failed=True)]
    roots = [Path(resolve_path(Path(path).expanduser())) for path in paths]
    selected_paths = [
        path for path in failed if not roots or any(Path(resolve_path(path)).is_relative_to(root) for root in roots)
    ]
    with _open_collection(options, run, make=True, readonly=dry_run) as collection:
        plan = RootPlan.make_for_files(collection.roots(), selected_paths, run.given)
        return _index_scan(options, collection, plan, plan.scan(), dry_run=dry_run, vectors=vectors)


def list_roots(options: CliContext) -> list[Root]:
    """Return the roots of the collection; none where it is not there."""
    from vecsearch.api.open import exists

    folder = options.choose_database()
    if not exists(folder):
        return []
    try:
        with vecsearch.open(folder, collection=options.name, readonly=True) as collection:
            return collection.roots()
    except SchemaVersionError:  # the run upgrades it
        with vecsearch.open(folder, collection=options.name) as collection:
            collection._store.upgrade()
            return collection.roots()


def index_stdin(options: CliContext, run: IndexOptions, *, vectors: bool) -> IndexReport:
    """Index documents given as JSON lines, a JSON array, a table, or plain lines."""
    from vecsearch.api.arguments import spool_json_lines
    from vecsearch.api.open import exists
    from vecsearch.core.files import RowFile
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.core.row_options import RowOptions
    from vecsearch.documents.stream_reader import StreamReader

    with spool_json_lines(sys.stdin.buffer, "stdin") as lines:
        if not lines.head.strip():
            raise InputError('stdin is empty; expected one JSON object a line, such as {"id": "1", "text": "…"}, a table, a list')
        assert lines.path is not None
        stream = StreamReader(lines.path, lines.name, run.given.rows or RowOptions(guess=True))
        make = exists(options.choose_database()) or any(isinstance(item, ParsedDocument) for item in stream.read_items())
        with _open_collection(options, run, make=make) as collection, options.show_progress() as progress:
            report = collection._index_json_lines(
                lines, items=stream.read_items(), split=run.given.split or Split.TOKENS, vectors=vectors, progress=progress
            )
        return report if stream.rows is None else replace(report, rows=(RowFile(lines.name, stream.rows),))


def fill_vectors(options: CliContext, should_stop: Callable[[], bool] = lambda: False) -> FillReport:
    """Make the vectors that wait to be made."""
    with options.open_for_writing() as collection, options.show_progress() as progress:
        return collection.fill_vectors(progress=progress, should_stop=should_stop)


def _index_scan(
    options: CliContext, collection: Collection, plan: RootPlan, scan: Scan, *, dry_run: bool, vectors: bool,
    allow_empty: bool = False,
) -> IndexReport:  # fmt: skip
    with options.show_progress(unit="files") as progress, _explain_interruption(collection):
        return collection._index_plan(plan, scan, progress=progress, dry_run=dry_run, allow_empty=allow_empty, vectors=vectors)


@contextmanager
def _explain_interruption(collection: Collection) -> Iterator[None]:
    """Say what an interrupted run has kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        pending = collection.pending_vectors
        waiting = f", {pending:,} of its chunks by words alone" if pending else ""
        streams.print_line(
            f"interrupted: {format_count(len(collection), 'document')} can be found{waiting}; the same command goes on from here"
        )
        raise click.exceptions.Exit(INTERRUPTED_STATUS) from None


def _tell_changed(options: CliContext, plan: RootPlan) -> None:
    """Say on stderr which roots have other options from now on."""
    if not options.quiet and not options.as_json:
        for line in root_lines.format_changes(plan.changed):
            streams.print_line(line)


@contextmanager
def _open_collection(options: CliContext, run: IndexOptions, *, make: bool, readonly: bool = False) -> Iterator[Collection]:
    """Open the collection to write to, in a temporary database where there is none and none should be created."""
    from tempfile import TemporaryDirectory

    from vecsearch.api.open import exists

    keep_little_memory()
    folder = options.choose_database()
    with ExitStack() as stack:
        if not exists(folder) and not make:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="vecsearch-"))) / DATABASE_FOLDER
            readonly = False
        yield stack.enter_context(
            vecsearch.open(folder, collection=options.name, model=run.model, stemmer=run.stemmer, readonly=readonly)
        )


# -- output


def show_report(options: CliContext, report: IndexReport) -> int:
    """Print what a run did; return the exit status."""
    for line in (*([] if options.quiet else output.format_row_files(report.rows)), *output.format_failures(report)):
        if not options.as_json:
            streams.print_line(line)
    folder = shorten_folder(options.choose_database())
    options.show(report.to_dict(), [] if options.quiet else output.format_report(report, folder))
    options.tell_pending(report.pending_vectors)
    return 1 if report.failed else 0


def shorten_folder(folder: Path) -> str:
    """Return a folder as people write it: from where they are, else with `~` for their own."""
    path = folder.absolute()
    for start, sign in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(start):
            return f"{sign}{path.relative_to(start)}"
    return str(path)


def show_fill_report(options: CliContext, report: FillReport) -> int:
    """Print how many vectors were made, and of which documents they could not be; return the exit status."""
    if not options.as_json:
        for line in output.format_failed_files(report.failed):
            streams.print_line(line)
    options.show(report.to_dict(), [] if options.quiet else output.format_fill_report(report))
    options.tell_pending(report.pending_vectors)
    return 1 if report.failed else 0
