"""The shell's `reembed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vecsearch.core.types import AnyPrecision, Precision, format_count
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.rendering import terminal_safe

if TYPE_CHECKING:
    from vecsearch.indexing.reembed import ReembedReport


@click.command()
@click.option(
    "--model", metavar="NAME", help="The new model: a hub name or a local folder.  [default: that of an interrupted run]"
)
@click.option(
    "--precision",
    type=click.Choice([precision.value for precision in Precision]),
    help="Precision of the new vectors.  [default: the old ones']",
)
@click.option("--cancel", is_flag=True, help="Discard what an interrupted run has made.")
@add_common_options
def reembed(options: CliContext, model: str | None, precision: AnyPrecision | None, cancel: bool) -> None:
    """Embed all documents again with another model.

    Searches use the old vectors until all new ones are there. Interrupted, the same command continues where it stopped.
    """
    if cancel:
        if model is not None or precision is not None:
            raise click.UsageError("--cancel takes neither --model nor --precision.")
        _cancel_reembedding(options)
        return
    with options.open_for_writing() as collection, options.show_progress("reembedding") as progress:
        report = collection.reembed(model, precision=precision, progress=progress)
    lines = [_format_report(report)]
    if report.tuning_dropped:
        lines.append("the map of questions went with the old vectors, for which it was made; to make another: vecsearch tune")
    options.show(report.to_dict(), [] if options.quiet else map(terminal_safe.make_printable, lines))


def _format_report(report: ReembedReport) -> str:
    amounts = f"{report.collection}: {format_count(report.documents, 'document')}, {format_count(report.chunks, 'chunk')}"
    if not report.switched:
        return f"{amounts} are embedded with {report.model} already; nothing to do"
    return (
        f"{amounts} are embedded with {report.model} now ({format_count(report.encoded, 'text')} encoded, {report.seconds:.1f} s)"
    )


def _cancel_reembedding(options: CliContext) -> None:
    with options.connect(writable=True) as database:
        cancelled = database.cancel_reembedding(options.name)
    outcome = "discarded; the old vectors stay" if cancelled else "nothing was in progress"
    options.show({"collection": options.name, "cancelled": cancelled}, [] if options.quiet else [f"{options.name}: {outcome}"])
