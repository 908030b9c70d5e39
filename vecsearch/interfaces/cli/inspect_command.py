"""The shell's `inspect`: a look inside the model at one text or several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import click

from vecsearch.core.inspection import Head, Inspection, check_head, parse_head
from vecsearch.interfaces.cli.completion import FILE
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.cli.picture_files import write_picture


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT [TEXT…]")
@click.option("--word", metavar="WORD", help="Compare this word between the texts, layer by layer.  [default: those they share]")
@click.option("--leave-one-out", is_flag=True, help="Measure exactly what shapes each word: a pass of the model a word.")
@click.option("--head", metavar="LAYER.HEAD", help="Show this head's attention, such as 3.2, for the mean of all.")
@click.option("--heads", is_flag=True, help="Show where each head looks; in --json all maps.")
@click.option("--neighbours", is_flag=True, help="List the nearest documents of the collection, and look into its model.")
@click.option("--model", metavar="NAME", help="A hub name or a local folder.  [default: all-MiniLM-L6-v2]")
@click.option("--svg", metavar="FILE", type=FILE, help="Write a picture; - is stdout.")
@add_common_options
def inspect(
    options: CliContext, texts: Sequence[str], word: str | None, leave_one_out: bool, head: str | None, heads: bool,
    neighbours: bool, model: str | None, svg: str | None,
) -> None:  # fmt: skip
    """Look inside the model: tokens, attention, and how each shapes a text's vector.

    Each TEXT is one argument: quote it. It shows the tokens with their share in the vector, which words shape a word, attention
    as a map, a word in two texts layer by layer, and the similarity of the texts.
    """
    from vecsearch.api.inspect_text import inspect as inspect_texts

    if svg is not None and options.as_json:
        raise click.UsageError("Give --svg or --json.")
    chosen = None if head is None else parse_head(head)
    if options.collection is not None and not neighbours:
        raise click.UsageError("-c goes with --neighbours; to look into another model: --model NAME.")
    with options.open_for_reading() if neighbours else nullcontext() as collection:
        inspection = inspect_texts(texts, word=word, model=model, leave_one_out=leave_one_out, collection=collection)
    check_head(inspection, chosen)
    if svg is not None:
        from vecsearch.interfaces.rendering.inspection_svg import draw_inspection

        write_picture(options, svg, draw_inspection(inspection, head=chosen, heads=heads))
        return
    _show(options, inspection, chosen, heads)


def _show(options: CliContext, inspection: Inspection, head: Head | None, heads: bool) -> None:
    if options.as_json:
        from vecsearch.interfaces.rendering.inspection_json import build_inspection_json

        options.show(build_inspection_json(inspection, head=head, heads=heads), ())
        return
    from vecsearch.interfaces.rendering.inspection_text import format_inspection

    options.show(None, format_inspection(inspection, options.terminal, head=head, heads=heads), wraps=False)
