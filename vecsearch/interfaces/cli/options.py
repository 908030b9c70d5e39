"""The options that every command takes, and what they mean: which database, which collection, in which form."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import vecsearch
from vecsearch.core import long_steps
from vecsearch.core.errors import CollectionNotFoundError, NotADatabaseError
from vecsearch.core.nesting import load_json
from vecsearch.core.settings import COLLECTION_DEFAULT, DATABASE_FOLDER, LIMIT_DEFAULT, MMR_DEFAULT, WINDOW_MAX
from vecsearch.core.types import Fusion, ListOrder, Mode, OnMissing, format_count
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.completion import FOLDER, complete_collections, complete_ids
from vecsearch.interfaces.cli.filter_options import FILTER_OPTIONS
from vecsearch.interfaces.cli.optional_values import OptionalValue
from vecsearch.interfaces.rendering import output
from vecsearch.interfaces.rendering.terminal import Color, Terminal

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
    color: Color = Color.AUTO

    @property
    def name(self) -> str:
        """Return the collection named by the user, or the default one."""
        return COLLECTION_DEFAULT if self.collection is None else self.collection

    def find_database(self) -> Path:
        """Return the database to read. Raises NotADatabaseError when there is none."""
        folder = self._locate_database()
        if folder is None:
            raise NotADatabaseError(
                f"no database: no --db, no $VECSEARCH_DB, no {DATABASE_FOLDER}/ here or above; "
                "to create one: vecsearch index PATH"
            )
        return folder

    def choose_database(self) -> Path:
        """Return the database to write to, which need not exist yet."""
        return self._locate_database() or Path.cwd() / DATABASE_FOLDER

    def _locate_database(self) -> Path | None:
        if self.db or os.environ.get("VECSEARCH_DB"):
            return Path(self.db or os.environ["VECSEARCH_DB"]).expanduser()
        current = Path.cwd()
        folders = (parent / DATABASE_FOLDER for parent in (current, *current.parents))
        return next((folder for folder in folders if folder.is_dir()), None)

    @contextmanager
    def connect(self, *, writable: bool = False) -> Iterator[Database]:
        """Open the database that is there, to read from it or to write to it. Raises NotADatabaseError."""
        with vecsearch.connect(self.find_database(), readonly=not writable, create=False) as database:
            yield database

    @contextmanager
    def open_for_reading(self) -> Iterator[Collection]:
        """Open the collection to read from. Raises CollectionNotFoundError."""
        with self.connect() as database:
            yield self._open_collection(database)

    @contextmanager
    def open_for_writing(self) -> Iterator[Collection]:
        """Open the collection of a database that is there, to write to. Raises CollectionNotFoundError."""
        with self.connect(writable=True) as database:
            yield self._open_collection(database)

    def _open_collection(self, database: Database) -> Collection:
        names = database.collections()
        if self.name not in names:
            raise CollectionNotFoundError(self.name, names)
        return database.collection(self.name)

    @contextmanager
    def show_progress(self, label: str = "indexing", unit: str = "") -> Iterator[Progress | None]:
        """Show a progress bar while the block runs, a line every ten seconds where stderr is no terminal; none with --quiet.

        `unit`: what there is to read is counted in; empty for what says nobody anything.
        """
        if self.quiet:
            yield None
            return
        from vecsearch.interfaces.cli.progress_bar import ProgressBar, ProgressLines

        if not sys.stderr.isatty():
            yield ProgressLines(label, unit)
            return
        with ProgressBar(label, unit) as bar:
            yield bar

    def tell_pending(self, count: int) -> None:
        """Say on stderr how many chunks are found by their words alone so far, if there are any."""
        if count and not self.as_json and not self.quiet:
            what = (
                f"{format_count(count, 'chunk')} found by words alone until {'its' if count == 1 else 'their'} vectors are made"
            )
            streams.print_line(f"{what}: vecsearch index --vectors-only")

    def show(self, value: Any, lines: Iterable[str], *, wraps: bool = True) -> None:
        """Print the value as JSON with --json, else the lines: on a terminal by their words, unless they are a document's."""
        if self.as_json:
            click.echo(output.dump_json(value, streams.get_encoding(sys.stdout)))
            return
        terminal = self.terminal
        click.get_current_context().color = terminal.has_colors  # else click takes the codes out
        for line in lines:
            for part in terminal.wrap(line) if wraps and "\x1b" not in line else (line,):
                click.echo(part)

    @property
    def terminal(self) -> Terminal:
        """Return what stdout leads to."""
        return Terminal.detect(self.color)


def _show_log_messages() -> None:
    """Print the library's log messages about long work, such as preparing a model."""
    import logging

    class EchoHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            streams.print_line(record.getMessage())

    log = logging.getLogger("vecsearch")
    if not log.handlers:
        log.addHandler(EchoHandler())
        log.setLevel(logging.INFO)
        log.propagate = False


def _show_step(what: str, seconds: int, *, quiet: bool) -> AbstractContextManager[object]:
    """Show a step that takes long: a bar on a terminal, else a line, and nothing with --quiet."""
    if quiet:
        return nullcontext()
    if sys.stderr.isatty():
        from vecsearch.interfaces.cli.progress_bar import show_step

        return show_step(what, seconds)
    streams.print_line(f"{what} (about {seconds} s, once)")
    return nullcontext()


