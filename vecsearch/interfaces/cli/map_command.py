"""The shell's `map`: a collection as a picture or a page."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from vecsearch.interfaces.cli.completion import FILE
from vecsearch.interfaces.cli.filter_options import add_filter_options, take_where
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.cli.picture_files import write_picture

if TYPE_CHECKING:
    from vecsearch.core.document_map import DocumentMap


@click.command("map")
@click.option("--svg", metavar="FILE", type=FILE, help="Write a picture; - is stdout.")
@click.option("--html", metavar="FILE", type=FILE, help="Write a page that shows a document under the pointer; - is stdout.")
@click.option("--label", metavar="KEY", help="Label by a metadata key, $id, $title or $text.  [default: title, short text or id]")
@click.option("--color-by", metavar="KEY", help="Colour by a metadata key.")
@click.option("-n", "--limit", metavar="N", type=click.IntRange(3, 5000), default=1000, show_default=True, help="Draw at most N.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Choose the sample by N."
)
@add_filter_options
@add_common_options
def map_collection(
    options: CliContext, svg: str | None, html: str | None, label: str | None, color_by: str | None, limit: int, seed: int,
    **filters: Any,
) -> None:  # fmt: skip
    """Draw a map of the collection: documents that are near in meaning stand near each other.

    It takes a few seconds. Where there are more than --limit documents, it draws a sample and says so.
    """
    if (svg is None and html is None and not options.as_json) or (svg == html == "-"):
        raise click.UsageError("Give --svg FILE, --html FILE or both, or --json.")
    if options.as_json and "-" in (svg, html):
        raise click.UsageError("Stdout is for --json: name a file.")
    from vecsearch.api.map_documents import map_documents

    with options.open_for_reading() as collection:
        drawn = map_documents(collection, label=label, color=color_by, where=take_where(filters), limit=limit, seed=seed)
    _write(options, drawn, svg, html)
    if options.as_json:
        options.show(asdict(drawn), ())


def _write(options: CliContext, drawn: DocumentMap, svg: str | None, html: str | None) -> None:
    from vecsearch.interfaces.rendering import map_svg

    if not options.quiet and not options.as_json:
        click.echo(map_svg.format_caption(drawn), err=True)
    if svg is not None:
        write_picture(options, svg, map_svg.draw_map(drawn))
    if html is not None:
        write_picture(options, html, map_svg.build_page(drawn))
