"""The shell's `index` and `watch`: which files, with which options, and the report of the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click

import vecsearch
from vecsearch.core.errors import InputError
from vecsearch.core.memory_limits import keep_little_memory
from vecsearch.core.settings import DATABASE_FOLDER, MAX_FILE_BYTES
from vecsearch.core.source_paths import resolve_path
from vecsearch.core.types import Split
from vecsearch.interfaces.cli.options import CliContext
from vecsearch.interfaces.rendering import output

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection
    from vecsearch.core.files import FileFilter, IndexReport, Scan
    from vecsearch.indexing.vector_filler import FillReport

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
                default=Split.TOKENS.value,
                show_default=True,
                help="How to split documents: into chunks that fit the model, paragraphs, or lines.",
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
            click.option(
                "--max-size",
                type=SizeType(),
                metavar="SIZE",
                default=MAX_FILE_BYTES,
                help="Skip files larger than this.  [default: 256MB]",
            ),
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
    """The values of the options that `index` and `watch` share."""

    split: str
    model: str | None
    stemmer: str | None
    file_filter: FileFilter
    passwords: tuple[str, ...]

    @classmethod
    def from_options(cls, values: dict[str, Any]) -> Self:
        """Build it from the values of `add_index_options`."""
        from vecsearch.core.files import FileFilter

        file = values["password_file"]
        passwords = () if file is None else tuple(filter(None, Path(file).read_text(encoding="utf-8").splitlines()))
        selection = FileFilter(tuple(values["include"]), tuple(values["exclude"]), values["max_size"])
        return cls(values["split"], values["model"], values["stemmer"], selection, passwords)


def index_paths(
    options: CliContext, paths: Sequence[str], run: IndexOptions, *, allow_empty: bool = False, dry_run: bool = False,
    vectors: bool = True, only: Callable[[Scan], Scan] = lambda scan: scan,
) -> IndexReport:  # fmt: skip
    """Index files, folders and globs, reduced by `only`."""
    from vecsearch.api.open import exists
    from vecsearch.documents.scan import scan
    from vecsearch.indexing.read_files import has_documents

    files = only(scan(paths, selection=run.file_filter))
    if not (files.files or files.failed or files.skipped or exists(options.choose_database())):
        raise InputError(f"nothing to index: no readable file in {', '.join(paths)}")
    anything = not dry_run and (exists(options.choose_database()) or has_documents(files.files, run.passwords))
    with _open_collection(options, run, make=anything, readonly=dry_run) as collection:
        return _index_scan(options, collection, files, run, allow_empty=allow_empty, dry_run=dry_run, vectors=vectors)


def index_failed_files(
    options: CliContext, paths: Sequence[str], run: IndexOptions, *, dry_run: bool, vectors: bool
) -> IndexReport:
    """Index the files that failed before, all of them or those at the paths given."""
    from vecsearch.documents.scan import scan

    with options.open_for_reading() as collection:
        failed = [source.source for source in collection.list_sources(failed=True)]
    roots = [Path(resolve_path(Path(path).expanduser())) for path in paths]
    selected_paths = [
        path for path in failed if not roots or any(Path(resolve_path(path)).is_relative_to(root) for root in roots)
    ]
    with _open_collection(options, run, make=True, readonly=dry_run) as collection:
        files = scan(selected_paths, selection=run.file_filter)
        return _index_scan(options, collection, files, run, dry_run=dry_run, vectors=vectors)


def index_stdin(options: CliContext, run: IndexOptions, *, vectors: bool) -> IndexReport:
    """Index documents given as JSON lines."""
    from vecsearch.api.arguments import spool_json_lines
    from vecsearch.api.open import exists
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.loaders import load

    with spool_json_lines(sys.stdin.buffer, "stdin") as lines:
        if not lines.head.strip():
            raise InputError('stdin is empty; expected one JSON object a line, such as {"id": "1", "text": "…"}')
        make = exists(options.choose_database()) or any(isinstance(item, ParsedDocument) for item in load(lines))
        with _open_collection(options, run, make=make) as collection, options.show_progress() as progress:
            return collection._index_json_lines(lines, split=run.split, vectors=vectors, progress=progress)


def fill_vectors(options: CliContext, should_stop: Callable[[], bool] = lambda: False) -> FillReport:
    """Make the vectors that wait to be made."""
    with options.open_for_writing() as collection, options.show_progress() as progress:
        return collection.fill_vectors(progress=progress, should_stop=should_stop)


def _index_scan(
    options: CliContext, collection: Collection, scan: Scan, run: IndexOptions, *, dry_run: bool, vectors: bool,
    allow_empty: bool = False,
) -> IndexReport:  # fmt: skip
    with options.show_progress() as progress:
        return collection.index(
            scan, split=run.split, passwords=run.passwords, progress=progress, dry_run=dry_run, allow_empty=allow_empty,
            vectors=vectors,
        )  # fmt: skip


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
    for line in output.format_failures(report):
        if not options.as_json:
            click.echo(line, err=True)
    options.show(report.to_dict(), [] if options.quiet else output.format_report(report))
    options.tell_pending(report.pending_vectors)
    return 1 if report.failed else 0


def show_fill_report(options: CliContext, report: FillReport) -> int:
    """Print how many vectors were made, and of which documents they could not be; return the exit status."""
    if not options.as_json:
        for line in output.format_failed_files(report.failed):
            click.echo(line, err=True)
    options.show(report.to_dict(), [] if options.quiet else output.format_fill_report(report))
    options.tell_pending(report.pending_vectors)
    return 1 if report.failed else 0
