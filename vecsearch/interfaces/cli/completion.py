"""What the shell offers for a word that is begun: files, collections, ids, keys. What fails offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from vecsearch.core.errors import VecsearchError

_ITEMS_MAX: Final = 100


class PathType(click.ParamType[str]):
    """A path, taken as it is typed: what it must be is checked where it is used. Its completion is the shell's own."""

    name = "path"

    def __init__(self, kind: str = "file") -> None:
        """Take paths of a kind, for completion: "file" stands for folders too, "dir" for folders alone."""
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path as it came."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete the name."""
        return [CompletionItem(incomplete, type=self._kind)]


FILE: Final = PathType()
FOLDER: Final = PathType("dir")


def complete_collections(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the names of the collections."""
    return _offer(ctx, incomplete, lambda database, _: database.collections())


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of documents that begin so."""

    def list_ids(database: Any, name: str) -> Iterable[str]:
        collection = database.collection(name)
        first = [incomplete] if incomplete and incomplete in collection else []
        page = collection.list_documents(after=incomplete, limit=_ITEMS_MAX) if incomplete else collection.list_documents()
        return [*first, *(document.id for document in page)]

    return _offer(ctx, incomplete, list_ids)


def complete_keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the metadata keys."""
    return _offer(ctx, incomplete, lambda database, name: [summary.key for summary in database.collection(name).keys()])  # noqa: SIM118 (of metadata)


def _offer(ctx: click.Context, incomplete: str, list_values: Callable[[Any, str], Iterable[str]]) -> list[CompletionItem]:
    from vecsearch.interfaces.cli.options import CliContext

    typed = {name: _find_typed(ctx, name) for name in ("db", "collection")}
    with suppress(VecsearchError, OSError, ValueError):
        options = CliContext(typed["db"], typed["collection"], False, True)
        with options.connect() as database:
            values = [value for value in list_values(database, options.name) if value.startswith(incomplete)]
            return [CompletionItem(value) for value in values[:_ITEMS_MAX] if value.isprintable()]
    return []


def _find_typed(ctx: click.Context, name: str) -> str | None:
    """Return what was typed for an option before, here or in front of the command."""
    context: click.Context | None = ctx
    while context is not None:
        if (value := context.params.get(name)) is not None:
            return str(value)
        context = context.parent
    return None
