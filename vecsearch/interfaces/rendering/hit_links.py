"""What a hit is called and where it leads: a path relative to the current folder, the line or page, the address of a link."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from vecsearch.core.citations import format_fragment
from vecsearch.core.results import Hit
from vecsearch.core.row_options import ROW_MARK
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
    path, rest, line = shorten_path(hit.source), _find_rest(hit.id, hit.source), get_line(hit)
    fragment = format_fragment(hit.location, line)
    of_row = "" if hit.location or line is None else f":{line}"
    if rest is None:
        return HitHandle(hit.id, ordinal, path + (fragment or of_row))
    if rest:  # one of several documents of a file: its id says which
        return HitHandle(path + rest, ordinal or of_row)
    return HitHandle(path, fragment or ordinal)


def get_line(hit: Hit) -> int | None:
    """Return the line, or the row, that a hit leads to; None where that is not known."""
    if hit.snippet is not None and hit.snippet.line is not None:
        return hit.snippet.line
    span = hit.location.get("lines") or hit.location.get("rows")
    if span or hit.location or hit.source is None:
        return int(span[0]) if span else None
    return find_row_line_of(hit.id, hit.source, hit.text if hit.start == 0 else "")


def build_hit_json(hit: Hit) -> dict[str, Any]:
    """Return a hit's fields. The line of a row that is a document is looked up in its file, as for people."""
    if hit.snippet is not None and not hit.location and (line := get_line(hit)) is not None:
        hit = replace(hit, snippet=replace(hit.snippet, line=line))
    return hit.to_dict()


def find_row_line_of(key: str, source: str, text: str) -> int | None:
    """Return the line of the row that a document is; None for the document that is all of its file, and where it is not known."""
    rest = _find_rest(key, source)
    if rest == "":
        return None
    from vecsearch.interfaces.rendering.row_lines import find_row_line

    return find_row_line(source, key if rest is None else rest.removeprefix(ROW_MARK), text)


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
    line = get_line(hit) if "lines" in hit.location or not hit.location else None
    template = os.environ.get(EDITOR_VARIABLE)
    if template:
        uri = template.replace("{path}", path).replace("{line}", str(line or 1)).replace("{column}", "1")
        return uri if uri.isprintable() else None
    page = f"#page={hit.location['page']}" if "page" in hit.location else ""
    from socket import gethostname

    return f"file://{quote(gethostname())}{path}{page}"
