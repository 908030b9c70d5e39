"""The options that every command takes, and what they mean: which database, which collection, in which form."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import vecsearch
from vecsearch.core.errors import NotADatabaseError
from vecsearch.core.nesting import load_json
from vecsearch.core.settings import COLLECTION_DEFAULT, DATABASE_FOLDER, LIMIT_DEFAULT, MMR_DEFAULT, WINDOW_MAX
from vecsearch.core.types import Fusion, Mode
from vecsearch.interfaces.rendering import output, terminal_safe

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection
    from vecsearch.api.database import Database
    from vecsearch.indexing.progress import Progress

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class CliContext:
    """The options that every command takes."""

    db: str | None
    collection: str | None
    as_json: bool
    quiet: bool

    @property
    def name(self) -> str:
        """The collection asked for, or the default one."""
        return COLLECTION_DEFAULT if self.collection is None else self.collection

    def find_database(self) -> Path:
        """The database to read. Raises NotADatabase when there is none to be found."""
        found = self._locate_database()
        if found is None:
            raise NotADatabaseError(
                f"no database: no --db, no $VECSEARCH_DB, no {DATABASE_FOLDER}/ here or above; to make one: vecsearch index PATH"
            )
        return found

    def choose_database(self) -> Path:
        """The database to write, which need not be there yet."""
        return self._locate_database() or Path.cwd() / DATABASE_FOLDER

    def _locate_database(self) -> Path | None:
        if self.db or os.environ.get("VECSEARCH_DB"):
            return Path(self.db or os.environ["VECSEARCH_DB"]).expanduser()
        here = Path.cwd()
        return next((place / DATABASE_FOLDER for place in (here, *here.parents) if (place / DATABASE_FOLDER).is_dir()), None)

    @contextmanager
    def connect(self, *, writable: bool = False) -> Iterator[Database]:
        """Open the database that is there, to read from it or to write to it. Raises NotADatabaseError."""
        with vecsearch.connect(self.find_database(), readonly=not writable, create=False) as database:
            yield database

    @contextmanager
    def open_for_reading(self) -> Iterator[Collection]:
        """Open the collection to read from. Raises CollectionNotFoundError."""
        with vecsearch.open(self.find_database(), collection=self.name, readonly=True) as collection:
            collection._check_exists()
            yield collection

    @contextmanager
    def open_for_writing(self) -> Iterator[Collection]:
        """Open the collection of a database that is there, to write to. Raises CollectionNotFoundError."""
        with vecsearch.open(self.find_database(), collection=self.name, create=False) as collection:
            collection._check_exists()
            yield collection

    @contextmanager
    def show_progress(self, label: str = "indexing") -> Iterator[Progress | None]:
        """A bar, on a terminal and unless it is to be quiet, that says what is being done."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from vecsearch.interfaces.cli.progress import ProgressBar

        with ProgressBar(label) as bar:
            yield bar

    def show(self, value: Any, lines: Iterable[str]) -> None:
        """The value as JSON, or the lines."""
        if self.as_json:
            click.echo(output.dump_json(value))
            return
        for line in lines:
            click.echo(line)


def _show_log_messages() -> None:
    """Show what the library tells of long work, such as preparing a model."""
    import logging

    class EchoHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            click.echo(terminal_safe.make_printable(record.getMessage()), err=True)

    log = logging.getLogger("vecsearch")
    if not log.handlers:
        log.addHandler(EchoHandler())
        log.setLevel(logging.INFO)
        log.propagate = False


def add_common_options(command: _F) -> _F:
    """Give a command the options that every command takes, as one value; they may stand before the command's name too."""

    def run_command(db: str | None, collection: str | None, as_json: bool, quiet: bool, **options: Any) -> Any:
        context = click.get_current_context()
        before = context.find_object(CliContext) or CliContext(None, None, False, False)
        given = CliContext(
            db or before.db,
            before.collection if collection is None else collection,
            as_json or before.as_json,
            quiet or before.quiet,
        )
        context.obj = given
        if given.quiet:
            warnings.simplefilter("ignore")
        else:
            _show_log_messages()
        return command(given, **options)

    run_command.__name__, run_command.__doc__ = command.__name__, command.__doc__
    run_command.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print data and errors only: no progress, summary or warning."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON value."),
        click.option("-c", "--collection", metavar="NAME", help=f"The collection.  [default: {COLLECTION_DEFAULT}]"),
        click.option(
            "--db", metavar="DIR", help="The database folder.  [default: $VECSEARCH_DB, else the nearest .vecsearch/ upward]"
        ),
    ):
        run_command = option(run_command)
    return run_command  # type: ignore[return-value]


