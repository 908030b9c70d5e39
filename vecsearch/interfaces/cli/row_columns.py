"""The options of the shell that name the columns of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from vecsearch.core.row_options import RowOptions

_F = TypeVar("_F", bound=Callable[..., Any])


def add_column_options(command: _F) -> _F:
    """Add the options that say which columns are the ids, texts and titles of documents."""
    for option in (
        click.option("--title", "title_column", metavar="COL", help="The column of their titles; others become metadata."),
        click.option("--text", "text_columns", metavar="COL[,COL…]", help="The columns of their texts."),
        click.option("--id", "id_column", metavar="COL", help="Of rows, the column of their ids."),
    ):
        command = option(command)
    return command


def parse_column_options(values: dict[str, Any]) -> RowOptions:
    """Return the columns that the options name."""
    from vecsearch.core.row_options import RowOptions

    texts = tuple(filter(None, map(str.strip, (values["text_columns"] or "").split(","))))
    return RowOptions(values["id_column"], texts, values["title_column"])
