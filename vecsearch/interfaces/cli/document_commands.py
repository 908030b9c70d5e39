"""The commands for stored documents: get, ls, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from vecsearch.core.results import DeleteReport
from vecsearch.core.settings import FACETS_LIMIT_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.core.types import format_count, format_names
from vecsearch.interfaces.cli import questions
from vecsearch.interfaces.cli.completion import complete_ids, complete_keys
from vecsearch.interfaces.cli.filter_options import add_filter_options, take_selection, take_where
from vecsearch.interfaces.cli.handles import Handle, cut_chunk, resolve_handle
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
from vecsearch.interfaces.cli.questions import yes_option
from vecsearch.interfaces.rendering import output, terminal_safe


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
    options: CliContext, ids: Sequence[str], missing: str, is_all: bool, ignore: bool, dry_run: bool, yes: bool, **filters: Any
) -> None:
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
    verb = "would delete" if dry_run else "deleted"
    lines = [f"{verb} {len(keys):,} document{'' if len(keys) == 1 else 's'}", *(keys if dry_run else [])]
    value = {"deleted": keys, "dry_run": dry_run, "returning": keys.returning, "forgotten": keys.forgotten}
    options.show(value, [] if options.quiet else map(terminal_safe.make_printable, lines))
    if not (options.quiet or options.as_json or dry_run):
        for line in output.format_after_delete(keys):
            click.echo(line, err=True)


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]", shell_complete=complete_ids)
@add_filter_options
@missing_option
@make_limit_option(None)
@after_option
@get_order_option
@add_common_options
def get(
    options: CliContext, ids: Sequence[str], missing: str, limit: int | None, after: str | None, order: str | None, **filters: Any
) -> None:  # fmt: skip
    """Print documents with their text and metadata."""
    require_one_of("ID…, or --where, --source and the like", bool(ids), any(filters.values()))
    where, source = take_selection(filters)
    with options.open_for_reading() as collection:
        handles = [resolve_handle(collection, text) or Handle(text) for text in ids]
        documents = collection.get(
            [handle.id for handle in handles] or None, where=where, source=source, missing=missing, limit=limit, after=after,
            order=order,
        )  # fmt: skip
    if handles:
        by_id = {document.id: document for document in documents}
        documents = [cut_chunk(by_id[handle.id], handle.chunk_index) for handle in dict.fromkeys(handles) if handle.id in by_id]
    options.show(output.build_documents_json(documents), output.format_documents(documents))


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
    options: CliContext, limit: int, offset: int, after: str | None, order: str, sources: bool, failed: bool, skipped: bool,
    **filters: Any,
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
    value = {"documents": [output.build_summary_json(document) for document in listed], "total": total}
    shown = len(listed) if after is not None else total  # a page after a document has no number of its own
    options.show(value, output.format_summaries(listed, total=shown, offset=offset))


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
    options.show(value, output.format_sources(listed, total=total, offset=offset))
    if not listed and not options.as_json and not options.quiet:
        click.echo("no failed files" if failed else "no files", err=True)
