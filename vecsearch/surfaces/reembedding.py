"""The shell's `reembed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vecsearch.core.types import Precision, plural
from vecsearch.surfaces import safe
from vecsearch.surfaces.options import Common, common

if TYPE_CHECKING:
    from vecsearch.reembedding import ReembedReport


@click.command()
@click.option("--model", metavar="NAME", help="The new encoder: a hub name or a local folder.  [default: of a run begun before]")
@click.option(
    "--precision", type=click.Choice([each.value for each in Precision]), help="Of the new vectors.  [default: the old ones']"
)
@click.option("--cancel", is_flag=True, help="Give up what an interrupted run has made.")
@common
def reembed(options: Common, model: str | None, precision: str | None, cancel: bool) -> None:
    """Make all vectors anew by another encoder.

    Searches go on by the old ones until all are there. Interrupted, the same command goes on where it stopped.
    """
    if cancel:
        if model is not None or precision is not None:
            raise click.UsageError("--cancel takes neither --model nor --precision.")
        _cancel(options)
        return
    with options.writing() as collection, options.progress("reembedding") as progress:
        report = collection.reembed(model, precision=precision, progress=progress)
    options.show(report.to_dict(), [] if options.quiet else [safe.printable(_said(report))])


def _said(report: ReembedReport) -> str:
    held = f"{report.collection}: {plural(report.documents, 'document')}, {plural(report.chunks, 'chunk')}"
    if not report.switched:
        return f"{held} by {report.encoder} already; nothing to do"
    return f"{held} by {report.encoder} now ({plural(report.encoded, 'text')} encoded, {report.seconds:.1f} s)"


def _cancel(options: Common) -> None:
    from vecsearch import maintenance

    given_up = maintenance.cancel_reembedding(options.folder(), options.name)
    said = "given up; the old vectors stay" if given_up else "nothing was half made"
    options.show({"collection": options.name, "cancelled": given_up}, [] if options.quiet else [f"{options.name}: {said}"])
