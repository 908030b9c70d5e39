"""The shell's `tune`: learn from one's own questions, with the proof."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import click

from vecsearch.core.errors import InputError
from vecsearch.core.tuning import TuningLevel
from vecsearch.core.types import Mode
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.index_commands import INTERRUPTED_STATUS
from vecsearch.interfaces.cli.options import CliContext, add_common_options, make_choice_option
from vecsearch.interfaces.rendering import tuning_text
from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

_QUIET_S: Final = 10.0  # between two lines where stderr is no terminal


@click.command()
@click.option("--queries", metavar="FILE", help='Questions: JSON lines {"_id", "text"}, and …')
@click.option("--qrels", metavar="FILE", help="… lines of query-id, document-id and score, separated by tabs.")
@click.option(
    "--pairs",
    metavar="FILE",
    help='Questions and answers: a question, a tab and a document\'s id or text; or {"question", "id"}.',
)
@click.option("--label", metavar="KEY", help="Documents with the same value at this metadata key are near to each other.")
@click.option("--from-log", is_flag=True, help="The questions of `vecsearch log`, with what was opened or liked.")
@make_choice_option("--level", TuningLevel.MAP, "A map of the questions, in seconds, or the model itself, in minutes.")
@click.option(
    "--mode", type=click.Choice([Mode.DENSE.value, Mode.HYBRID.value]), default=Mode.HYBRID.value, show_default=True,
    help="The mode that you search in, in which the gain is to be proved.",
)  # fmt: skip
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Learn no longer than that.")
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), metavar="N", default=0, show_default=True, help="Of chance.")
@click.option("--out", metavar="DIR", help="The folder of the new model.  [default: tuned-COLLECTION]")
@click.option("--reembed", is_flag=True, help="Embed the collection with the new model, where it is kept.")
@click.option("--dry-run", is_flag=True, help="Show the proof, and keep nothing.")
@click.option("--drop", is_flag=True, help="Drop the map that an earlier run has made.")
@add_common_options
def tune(
    options: CliContext, queries: str | None, qrels: str | None, pairs: str | None, label: str | None, from_log: bool,
    drop: bool, **settings: Any,
) -> None:  # fmt: skip
    """Learn from your own questions, and keep what is proved to be better.

    At least 50 questions, of which documents that answer them are known. A part of them is held out twice: questions about
    documents that others ask for too, and questions about documents that none does. Kept is what surely gains on the first and
    does not lose on the second; else nothing has changed.
    """
    if drop:
        if any((queries, qrels, pairs, label, from_log)):
            raise click.UsageError("--drop goes with --db and -c alone.")
        _drop(options)
        return
    given = _read_given(options, queries, qrels, pairs, label, from_log)
    if settings["reembed"] and settings["level"] != TuningLevel.ENCODER:
        raise click.UsageError("--reembed goes with --level encoder: a map needs no new vectors.")
    with (
        options.open_for_writing() as collection, _explain_interruption(options, collection, **settings),
        _show_lines(options) as progress,
    ):  # fmt: skip
        tuning = collection.tune(**given, **settings, progress=progress)
    options.show(tuning.to_dict(), tuning_text.format_tuning(tuning, options.collection))


def _read_given(
    options: CliContext, queries: str | None, qrels: str | None, pairs: str | None, label: str | None, from_log: bool
) -> dict[str, Any]:
    """Return what to learn from, as `Collection.tune` takes it."""
    if (queries is None) != (qrels is None):
        raise click.UsageError("Give both --queries and --qrels.")
    if sum((queries is not None, pairs is not None, label is not None, from_log)) > 1:
        raise click.UsageError("Give one of --queries with --qrels, --pairs, --label or --from-log.")
    if queries is not None and qrels is not None:
        from vecsearch.evaluation import read_judgements

        judgements = read_judgements(queries, qrels)
        return {"queries": judgements.queries, "qrels": judgements.qrels}
    if pairs is not None:
        from vecsearch.evaluation import read_pairs

        return {"pairs": read_pairs(pairs)}
    if from_log:
        from vecsearch.interfaces.cli.question_log import list_pairs

        logged = list_pairs(options.find_database(), options.name)
        if not logged:
            raise InputError("nothing is logged that was opened or liked after a search; to begin: vecsearch log on")
        return {"pairs": logged}
    return {"label": label}


@contextmanager
def _explain_interruption(options: CliContext, collection: Collection, out: str | None, **settings: Any) -> Iterator[None]:
    """Say what an interrupted run has left: nothing, but where it was interrupted after what it learned had been kept."""
    folder = Path(out or f"tuned-{collection.name}").expanduser()
    chosen = "" if options.collection is None else f" -c {quote(options.collection)}"
    there, kept = folder.exists(), collection.status()["tuning"]
    try:
        yield
    except KeyboardInterrupt:
        line = "interrupted: nothing changed"
        if not there and folder.exists():
            line = f"interrupted; the new model is kept, to go on: vecsearch reembed --model {quote(str(folder))}{chosen}"
        elif collection.status()["tuning"] != kept:
            line = f"interrupted; the map of questions is kept, to undo it: vecsearch tune --drop{chosen}"
        streams.print_line(make_printable(line))
        raise click.exceptions.Exit(INTERRUPTED_STATUS) from None


def _drop(options: CliContext) -> None:
    with options.open_for_writing() as collection:
        dropped = collection.drop_tuning()
    outcome = "the map of questions is gone: answers are as they were" if dropped else "there is no map of questions"
    options.show({"collection": options.name, "dropped": dropped}, [] if options.quiet else [f"{options.name}: {outcome}"])


@contextmanager
def _show_lines(options: CliContext) -> Iterator[Callable[[str], None] | None]:
    """Show what is done: on a terminal in one line that changes, else a line every ten seconds; nothing with --quiet."""
    if options.quiet:
        yield None
        return
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("tuning …") as status:
            yield status.update
        return
    shown_at = -_QUIET_S

    def show(line: str) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _QUIET_S:
            streams.print_line(line)
            shown_at = time.monotonic()

    yield show
