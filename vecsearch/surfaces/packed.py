"""A packed context as Markdown for people and as JSON for programs. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vecsearch.surfaces.safe import printable

if TYPE_CHECKING:
    from vecsearch.search.packing import Context


def context_lines(context: Context) -> Iterator[str]:
    """The lines of the Markdown; none where nothing fits. Control characters become U+FFFD, one for one."""
    if context.passages:
        yield from map(printable, context.to_markdown().split("\n"))


def json_context(context: Context) -> dict[str, Any]:
    """The JSON of `context`."""
    return context.to_dict()
