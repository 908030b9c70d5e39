"""The shell's `senses`: in which meanings a collection uses a word."""

from __future__ import annotations

import click

from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.options import CliContext, add_common_options, wordnet_option
from vecsearch.interfaces.rendering.sense_lines import format_senses


@click.command()
@click.argument("word")
@wordnet_option
@add_common_options
def senses(options: CliContext, word: str, wordnet: str | None) -> None:
    """Show in which meanings passages use WORD: groups of them, the largest first, with two typical ones.

    With WordNet at hand (apt install wordnet-base) each group has the definition that fits it.
    """
    with options.open_for_reading() as collection:
        found = collection.senses(word, wordnet=wordnet)
    options.show(found.to_dict(), format_senses(found, options.terminal), wraps=False)
    if found.reason is not None and not options.quiet and not options.as_json:
        streams.print_line(found.reason)
