"""How hits are shown: the options for it, and what prints an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vecsearch.interfaces.cli import question_log, streams
from vecsearch.interfaces.cli.last_hits import keep_hits
from vecsearch.interfaces.cli.options import CliContext, make_choice_option
from vecsearch.interfaces.rendering import output
from vecsearch.interfaces.rendering.hit_formats import FORMATS, HitFormat, list_files
from vecsearch.interfaces.rendering.hits import format_hits

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection
    from vecsearch.core.results import Hits

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Display:
    """How an answer is shown, and since when it is waited for."""

    format: HitFormat
    files_only: bool
    by_chunk: bool
    started: float

    @property
    def group_by(self) -> str | None:
        """Return the argument of that name for `Collection.search`."""
        return None if self.by_chunk else "document"

    def count_total(self, collection: Collection, hits: Hits, where: Any) -> int:
        """Return how many documents, or chunks, the filter lets through."""
        if self.by_chunk:
            return 0 if hits.profile is None else hits.profile.matching
        return collection.count(where)


def add_display_options(command: _F) -> _F:
    """Add the options that say how hits are shown, passed on as one Display."""

    def run_command(options: CliContext, format: str, files_only: bool, chunks: bool, **others: Any) -> Any:
        chosen = HitFormat(format)
        if files_only and (options.as_json or chosen is not HitFormat.TEXT):
            raise click.UsageError("-l prints the names of files: leave --format and --json out.")
        if options.as_json and chosen not in (HitFormat.TEXT, HitFormat.JSON):
            raise click.UsageError(f"Give --json or --format {chosen.value}.")
        options = replace(options, as_json=options.as_json or chosen is HitFormat.JSON)
        display = Display(chosen, files_only, chunks, perf_counter())
        return command(options, display=display, **others)

    run_command.__name__, run_command.__doc__ = command.__name__, command.__doc__
    run_command.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("-l", "--files", "files_only", is_flag=True, help="Print only the files of the hits."),
        make_choice_option("--format", HitFormat.TEXT, "How to print the hits; jsonl: one a line."),
        click.option("--chunks", is_flag=True, help="All chunks that match, not only each document's best."),
    ):
        run_command = option(run_command)
    return run_command  # type: ignore[return-value]


def show_hits(
    options: CliContext, display: Display, hits: Hits, *, query: str | None, mode: str, total: int, is_question: bool = False
) -> None:
    """Print an answer, and on stderr how much of what there is, or that nothing was found.

    The query that `is_question` is logged, where the log is on: see `question_log`.
    """
    seconds = perf_counter() - display.started
    question = query if is_question else None
    keep_hits(options.find_database(), hits, question=question, collection=options.name)
    if question is not None:
        question_log.add_entry(options.find_database(), options.name, question, question_log.LoggedAct.SEARCHED)
    if options.as_json:
        explained = any(hit.explanation for hit in hits)
        options.show(output.build_answer_json(query, mode, seconds * 1000, hits, total=total, include_profile=explained), ())
        return
    if display.files_only:
        lines = iter(list_files(hits))
    elif display.format in FORMATS:
        lines = FORMATS[display.format](hits)
    else:
        terminal = options.terminal
        click.get_current_context().color = terminal.has_colors  # else click takes the codes out
        lines = format_hits(hits, terminal)
    for line in lines:
        click.echo(line)
    if not options.quiet:
        tell_outcome(hits, total, seconds, by_chunk=display.by_chunk)
    options.tell_pending(hits.pending_vectors)


def tell_outcome(hits: Hits, total: int, seconds: float, *, by_chunk: bool) -> None:
    """Say on stderr how many hits there are of how many documents, and that they are all weak."""
    if not hits:
        streams.print_line(": ".join(filter(None, ("nothing found", hits.reason))))
        return
    if hits.weak:
        streams.print_line("nothing but weak hits: no document is nearer to this than to any other question")
    streams.print_line(f"{len(hits):,} of {total:,}{' chunks' if by_chunk else ''} · {seconds:.1f} s")