def add_common_options(command: _F) -> _F:
    """Add the options that every command takes, passed on as one CliContext; they may also precede the command's name."""

    def run_command(db: str | None, collection: str | None, as_json: bool, quiet: bool, color: str | None, **options: Any) -> Any:
        context = click.get_current_context()
        before = context.find_object(CliContext) or CliContext(None, None, False, False)
        chosen = CliContext(
            db or before.db,
            before.collection if collection is None else collection,
            as_json or before.as_json,
            quiet or before.quiet,
            before.color if color is None else Color(color),
        )
        context.obj = chosen
        if chosen.quiet:
            warnings.simplefilter("ignore")
        else:
            _show_log_messages()
        with long_steps.display(partial(_show_step, quiet=chosen.quiet)):
            return command(chosen, **options)

    run_command.__name__, run_command.__doc__ = command.__name__, command.__doc__
    run_command.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option(
            "--color", type=click.Choice([color.value for color in Color]), help="When to use colours.  [default: auto]"
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print only data and errors: no progress, summary or warnings."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON value."),
        click.option(
            "-c",
            "--collection",
            metavar="NAME",
            shell_complete=complete_collections,
            help=f"The collection.  [default: {COLLECTION_DEFAULT}; of status, optimize, doctor: all]",
        ),
        click.option(
            "--db",
            metavar="DIR",
            type=FOLDER,
            help="The database folder.  [default: $VECSEARCH_DB, else the nearest .vecsearch/ upward]",
        ),
    ):
        run_command = option(run_command)
    return run_command  # type: ignore[return-value]


def make_limit_option(default: int | None) -> Callable[[_F], _F]:
    """Return the option --limit with this default, None for no limit."""
    return click.option(
        "-n", "--limit", metavar="N", type=click.IntRange(min=1), default=default, show_default=True, help="Return at most N."
    )


def make_choice_option(name: str, default: StrEnum, meaning: str) -> Callable[[_F], _F]:
    """Return an option that takes one of the members of an enumeration."""
    kind = click.Choice([member.value for member in type(default)])
    return click.option(name, type=kind, default=default.value, show_default=True, help=meaning)


missing_option = make_choice_option(
    "--missing", OnMissing.ERROR, "What becomes of an id that is not there: an error, which stops all, or it is skipped."
)
after_option = click.option(
    "--after", metavar="ID", shell_complete=complete_ids, help="Go on after this document: the last of the page before."
)
order_option = make_choice_option("--order", ListOrder.ID, "By id, or as they were added.")
get_order_option = click.option(
    "--order", type=click.Choice([order.value for order in ListOrder]),
    help="Those of --where or --source by id, or as they were added; ids come as they are given.",
)  # fmt: skip
offset_option = click.option(
    "--offset", metavar="N", type=click.IntRange(min=0), default=0, show_default=True, help="Skip the first N."
)

exit_status_option = click.option("--exit-status", is_flag=True, help="Leave with status 1 where nothing is found.")


class _WindowType(click.IntRange):
    name = "window"

    def __init__(self) -> None:
        super().__init__(0, WINDOW_MAX)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "document" else super().convert(value, param, ctx)


def add_search_options(command: _F) -> _F:
    """Add the options of every command that returns hits, named as the arguments of `Collection.search`."""
    for option in reversed(
        (
            make_limit_option(LIMIT_DEFAULT),
            offset_option,
            *FILTER_OPTIONS,
            min_similarity_option,
            click.option("--dedupe", is_flag=True, help="Only one of near-duplicates and word forms, with a count."),
            click.option(
                "--mmr", cls=OptionalValue, reads_as_value=_is_share, metavar="[LAMBDA]", type=click.FloatRange(0, 1),
                flag_value=MMR_DEFAULT, help="Diversity: from 1, similarity alone, to 0.  [without a number: 0.5]",
            ),
            click.option(
                "--window", metavar="N|document", type=_WindowType(), default=0,
                help="Add N neighbour chunks on each side, or the whole document.",
            ),
            click.option("--explain", is_flag=True, help="Show ranks, scores, the best sentence and each word's share."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _is_share(word: str) -> bool:
    """Return whether a word after --mmr is its number, which ends with the last digit: `0.5`."""
    return re.fullmatch(r"0|1|[01]?\.\d+", word) is not None and float(word) <= 1


def _is_path(word: str) -> bool:
    """Return whether a word after --rerank is the folder of a model, and so no word of the question."""
    return word.startswith(("/", "./", "../", "~/"))


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
    help="Only hits of at least this similarity; auto: above the noise floor.",
)


mode_option = make_choice_option("--mode", Mode.HYBRID, "Search by meaning (dense), by terms (lexical), or both.")
fusion_option = make_choice_option("--fusion", Fusion.TMM, "How dense and lexical scores are combined.")


def add_rerank_option(command: _F) -> _F:
    """Add the option that reranks the best candidates."""
    return click.option(
        "--rerank", cls=OptionalValue, reads_as_value=_is_path, metavar="[=MODEL]", flag_value="", default=None,
        help="Rerank the best candidates token by token, or with the named cross-encoder.",
    )(command)  # fmt: skip


about_option = click.option("--about", metavar="WORD", help="A word of QUERY: passages where it means the same come first.")


wordnet_option = click.option(
    "--wordnet", metavar="DIR", type=FOLDER, help="The folder of WordNet's files.  [default: /usr/share/wordnet, if it is there]"
)


def parse_rerank_option(value: str | None) -> bool | str:
    """Return the value of --rerank as `Collection.search` takes it."""
    return value if value else value is not None


def require_one_of(what: str, *present: bool) -> None:
    """Raise a usage error unless exactly one of these options is given."""
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