def make_limit_option(default: int) -> Callable[[_F], _F]:
    """The option that says how many answers are wanted."""
    return click.option(
        "-n", "--limit", metavar="N", type=click.IntRange(min=1), default=default, show_default=True, help="How many at most."
    )


where_option = click.option(
    "--where",
    multiple=True,
    metavar="EXPR",
    help="Only documents whose metadata match: key=value, key>=value … or JSON; repeat for AND.",
)
source_option = click.option("--source", metavar="PATH", help="The documents of this file or folder.")


def add_search_options(command: _F) -> _F:
    """The options of everything that answers with hits; they arrive under the names of `Collection.search`."""
    for option in reversed(
        (
            make_limit_option(LIMIT_DEFAULT),
            where_option,
            min_similarity_option,
            click.option("--group-by", type=click.Choice(["document"]), help="Each document's best chunk, and how many more."),
            click.option("--dedupe", is_flag=True, help="The best of near-duplicates and word forms, and how many more."),
            click.option(
                "--mmr", metavar="[LAMBDA]", type=click.FloatRange(0, 1), is_flag=False, flag_value=MMR_DEFAULT,
                help="Variety: from 1, nearness alone, to 0.  [without a number: 0.5]",
            ),
            click.option(
                "--window", metavar="N", type=click.IntRange(0, WINDOW_MAX), default=0, help="With N neighbour chunks each side."
            ),
            click.option("--explain", is_flag=True, help="Why: ranks, scores, best sentence, shares of the words."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


class _SimilarityType(click.ParamType[Any]):
    name = "cosine"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        if value == "auto" or isinstance(value, float):
            return value  # type: ignore[no-any-return]
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor 'auto'.", param, ctx)


min_similarity_option = click.option(
    "--min-similarity",
    type=_SimilarityType(),
    metavar="COSINE|auto",
    help="Only hits of at least this similarity; auto: above chance.",
)


def _make_choice_option(name: str, default: StrEnum, meaning: str) -> Callable[[_F], _F]:
    """An option that takes one of a closed choice."""
    kind = click.Choice([each.value for each in type(default)])
    return click.option(name, type=kind, default=default.value, show_default=True, help=meaning)


mode_option = _make_choice_option("--mode", Mode.HYBRID, "By meaning, by words, or both.")
fusion_option = _make_choice_option("--fusion", Fusion.TMM, "How both are made one.")


def add_rerank_option(command: _F) -> _F:
    """The option that asks for a second look."""
    return click.option(
        "--rerank", metavar="[MODEL]", is_flag=False, flag_value="", default=None,
        help="A second look at the best, word by word; with a name or folder, by that cross-encoder.",
    )(command)  # fmt: skip


def parse_rerank_option(value: str | None) -> bool | str:
    """What `search` takes."""
    return value if value else value is not None


def parse_where_options(where: Sequence[str]) -> Any:
    """Repeated --where options as one filter, None for none."""
    from vecsearch.search.where_parser import parse_shell

    return parse_shell(where)


def require_one_of(what: str, *present: bool) -> None:
    """Raises a usage error unless exactly one of some options was given."""
    if sum(present) != 1:
        raise click.UsageError(f"Give one of {what}.")


def parse_metadata_option(text: str) -> dict[str, Any]:
    """Return a JSON object. Raises a usage error."""

    try:
        metadata = load_json(text)
    except ValueError as error:
        raise click.UsageError(f"--metadata must be a JSON object, got {text!r}: {error}") from error
    if not isinstance(metadata, dict):
        raise click.UsageError(f"--metadata must be a JSON object, got {text!r}")
    return metadata
