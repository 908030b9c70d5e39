"""What a hit is called and where it leads: a path relative to the current folder, the line or page, the address of a link."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from vecsearch.core.citations import format_fragment
from vecsearch.core.results import Hit
from vecsearch.core.source_paths import parse_path

EDITOR_VARIABLE: Final = "VECSEARCH_EDITOR_URI"


@dataclass(frozen=True, slots=True)
class HitHandle:
    """What a hit is printed as: a name and the place in it, which `get`, `similar` and `open` take. `file` is the place in its
    file, where the name does not say it."""

    name: str
    place: str
    file: str = ""

    def __str__(self) -> str:
        return self.name + self.place


def get_handle(hit: Hit) -> HitHandle:
    """Return what a hit is printed as."""
    ordinal = f"#{hit.chunk_index}" if hit.chunk_index else ""
    if hit.source is None:
        return HitHandle(hit.id, ordinal)
    path, rest = shorten_path(hit.source), _find_rest(hit.id, hit.source)
    fragment = format_fragment(hit.location, get_line(hit))
    if rest is None:
        return HitHandle(hit.id, ordinal, path + fragment)
    if rest:  # one of several documents of a file: its id says which
        return HitHandle(path + rest, ordinal)
    return HitHandle(path, fragment or ordinal)


def get_line(hit: Hit) -> int | None:
    """Return the line, or the row, that a hit leads to; None where that is not known."""
    if hit.snippet is not None and hit.snippet.line is not None:
        return hit.snippet.line
    span = hit.location.get("lines") or hit.location.get("rows")
    return int(span[0]) if span else None


def shorten_path(source: str) -> str:
    """Return an absolute path as it is seen from the current folder, where that is shorter."""
    try:
        relative = os.path.relpath(source)
    except (OSError, ValueError):  # the current folder is gone
        return source
    return relative if len(relative) < len(source) else source


def _find_rest(key: str, source: str) -> str | None:
    """Return what an id has after the stored path of its file; None where it does not begin with it."""
    name = source.rpartition("/")[2]
    end = key.find(name) + len(name)
    while name and end >= len(name):
        if source == key[:end] or source.endswith(f"/{key[:end]}"):
            return key[end:]
        end = key.find(name, end) + len(name)
    return None


def build_uri(hit: Hit) -> str | None:
    """Return the address of a hit's file: by the template in $VECSEARCH_EDITOR_URI, with {path} and {line}, else a file's.

    Only a place that is a line goes into an editor; a page goes into the address of a file.
    """
    if hit.source is None:
        return None
    path = quote(os.fsencode(parse_path(hit.source)))
    line = get_line(hit) if "lines" in hit.location else None
    template = os.environ.get(EDITOR_VARIABLE)
    if template:
        uri = template.replace("{path}", path).replace("{line}", str(line or 1)).replace("{column}", "1")
        return uri if uri.isprintable() else None
    page = f"#page={hit.location['page']}" if "page" in hit.location else ""
    from socket import gethostname

    return f"file://{quote(gethostname())}{path}{page}"
