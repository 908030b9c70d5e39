"""Hits for other programs: a JSON value a line, Markdown, CSV, the names of files. Prints nothing itself."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from vecsearch.core.results import Hit, Hits
from vecsearch.interfaces.rendering.hit_links import build_hit_json, get_handle, get_line, shorten_path
from vecsearch.interfaces.rendering.hits import clean_snippet
from vecsearch.interfaces.rendering.markup import clean_title
from vecsearch.interfaces.rendering.terminal_safe import make_encodable, make_printable

_MARKDOWN_SIGNS: Final = re.compile(r"([\\`*_\[\]<>|~]|^(?=[#+=-]))")
_CSV_FIELDS: Final = (
    "id",
    "chunk_index",
    "score",
    "similarity",
    "weak",
    "source",
    "line",
    "title",
    "group_size",
    "snippet",
    "text",
)


class HitFormat(StrEnum):
    """How hits are printed."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "md"
    CSV = "csv"


def list_files(hits: Hits) -> list[str]:
    """Return the file of each hit, seen from the current folder, each once; the id of a document that comes from none."""
    return list(dict.fromkeys(hit.id if hit.source is None else shorten_path(hit.source) for hit in hits))


def format_json_lines(hits: Hits) -> Iterator[str]:
    """Yield each hit as JSON in one line."""
    for hit in hits:
        yield make_encodable(json.dumps(build_hit_json(hit), ensure_ascii=False))


def format_markdown(hits: Hits) -> Iterator[str]:
    """Yield a numbered list: a link to the file, scores, the title, and the snippet with the words that match in bold."""
    for number, hit in enumerate(hits, 1):
        name = _escape_markdown(make_printable(str(get_handle(hit))))
        link = name if hit.source is None else f"[{name}](<{quote(shorten_path(hit.source))}>)"
        scores = f"{hit.score:.3f}" + ("" if hit.similarity is None else f", similarity {hit.similarity:.3f}")
        notes = ", weak" if hit.weak else ""
        title = _escape_markdown(make_printable(clean_title(hit.title)))
        yield f"{number}. {link}{f' **{title}**' if title and title != name else ''} ({scores}{notes})"
        body = clean_snippet(hit)
        if body.text:
            yield ""
            yield "   > " + "".join(_mark_markdown(body.text, body.marks))
            yield ""


def _mark_markdown(text: str, marks: bytes) -> Iterator[str]:
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or marks[at] != marks[start]:
            piece = _escape_markdown(text[start:at])
            yield f"**{piece}**" if marks[start] else piece
            start = at


def _escape_markdown(text: str) -> str:
    return _MARKDOWN_SIGNS.sub(r"\\\1", text)


def format_csv(hits: Hits) -> Iterator[str]:
    """Yield a row with the names of the columns, then one a hit; each key of the metadata is a column `metadata.KEY`."""
    keys = sorted({key for hit in hits for key in hit.metadata})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_CSV_FIELDS, *(f"metadata.{key}" for key in keys)])
    for hit in hits:
        row = _build_row(hit)
        writer.writerow([*(row[name] for name in _CSV_FIELDS), *(_format_cell(hit.metadata.get(key)) for key in keys)])
    yield make_encodable(buffer.getvalue()).removesuffix("\n")


def _build_row(hit: Hit) -> Mapping[str, Any]:
    return {
        "id": hit.id, "chunk_index": hit.chunk_index, "score": hit.score, "similarity": hit.similarity,
        "weak": None if hit.weak is None else str(hit.weak).lower(), "source": hit.source,
        "line": get_line(hit), "title": hit.title, "group_size": hit.group_size,
        "snippet": clean_snippet(hit).text, "text": hit.text,
    }  # fmt: skip


def _format_cell(value: Any) -> Any:
    """Return a text as it is, any other value as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


FORMATS: Final[Mapping[HitFormat, Callable[[Hits], Iterator[str]]]] = {
    HitFormat.JSONL: format_json_lines,
    HitFormat.MARKDOWN: format_markdown,
    HitFormat.CSV: format_csv,
}
