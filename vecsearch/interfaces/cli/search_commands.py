"""The commands that ask: search, similar, recommend, context."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.settings import CONTEXT_TOKENS_DEFAULT
from vecsearch.core.types import Mode
from vecsearch.interfaces.cli.options import (
    CliContext,
    add_common_options,
    add_rerank_option,
    add_search_options,
    fusion_option,
    min_similarity_option,
    mode_option,
    parse_rerank_option,
    parse_where_options,
    require_one_of,
    where_option,
)
from vecsearch.interfaces.rendering import output, packed_context

if TYPE_CHECKING:
    from vecsearch.core.results import Hits


@click.command()
@click.argument("query", nargs=-1, required=True, metavar="QUERY")
@mode_option
@add_search_options
@add_rerank_option
@fusion_option
@add_common_options
def search(options: CliContext, query: Sequence[str], mode: str, fusion: str, rerank: str | None, **search_options: Any) -> None:
    """Find what means, or says, what QUERY asks.

    In QUERY "quoted words" follow each other, begin* is the beginning of a word; 1.0.21, foo_bar and C++ are one thing.
    """
    started, text = perf_counter(), " ".join(query)
    with options.open_for_reading() as collection:
        hits = collection.search(
            text, mode=mode, fusion=fusion, rerank=parse_rerank_option(rerank), **_parse_search_options(search_options)
        )
    _show_hits(options, text, mode, started, hits)


@click.command()
@click.option("--id", "identifier", metavar="ID", help="Near a stored document, which is left out itself.")
@click.option("--text", metavar="TEXT", help="Near a text.")
@click.option("--file", "file", metavar="FILE", help="Near the text of a file.")
@add_search_options
@add_common_options
def similar(options: CliContext, identifier: str | None, text: str | None, file: str | None, **search_options: Any) -> None:
    """Find what is near a document, a text or a file."""
    require_one_of("--id, --text or --file", identifier is not None, text is not None, file is not None)
    started = perf_counter()
    with options.open_for_reading() as collection:
        hits = collection.similar(id=identifier, text=text, file=file, **_parse_search_options(search_options))
    _show_hits(options, identifier or text or file, Mode.DENSE.value, started, hits)


@click.command()
@click.option("--positive", multiple=True, metavar="ID", help="Like this document; repeat for more.")
@click.option("--negative", multiple=True, metavar="ID", help="Not like this document; repeat for more.")
@click.option("--positive-text", multiple=True, metavar="TEXT", help="Like this text.")
@click.option("--negative-text", multiple=True, metavar="TEXT", help="Not like this text.")
@add_search_options
@add_common_options
def recommend(
    options: CliContext,
    positive: Sequence[str],
    negative: Sequence[str],
    positive_text: Sequence[str],
    negative_text: Sequence[str],
    **search_options: Any,
) -> None:
    """Find what is like some documents or texts, and not like others."""
    if not positive and not positive_text:
        raise click.UsageError("Give at least one --positive or --positive-text.")
    started = perf_counter()
    liked: list[Any] = [*positive, *({"text": text} for text in positive_text)]
    disliked: list[Any] = [*negative, *({"text": text} for text in negative_text)]
    with options.open_for_reading() as collection:
        hits = collection.recommend(liked, disliked, **_parse_search_options(search_options))
    _show_hits(options, None, "recommend", started, hits)


@click.command()
@click.argument("question", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(min=1), default=CONTEXT_TOKENS_DEFAULT, show_default=True,
    help="How long it may be, counted as the encoder counts.",
)  # fmt: skip
@mode_option
@where_option
@min_similarity_option
@add_rerank_option
@add_common_options
def context(
    options: CliContext, question: Sequence[str], rerank: str | None, where: Sequence[str], **search_options: Any
) -> None:
    """Pack the best passages for a language model, with numbered sources."""
    with options.open_for_reading() as collection:
        found = collection.context(
            " ".join(question), rerank=parse_rerank_option(rerank), where=parse_where_options(where), **search_options
        )
    options.show(packed_context.build_context_json(found), packed_context.format_context(found))
    if not found.passages and not options.as_json and not options.quiet:
        click.echo("nothing found that fits", err=True)


def _parse_search_options(search_options: dict[str, Any]) -> dict[str, Any]:
    return {**search_options, "where": parse_where_options(search_options["where"])}


def _show_hits(options: CliContext, query: str | None, mode: str, start_time: float, hits: Hits) -> None:
    took = (perf_counter() - start_time) * 1000
    explained = any(hit.explanation for hit in hits)
    options.show(output.build_answer_json(query, mode, took, hits, include_profile=explained), output.format_hits(hits))
    if not hits and not options.as_json and not options.quiet:
        click.echo("nothing found", err=True)
