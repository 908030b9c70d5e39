"""A packed context as Markdown for people and as JSON for programs. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from vecsearch.search.context import Context


def format_context(context: Context) -> Iterator[str]:
    """Yield the lines of the Markdown; none where nothing fits. Control characters become U+FFFD, one for one."""
    if context.passages:
        yield from map(make_printable, context.to_markdown().split("\n"))


def build_context_json(context: Context) -> dict[str, Any]:
    """Return the JSON of `context`."""
    return context.to_dict()
