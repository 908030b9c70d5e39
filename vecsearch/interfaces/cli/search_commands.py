"""The commands that search: search, similar, recommend, context."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.settings import CONTEXT_TOKENS_DEFAULT
from vecsearch.core.types import Mode
from vecsearch.interfaces.cli.optional_values import OptionalValueCommand
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


@click.command(cls=OptionalValueCommand)
@click.argument("query", nargs=-1, required=True, metavar="QUERY")
@mode_option
@add_search_options
@add_rerank_option
@fusion_option
@add_common_options
def search(options: CliContext, query: Sequence[str], mode: str, fusion: str, rerank: str | None, **search_options: Any) -> None:
    """Find the passages that answer QUERY, by meaning and by terms.

    In QUERY, "quoted words" must follow each other and begin* matches the beginning of a word; 1.0.21, foo_bar and C++ are
    single terms.
    """
    started, text = perf_counter(), " ".join(query)
    with options.open_for_reading() as collection:
        hits = collection.search(
            text, mode=mode, fusion=fusion, rerank=parse_rerank_option(rerank), **_parse_search_options(search_options)
        )
    _show_hits(options, text, mode, started, hits)


@click.command(cls=OptionalValueCommand)
@click.option("--id", "identifier", metavar="ID", help="Similar to a stored document, which is not returned itself.")
@click.option("--text", metavar="TEXT", help="Similar to a text.")
@click.option("--file", "file", metavar="FILE", help="Similar to the text of a file.")
@add_search_options
@add_common_options
def similar(options: CliContext, identifier: str | None, text: str | None, file: str | None, **search_options: Any) -> None:
    """Find passages similar to a document, a text or a file."""
    require_one_of("--id, --text or --file", identifier is not None, text is not None, file is not None)
    started = perf_counter()
    with options.open_for_reading() as collection:
        hits = collection.similar(id=identifier, text=text, file=file, **_parse_search_options(search_options))
    _show_hits(options, identifier or text or file, Mode.DENSE.value, started, hits)


@click.command(cls=OptionalValueCommand)
@click.option("--positive", multiple=True, metavar="ID", help="Similar to this document; repeat for more.")
@click.option("--negative", multiple=True, metavar="ID", help="Not similar to this document; repeat for more.")
@click.option("--positive-text", multiple=True, metavar="TEXT", help="Similar to this text; repeat for more.")
@click.option("--negative-text", multiple=True, metavar="TEXT", help="Not similar to this text; repeat for more.")
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
    """Find passages similar to some documents or texts, and not to others."""
    if not positive and not positive_text:
        raise click.UsageError("Give at least one --positive or --positive-text.")
    started = perf_counter()
    likes: list[Any] = [*positive, *({"text": text} for text in positive_text)]
    dislikes: list[Any] = [*negative, *({"text": text} for text in negative_text)]
    with options.open_for_reading() as collection:
        hits = collection.recommend(likes, dislikes, **_parse_search_options(search_options))
    _show_hits(options, None, "recommend", started, hits)


@click.command(cls=OptionalValueCommand)
@click.argument("question", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(min=1), default=CONTEXT_TOKENS_DEFAULT, show_default=True,
    help="The longest answer, in tokens of the model.",
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
        packed = collection.context(
            " ".join(question), rerank=parse_rerank_option(rerank), where=parse_where_options(where), **search_options
        )
    options.show(packed_context.build_context_json(packed), packed_context.format_context(packed))
    if not packed.passages and not options.as_json and not options.quiet:
        click.echo("no passage fits", err=True)
    options.tell_pending(packed.pending_vectors)


def _parse_search_options(search_options: dict[str, Any]) -> dict[str, Any]:
    return {**search_options, "where": parse_where_options(search_options["where"])}


def _show_hits(options: CliContext, query: str | None, mode: str, start_time: float, hits: Hits) -> None:
    took = (perf_counter() - start_time) * 1000
    explained = any(hit.explanation for hit in hits)
    options.show(output.build_answer_json(query, mode, took, hits, include_profile=explained), output.format_hits(hits))
    if not hits and not options.as_json and not options.quiet:
        click.echo("nothing found", err=True)
    options.tell_pending(hits.pending_vectors)
