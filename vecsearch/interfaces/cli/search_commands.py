"""The commands that search: search, similar, recommend, context."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.errors import DocumentNotFoundError, InputError
from vecsearch.core.settings import CONTEXT_TOKENS_DEFAULT
from vecsearch.core.types import AnyFusion, AnyMode, Mode
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.completion import FILE, complete_ids
from vecsearch.interfaces.cli.display import Display, add_display_options, show_hits
from vecsearch.interfaces.cli.filter_options import add_filter_options, take_where
from vecsearch.interfaces.cli.handles import PlaceNotFoundError, ask_with_handles
from vecsearch.interfaces.cli.optional_values import OptionalValueCommand
from vecsearch.interfaces.cli.options import (
    CliContext,
    about_option,
    add_common_options,
    add_rerank_option,
    add_search_options,
    exit_status_option,
    fusion_option,
    min_similarity_option,
    mode_option,
    parse_rerank_option,
    wordnet_option,
)
from vecsearch.interfaces.rendering import packed_context

if TYPE_CHECKING:
    from vecsearch.core.results import Hits


def add_profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say whose saved likes and dislikes count."""
    half_life = click.option(
        "--half-life", type=click.FloatRange(min=0, min_open=True), metavar="DAYS",
        help="With --for: what was liked so many days before the newest counts half.",
    )  # fmt: skip
    profile = click.option("--for", "profile", metavar="USER", help="Prefer what USER may like: see `vecsearch profile`.")
    return profile(half_life(command))


@click.command(cls=OptionalValueCommand)
@click.argument("query", nargs=-1, metavar="[QUERY]")
@click.option("--file", "file", metavar="FILE", type=FILE, help="Ask what a file says: a text, a recording, a picture.")
@mode_option
@add_search_options
@about_option
@add_rerank_option
@fusion_option
@add_profile_options
@exit_status_option
@add_common_options
@add_display_options
def search(
    options: CliContext, query: Sequence[str], file: str | None, mode: AnyMode, about: str | None, fusion: AnyFusion,
    rerank: str | None, exit_status: bool, display: Display, **search_options: Any,
) -> int:  # fmt: skip
    """Find the passages that answer QUERY, by meaning and by terms.

    In QUERY, "quoted words" must follow each other and begin* matches the beginning of a word; 1.0.21, foo_bar and C++ are
    single terms.
    """
    if bool(query) == (file is not None):
        raise click.UsageError("Missing argument 'QUERY'." if file is None else "Give QUERY or --file, one of them.")
    text, arguments = " ".join(query), _parse_search_options(search_options, display)
    asked: dict[str, Any] = {"query": text} if file is None else {"file": file}
    with options.open_for_reading() as collection:
        wish = parse_rerank_option(rerank)
        hits = collection.search(**asked, mode=mode, about=about, fusion=fusion, rerank=wish, **arguments)
        total = display.count_total(collection, hits, arguments["where"])
        show_hits(options, display, hits, query=file or text, mode=mode, total=total, is_question=file is None)
    lacks_word = about is not None and hits and not any(hit.word for hit in hits)
    if lacks_word and not arguments["offset"] and not options.as_json and not options.quiet:
        streams.print_line(f"no passage has the word {about!r}: these are in their usual order")
    return int(exit_status and not hits)


@click.command(cls=OptionalValueCommand)
@click.argument("thing", nargs=-1, metavar="[THING]", shell_complete=complete_ids)
@click.option(
    "--id", "identifier", metavar="ID", shell_complete=complete_ids,
    help="Similar to a stored document, which is not returned itself.",
)  # fmt: skip
@click.option("--text", metavar="TEXT", help="Similar to a text.")
@click.option("--file", "file", metavar="FILE", type=FILE, help="Similar to what a file says, or a picture shows.")
@click.option("--about", metavar="TEXT", help="What a word means, THING or --text: a sentence that uses it, or its definition.")
@wordnet_option
@add_search_options
@exit_status_option
@add_common_options
@add_display_options
def similar(
    options: CliContext, thing: Sequence[str], identifier: str | None, text: str | None, file: str | None, about: str | None,
    wordnet: str | None, exit_status: bool, display: Display, **search_options: Any,
) -> int:  # fmt: skip
    """Find passages similar to THING: the id of a document, else a file, else a text."""
    example: dict[str, Any] = {"id": identifier, "text": text, "file": file}
    if bool(thing) + sum(value is not None for value in example.values()) != 1:
        raise click.UsageError("Give one of THING, --id, --text or --file.")
    words, arguments = " ".join(thing) if thing else None, _parse_search_options(search_options, display)
    if about is not None:
        example, words = {**example, "text": text if words is None else words}, None
        arguments |= {"about": about, "wordnet": wordnet}
    with options.open_for_reading() as collection:

        def ask(**of: Any) -> Hits:
            return ask_with_handles(
                collection, lambda ids: collection.similar(id=ids[0], **{**of, **arguments}), [of.pop("id", None)]
            )

        hits = ask(**example) if words is None else _ask_about_thing(options, words, ask)
        total = display.count_total(collection, hits, arguments["where"])
        query = words if words is not None else next(value for value in example.values() if value is not None)
        show_hits(options, display, hits, query=query, mode=Mode.DENSE.value, total=total)
    return int(exit_status and not hits)


