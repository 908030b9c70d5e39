"""The shell's `index` and `watch`: which files, with which options, and what is said about the run."""

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
from vecsearch.core.settings import DATABASE_FOLDER, MAX_FILE_BYTES
from vecsearch.core.types import Draft, Selection, Split
from vecsearch.surfaces import render
from vecsearch.surfaces.options import Common

if TYPE_CHECKING:
    from vecsearch.collection import Collection
    from vecsearch.core.types import IndexReport, Scan

_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


class Size(click.ParamType[int]):
    """A number of bytes such as 300kB, 50MB or 2G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes; fails with what was expected."""
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


def index_options(command: _F) -> _F:
    """The options of every command that reads files."""
    for option in reversed((
        click.option(
            "--split", type=click.Choice([each.value for each in Split]), default=Split.TOKENS.value, show_default=True,
            help="Where to cut a document: chunks that fit the encoder, paragraphs, or lines.",
        ),
        click.option("--model", metavar="NAME", help="The encoder of a new collection: a hub name or a local folder."),
        click.option("--language", metavar="CODE", help="Whose stems a new collection's words have.  [default: its documents']"),
        click.option("--include", multiple=True, metavar="PATTERN", help="In folders, only such files, as '*.md'; repeat."),
        click.option("--exclude", multiple=True, metavar="PATTERN", help="In folders, no such files; repeat."),
        click.option(
            "--max-size", type=Size(), metavar="SIZE", default=MAX_FILE_BYTES, help="No larger files than this.  [default: 256MB]"
        ),
        click.option(
            "--password-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
            help="Passwords for encrypted files, one a line.",
        ),
    )):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class IndexRun:
    """What the options say."""

    split: str
    model: str | None
    language: str | None
    selection: Selection
    passwords: tuple[str, ...]

    @classmethod
    def of(cls, chosen: dict[str, Any]) -> Self:
        """From the values of `index_options`."""
        file = chosen["password_file"]
        passwords = () if file is None else tuple(filter(None, Path(file).read_text(encoding="utf-8").splitlines()))
        selection = Selection(tuple(chosen["include"]), tuple(chosen["exclude"]), chosen["max_size"])
        return cls(chosen["split"], chosen["model"], chosen["language"], selection, passwords)


def paths(
    options: Common, given: Sequence[str], run: IndexRun, *, allow_empty: bool = False, dry_run: bool = False,
    only: Callable[[Scan], Scan] = lambda scan: scan,
) -> IndexReport:  # fmt: skip
    """Index files, folders and globs; of those found, what `only` leaves."""
    from vecsearch.documents.sources import scan
    from vecsearch.ingest import gives_documents
    from vecsearch.persistence.database import is_database

    found = only(scan(given, selection=run.selection))
    if not (found.files or found.failed or found.skipped or is_database(options.folder_to_make())):
        raise InputError(f"nothing to index: no readable file in {', '.join(given)}")
    anything = not dry_run and (is_database(options.folder_to_make()) or gives_documents(found.files, run.passwords))
    with _opened(options, run, make=anything, readonly=dry_run) as collection:
        return _index(options, collection, found, run, allow_empty=allow_empty, dry_run=dry_run)


def failed(options: Common, given: Sequence[str], run: IndexRun, *, dry_run: bool) -> IndexReport:
    """Index the files that failed before, all of them or those at the paths given."""
    from vecsearch.documents.sources import scan

    with options.reading() as collection:
        uris = [each.uri for each in collection.sources(failed=True)]
    roots = [Path(each).expanduser().absolute() for each in given]
    wanted = [uri for uri in uris if not roots or any(Path(uri).is_relative_to(root) for root in roots)]
    with _opened(options, run, make=True, readonly=dry_run) as collection:
        return _index(options, collection, scan(wanted, selection=run.selection), run, dry_run=dry_run)


def stdin(options: Common, run: IndexRun) -> IndexReport:
    """Index documents given as JSON lines."""
    from vecsearch.arguments import spooled
    from vecsearch.documents.loaders import load
    from vecsearch.persistence.database import is_database

    with spooled(sys.stdin.buffer, "stdin") as lines:
        if not lines.head.strip():
            raise InputError('stdin is empty; expected one JSON object a line, such as {"id": "1", "text": "…"}')
        make = is_database(options.folder_to_make()) or any(isinstance(item, Draft) for item in load(lines))
        with _opened(options, run, make=make) as collection, options.progress() as progress:
            return collection.index_lines(lines, split=run.split, progress=progress)


def _index(
    options: Common, collection: Collection, found: Scan, run: IndexRun, *, dry_run: bool, allow_empty: bool = False
) -> IndexReport:
    with options.progress() as progress:
        return collection.index(
            found, split=run.split, passwords=run.passwords, progress=progress, dry_run=dry_run, allow_empty=allow_empty
        )


@contextmanager
def _opened(options: Common, run: IndexRun, *, make: bool, readonly: bool = False) -> Iterator[Collection]:
    """The collection to write to; in a database that is thrown away where none is there and none is to be made."""
    from tempfile import TemporaryDirectory

    from vecsearch.persistence.database import is_database

    folder = options.folder_to_make()
    with ExitStack() as stack:
        if not is_database(folder) and not make:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="vecsearch-"))) / DATABASE_FOLDER
            readonly = False
        yield stack.enter_context(
            vecsearch.open(folder, collection=options.name, encoder=run.model, language=run.language, readonly=readonly)
        )


# -- what is said


def show(options: Common, report: IndexReport) -> int:
    """Print what a run did; gives the exit status."""
    for line in render.trouble_lines(report):
        if not options.as_json:
            click.echo(line, err=True)
    options.show(report.to_dict(), [] if options.quiet else render.report_lines(report))
    return 1 if report.failed else 0
