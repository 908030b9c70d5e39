"""The commands that ask: search, similar, recommend, context."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.settings import CONTEXT_TOKENS_DEFAULT
from vecsearch.core.types import Mode
from vecsearch.surfaces import packed, render
from vecsearch.surfaces.options import (
    Common,
    answer_options,
    common,
    fusion_option,
    min_score_option,
    mode_option,
    one_of,
    parsed_rerank,
    parsed_where,
    rerank_option,
    where_option,
)  # fmt: skip

if TYPE_CHECKING:
    from vecsearch.core.answers import Hits


@click.command()
@click.argument("query", nargs=-1, required=True, metavar="QUERY")
@mode_option
@answer_options
@rerank_option
@fusion_option
@common
def search(options: Common, query: Sequence[str], mode: str, fusion: str, rerank: str | None, **asked: Any) -> None:
    """Find what means, or says, what QUERY asks.

    In QUERY "quoted words" follow each other, begin* is the beginning of a word; 1.0.21, foo_bar and C++ are one thing.
    """
    started, text = perf_counter(), " ".join(query)
    with options.reading() as collection:
        hits = collection.search(text, mode=mode, fusion=fusion, rerank=parsed_rerank(rerank), **_answer(asked))
    _show(options, text, mode, started, hits)


@click.command()
@click.option("--id", "identifier", metavar="ID", help="Near a stored document, which is left out itself.")
@click.option("--text", metavar="TEXT", help="Near a text.")
@click.option("--file", "file", metavar="FILE", help="Near the text of a file.")
@answer_options
@common
def similar(options: Common, identifier: str | None, text: str | None, file: str | None, **asked: Any) -> None:
    """Find what is near a document, a text or a file."""
    one_of("--id, --text or --file", identifier is not None, text is not None, file is not None)
    started = perf_counter()
    with options.reading() as collection:
        hits = collection.similar(id=identifier, text=text, file=file, **_answer(asked))
    _show(options, identifier or text or file, Mode.DENSE.value, started, hits)


@click.command()
@click.option("--like", multiple=True, metavar="ID", help="Like this document; repeat for more.")
@click.option("--unlike", multiple=True, metavar="ID", help="Not like this document; repeat for more.")
@click.option("--like-text", multiple=True, metavar="TEXT", help="Like this text.")
@click.option("--unlike-text", multiple=True, metavar="TEXT", help="Not like this text.")
@answer_options
@common
def recommend(
    options: Common,
    like: Sequence[str],
    unlike: Sequence[str],
    like_text: Sequence[str],
    unlike_text: Sequence[str],
    **asked: Any,
) -> None:
    """Find what is like some documents or texts, and not like others."""
    if not like and not like_text:
        raise click.UsageError("Give at least one --like or --like-text.")
    started = perf_counter()
    positive: list[Any] = [*like, *({"text": each} for each in like_text)]
    negative: list[Any] = [*unlike, *({"text": each} for each in unlike_text)]
    with options.reading() as collection:
        hits = collection.recommend(positive, negative, **_answer(asked))
    _show(options, None, "recommend", started, hits)


@click.command()
@click.argument("question", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(min=1), default=CONTEXT_TOKENS_DEFAULT, show_default=True,
    help="How long it may be, counted as the encoder counts.",
)  # fmt: skip
@mode_option
@where_option
@min_score_option
@rerank_option
@common
def context(options: Common, question: Sequence[str], rerank: str | None, where: Sequence[str], **asked: Any) -> None:
    """Pack the best passages for a language model, with numbered sources."""
    with options.reading() as collection:
        found = collection.context(" ".join(question), rerank=parsed_rerank(rerank), where=parsed_where(where), **asked)
    options.show(packed.json_context(found), packed.context_lines(found))
    if not found.passages and not options.as_json and not options.quiet:
        click.echo("nothing found that fits", err=True)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    return {**asked, "where": parsed_where(asked["where"])}


def _show(options: Common, query: str | None, mode: str, started: float, hits: Hits) -> None:
    took = (perf_counter() - started) * 1000
    explained = any(hit.reasons for hit in hits)
    options.show(render.answer(query, mode, took, hits, plan=explained), render.hit_lines(hits))
    if not hits and not options.as_json and not options.quiet:
        click.echo("nothing found", err=True)