def _ask_about_thing(options: CliContext, thing: str, ask: Callable[..., Hits]) -> Hits:
    """Return what is similar to the document of an id or of what was printed of it, else to a file, else to a text.

    Raises InputError for what is meant as a path: its letters, taken for a text, are like nothing.
    """
    try:
        return ask(id=thing)
    except DocumentNotFoundError:
        pass
    except PlaceNotFoundError as error:
        if not _is_there(thing, Path.is_file):
            raise InputError(f"{error}; {_explain_text_option(thing)}") from error
    if _is_there(thing, Path.is_file):
        return ask(file=thing)
    if _is_there(thing, Path.is_dir):
        raise InputError(f"{thing!r} is a folder; name a document or a file in it; {_explain_text_option(thing)}")
    if _is_like_path(thing):
        raise InputError(f"no such document or file: {thing!r}; see `vecsearch ls`; {_explain_text_option(thing)}")
    if not options.quiet:
        streams.print_line(f"similar to a text: there is no document, and no file, {thing!r}")
    return ask(text=thing)


def _explain_text_option(thing: str) -> str:
    return f"to ask with it as a text: vecsearch similar --text {shlex.quote(thing)}"


def _is_there(thing: str, is_kind: Callable[[Path], bool]) -> bool:
    try:
        return is_kind(Path(thing).expanduser())
    except (OSError, ValueError, RuntimeError):  # too long for a path, with a null character, or of a user who is not there
        return False


def _is_like_path(thing: str) -> bool:
    """Return whether somebody who types this means a file: one word with a slash in it, or with the ending of a known type."""
    if not thing or any(map(str.isspace, thing)):
        return False
    from vecsearch.documents.loaders import LOADERS

    return "/" in thing or PurePath(thing).suffix.lower() in LOADERS


@click.command(cls=OptionalValueCommand)
@click.option(
    "--positive", multiple=True, metavar="ID", shell_complete=complete_ids, help="Similar to this document; repeat for more."
)
@click.option(
    "--negative", multiple=True, metavar="ID", shell_complete=complete_ids, help="Not similar to this document; repeat for more."
)
@click.option("--positive-text", multiple=True, metavar="TEXT", help="Similar to this text; repeat for more.")
@click.option("--negative-text", multiple=True, metavar="TEXT", help="Not similar to this text; repeat for more.")
@add_profile_options
@click.option("--boost", metavar="KEY", help="Prefer documents with a high number at this metadata key.")
@add_search_options
@exit_status_option
@add_common_options
@add_display_options
def recommend(
    options: CliContext,
    positive: Sequence[str],
    negative: Sequence[str],
    positive_text: Sequence[str],
    negative_text: Sequence[str],
    exit_status: bool,
    display: Display,
    **search_options: Any,
) -> int:
    """Find passages similar to some documents or texts, and not to others: what somebody may like.

    The score tells how far all examples together speak for a passage, from -1 to 1. The similarity, which --min-similarity
    tests, is that to the one it is most similar to, of those that it shall be similar to.
    """
    if not positive and not positive_text and search_options["profile"] is None:
        raise click.UsageError("Give at least one --positive or --positive-text, or --for USER.")
    arguments = _parse_search_options(search_options, display)
    with options.open_for_reading() as collection:
        likes, dislikes = ([{"text": text} for text in texts] for texts in (positive_text, negative_text))
        count = len(positive)
        hits = ask_with_handles(
            collection,
            lambda ids: collection.recommend([*ids[:count], *likes], [*ids[count:], *dislikes], **arguments),
            [*positive, *negative],
        )
        total = display.count_total(collection, hits, arguments["where"])
        show_hits(options, display, hits, query=None, mode="recommend", total=total)
    return int(exit_status and not hits)


@click.command(cls=OptionalValueCommand)
@click.argument("question", nargs=-1, required=True, metavar="QUESTION")
@click.option(
    "--max-tokens", metavar="N", type=click.IntRange(min=1), default=CONTEXT_TOKENS_DEFAULT, show_default=True,
    help="The longest answer, in tokens of the model.",
)  # fmt: skip
@mode_option
@add_filter_options
@min_similarity_option
@add_rerank_option
@exit_status_option
@add_common_options
def context(options: CliContext, question: Sequence[str], rerank: str | None, exit_status: bool, **search_options: Any) -> int:
    """Pack the best passages for a language model, with numbered sources."""
    with options.open_for_reading() as collection:
        where = take_where(search_options)
        packed = collection.context(" ".join(question), rerank=parse_rerank_option(rerank), where=where, **search_options)
    options.show(packed_context.build_context_json(packed), packed_context.format_context(packed), wraps=False)
    if not packed.passages and not options.as_json and not options.quiet:
        streams.print_line(f"nothing found: {packed.reason}" if packed.reason else "no passage fits")
    options.tell_pending(packed.pending_vectors)
    return int(exit_status and not packed.passages)


def _parse_search_options(search_options: dict[str, Any], display: Display) -> dict[str, Any]:
    where = take_where(search_options)
    return {**search_options, "where": where, "group_by": display.group_by, "highlight": True}
