"""The commands for stored documents: get, ls, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from vecsearch.core.settings import FACETS_LIMIT_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.interfaces.cli.options import (
    CliContext,
    add_common_options,
    after_option,
    get_order_option,
    make_limit_option,
    missing_option,
    offset_option,
    order_option,
    parse_where_options,
    require_one_of,
    source_option,
    where_option,
)
from vecsearch.interfaces.rendering import output, terminal_safe


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@where_option
@source_option
@missing_option
@click.option("--all", "is_all", is_flag=True, help="All documents of the collection.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; change nothing.")
@add_common_options
def delete(
    options: CliContext, ids: Sequence[str], where: Sequence[str], source: str | None, missing: str, is_all: bool, dry_run: bool
) -> None:
    """Delete documents by id, metadata or file, or all."""
    require_one_of("ID…, --where, --source or --all", bool(ids), bool(where), source is not None, is_all)
    with options.open_for_reading() if dry_run else options.open_for_writing() as collection:
        if is_all:
            keys = collection.delete_all(dry_run=dry_run)
        else:
            keys = collection.delete(
                list(ids) or None, where=parse_where_options(where), source=source, missing=missing, dry_run=dry_run
            )
    verb = "would delete" if dry_run else "deleted"
    lines = [f"{verb} {len(keys):,} document{'' if len(keys) == 1 else 's'}", *(keys if dry_run else [])]
    options.show({"deleted": keys, "dry_run": dry_run}, [] if options.quiet else map(terminal_safe.make_printable, lines))


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@where_option
@source_option
@missing_option
@make_limit_option(None)
@after_option
@get_order_option
@add_common_options
def get(
    options: CliContext, ids: Sequence[str], where: Sequence[str], source: str | None, missing: str, limit: int | None,
    after: str | None, order: str | None,
) -> None:  # fmt: skip
    """Print documents with their text and metadata."""
    require_one_of("ID…, --where or --source", bool(ids), bool(where), source is not None)
    with options.open_for_reading() as collection:
        documents = collection.get(
            list(ids) or None, where=parse_where_options(where), source=source, missing=missing, limit=limit, after=after,
            order=order,
        )  # fmt: skip
    options.show(output.build_documents_json(documents), output.format_documents(documents))


@click.command()
@where_option
@source_option
@make_limit_option(LIST_LIMIT_DEFAULT)
@offset_option
@after_option
@order_option
@click.option("--sources", is_flag=True, help="List the files they come from, with state, chunks, time and error.")
@click.option("--failed", is_flag=True, help="List the files that could not be read the last time.")
@add_common_options
def ls(
    options: CliContext, where: Sequence[str], source: str | None, limit: int, offset: int, after: str | None, order: str,
    sources: bool, failed: bool,
) -> None:  # fmt: skip
    """List documents, or the files they come from, page by page."""
    if sources or failed:
        _list_sources(options, limit, offset, failed)
        return
    condition = parse_where_options(where)
    with options.open_for_reading() as collection:
        listed = collection.list_documents(where=condition, source=source, limit=limit, offset=offset, after=after, order=order)
        total = collection.count(condition, source=source)
    value = {"documents": [output.build_summary_json(document) for document in listed], "total": total}
    shown = len(listed) if after is not None else total  # a page after a document has no number of its own
    options.show(value, output.format_summaries(listed, total=shown, offset=offset))


@click.command()
@click.argument("key", required=False, metavar="[KEY]")
@where_option
@make_limit_option(FACETS_LIMIT_DEFAULT)
@add_common_options
def facets(options: CliContext, key: str | None, where: Sequence[str], limit: int) -> None:
    """Show the metadata keys with their types and ranges, or the most frequent values of KEY."""
    condition = parse_where_options(where)
    with options.open_for_reading() as collection:
        if key is None:
            keys = collection.keys(where=condition)
            options.show({"keys": [asdict(summary) for summary in keys]}, output.format_keys(keys))
        else:
            values = collection.facets(key, where=condition, limit=limit)
            options.show(asdict(values), output.format_facets(values))


def _list_sources(options: CliContext, limit: int, offset: int, failed: bool) -> None:
    with options.open_for_reading() as collection:
        listed = collection.list_sources(failed=failed, limit=limit, offset=offset)
        total = collection.count_sources(failed=failed)
    value = {"sources": [asdict(source) for source in listed], "total": total}
    options.show(value, output.format_sources(listed, total=total, offset=offset))
