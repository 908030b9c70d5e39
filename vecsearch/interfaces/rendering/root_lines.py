"""Roots as lines of text: their options, and how these have changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.core.roots import IgnoredDocument, Root, RootOptions
from vecsearch.core.row_options import RowOptions
from vecsearch.core.source_paths import parse_path
from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from vecsearch.indexing.root_plan import ChangedRoot


def format_roots(roots: Sequence[Root], ignored: Sequence[IgnoredDocument], counts: Sequence[int]) -> Iterator[str]:
    """Yield `path  n documents, time` and the options that are not the default; then what is kept away."""
    for root, count in zip(roots, counts, strict=True):
        gone = "" if is_there(root) else " · gone"
        yield make_printable(
            f"{root.path}  ({count:,} document{'' if count == 1 else 's'}, {_format_minute(root.indexed_at)}{gone})"
        )
        if chosen := _describe(root.options):
            yield make_printable(f"  {chosen}")
    for document in ignored:
        origin = "" if document.source.endswith(document.id) else f"  (of {document.source})"
        yield make_printable(f"kept away  {document.id}{origin}")


def is_there(root: Root) -> bool:
    """Return whether a root is there; of a glob pattern, the folder that it begins in."""
    path = Path(parse_path(root.path))
    while "*" in path.name or "?" in path.name or "[" in path.name:
        if os.path.lexists(path):
            break
        path = path.parent
    return os.path.lexists(path)


def format_changes(changed: Sequence[ChangedRoot]) -> Iterator[str]:
    """Yield a line for each root that has other options from now on."""
    for root in changed:
        before, after = _list_values(root.before), _list_values(root.after)
        changes = ", ".join(f"{name} {after[name]} (was {before[name]})" for name in after if after[name] != before[name])
        yield make_printable(f"{root.path}: {changes}{'; its files are read again' if root.rereads else ''}")


def _list_values(options: RootOptions) -> dict[str, str]:
    files = {"include": " ".join(options.include) or "all", "exclude": " ".join(options.exclude) or "nothing"}
    limits = {"max-size": f"{options.max_bytes:,} bytes", "password-file": options.password_file or "none"}
    return {"split": options.split.value, **files, **limits, "rows": _describe_rows(options.rows)}


def _describe_rows(rows: RowOptions | None) -> str:
    if rows is None:
        return "no"
    if rows.guess:
        return "guessed"
    named = {"id": rows.id, "text": ",".join(rows.text), "title": rows.title}
    columns = " ".join(f"{name}={value}" for name, value in named.items() if value)
    return f"guessed {columns}".rstrip() if rows.qualified else columns or "yes"


def _describe(options: RootOptions) -> str:
    """Return what is not the default, in a line."""
    defaults = _list_values(RootOptions())
    return " · ".join(f"{name} {value}" for name, value in _list_values(options).items() if value != defaults[name])


def _format_minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
