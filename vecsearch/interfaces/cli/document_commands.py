"""The commands for stored documents: get, ls, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.results import DeleteReport
from vecsearch.core.settings import FACETS_LIMIT_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.core.types import AnyListOrder, AnyOnMissing, format_count, format_names
from vecsearch.interfaces.cli import questions, streams
from vecsearch.interfaces.cli.completion import complete_ids, complete_keys
from vecsearch.interfaces.cli.filter_options import add_filter_options, take_selection, take_where
from vecsearch.interfaces.cli.handles import Handle, PlaceNotFoundError, cut_document, resolve_handle
from vecsearch.interfaces.cli.options import (
    CliContext,
    add_common_options,
    after_option,
    get_order_option,
    make_limit_option,
    missing_option,
    offset_option,
    order_option,
    require_one_of,
)
from vecsearch.interfaces.cli.question_log import LoggedAct, log_choice
from vecsearch.interfaces.cli.questions import yes_option
from vecsearch.interfaces.rendering import output, terminal_safe

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]", shell_complete=complete_ids)
@add_filter_options
@missing_option
@click.option("--all", "is_all", is_flag=True, help="All documents of the collection.")
@click.option("--ignore", is_flag=True, help="Keep them away: the next `index` does not bring them back.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; change nothing.")
@yes_option
@add_common_options
def delete(
    options: CliContext, ids: Sequence[str], missing: AnyOnMissing, is_all: bool, ignore: bool, dry_run: bool, yes: bool,
    **filters: Any,
) -> None:  # fmt: skip
    """Delete documents by id, metadata or file, or all.

    On a terminal it says how many those are, and asks, but for ids.

    Documents whose file is still there come back with the next `index`, unless --ignore keeps them away; `vecsearch roots`
    lists those, `vecsearch roots unignore ID` takes them again.
    """
    require_one_of("ID…, --where, --source and the like, or --all", bool(ids), any(filters.values()), is_all)
    where, source = take_selection(filters)
    with options.open_for_reading() if dry_run else options.open_for_writing() as collection:

        def run(*, dry: bool) -> DeleteReport:
            if is_all:
                return collection.delete_all(ignore=ignore, dry_run=dry)
            return collection.delete(list(ids) or None, where=where, source=source, missing=missing, ignore=ignore, dry_run=dry)

        if not (ids or dry_run or yes) and questions.is_answerable() and (found := run(dry=True)):
            questions.confirm(f"delete {format_count(len(found), 'document')} ({format_names(found, limit=3)})?", yes=False)
        keys = run(dry=dry_run)
        reason = None if keys else _explain_nothing(collection, where)
    verb = "would delete" if dry_run else "deleted"
    lines = [f"{verb} {len(keys):,} document{'' if len(keys) == 1 else 's'}", *(keys if dry_run else [])]
    value = {"deleted": keys, "dry_run": dry_run, "returning": keys.returning, "forgotten": keys.forgotten}
    options.show(value, [] if options.quiet else map(terminal_safe.make_printable, lines))
    if not (options.quiet or options.as_json or dry_run):
        for line in output.format_after_delete(keys):
            streams.print_line(line)
    _tell_nothing(options, reason)


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]", shell_complete=complete_ids)
@add_filter_options
@missing_option
@make_limit_option(None)
@after_option
@get_order_option
@add_common_options
def get(
    options: CliContext, ids: Sequence[str], missing: AnyOnMissing, limit: int | None, after: str | None,
    order: AnyListOrder | None, **filters: Any,
) -> None:  # fmt: skip
    """Print documents with their text and metadata.

    What a search has printed says which: PATH:LINE is the document from that line on, PATH#page=7 and ID#3 a chunk of it. On a
    terminal, what is longer than the screen goes through $PAGER, else through less.
    """
    require_one_of("ID…, or --where, --source and the like", bool(ids), any(filters.values()))
    where, source = take_selection(filters)
    with options.open_for_reading() as collection:
        handles = [_resolve(collection, text, missing) for text in ids]
        documents = collection.get(
            [handle.id for handle in handles] or None, where=where, source=source, missing=missing, limit=limit, after=after,
            order=order,
        )  # fmt: skip
        reason = None if documents else _explain_nothing(collection, where)
    _tell_nothing(options, reason)
    if handles:
        by_id = {document.id: document for document in documents}
        documents = [cut_document(by_id[handle.id], handle) for handle in dict.fromkeys(handles) if handle.id in by_id]
        for document in documents:
            log_choice(options.find_database(), options.name, document.id, LoggedAct.OPENED)
    if options.as_json:
        options.show(output.build_documents_json(documents), ())
        return
    from vecsearch.interfaces.cli.pager import show_paged

    show_paged(output.format_documents(documents), options.terminal)


def _resolve(collection: Collection, typed: str, missing: AnyOnMissing) -> Handle:
    """Return what was typed, as the id that it may be where it is nothing that was printed."""
    try:
        return resolve_handle(collection, typed) or Handle(typed)
    except PlaceNotFoundError:
        if missing == "skip":
            return Handle(typed)
        raise


@click.command()
@add_filter_options
@make_limit_option(LIST_LIMIT_DEFAULT)
@offset_option
@after_option
@order_option
@click.option("--sources", is_flag=True, help="List the files they come from, with state, chunks, time and error.")
@click.option("--failed", is_flag=True, help="List the files that could not be read the last time.")
@click.option("--skipped", is_flag=True, help="List the files in folders that were passed over, and why.")
@add_common_options
def ls(
    options: CliContext, limit: int, offset: int, after: str | None, order: AnyListOrder, sources: bool, failed: bool,
    skipped: bool, **filters: Any,
) -> None:  # fmt: skip
    """List documents, or the files they come from, page by page."""
    if failed and skipped:
        raise click.UsageError("Give one of --failed and --skipped.")
    if sources or failed or skipped:
        _list_sources(options, limit, offset, failed=failed, skipped=skipped)
        return
    where, source = take_selection(filters)
    with options.open_for_reading() as collection:
        listed = collection.list_documents(where=where, source=source, limit=limit, offset=offset, after=after, order=order)
        total = collection.count(where, source=source)
        reason = None if total else _explain_nothing(collection, where)
    value = {"documents": [output.build_summary_json(document) for document in listed], "total": total}
    shown = len(listed) if after is not None else total  # a page after a document has no number of its own
    options.show(value, output.format_summaries(listed, options.terminal, total=shown, offset=offset))
    _tell_nothing(options, reason)


def _explain_nothing(collection: Collection, where: Mapping[str, Any] | None) -> str | None:
    """Return why a filter matches no document, as a search says it; None where there is no filter, or it matches some."""
    if where is None or collection.count(where):
        return None
    return collection.search("any", mode="lexical", where=where, limit=1).reason


def _tell_nothing(options: CliContext, reason: str | None) -> None:
    if reason is not None and not options.as_json and not options.quiet:
        streams.print_line(f"nothing found: {reason}")


@click.command()
@click.argument("key", required=False, metavar="[KEY]", shell_complete=complete_keys)
@add_filter_options
@make_limit_option(FACETS_LIMIT_DEFAULT)
@add_common_options
def facets(options: CliContext, key: str | None, limit: int, **filters: Any) -> None:
    """Show the metadata keys with their types and ranges, or the most frequent values of KEY."""
    condition = take_where(filters)
    with options.open_for_reading() as collection:
        if key is None:
            keys = collection.keys(where=condition)
            options.show({"keys": [asdict(summary) for summary in keys]}, output.format_keys(keys))
        else:
            values = collection.facets(key, where=condition, limit=limit)
            options.show(asdict(values), output.format_facets(values))


def _list_sources(options: CliContext, limit: int, offset: int, *, failed: bool, skipped: bool) -> None:
    with options.open_for_reading() as collection:
        listed = collection.list_sources(failed=failed, skipped=skipped, limit=limit, offset=offset)
        total = collection.count_sources(failed=failed, skipped=skipped)
    value = {"sources": [asdict(source) for source in listed], "total": total}
    options.show(value, output.format_sources(listed, options.terminal, total=total, offset=offset))
    if not listed and not options.as_json and not options.quiet:
        streams.print_line("no failed files" if failed else "no files")
