"""Jupyter notebooks: the prose, the code and the printed output of each cell. No pictures, nothing is run or rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Draft, Item, Section
from vecsearch.documents.loaders.markup import markdown
from vecsearch.documents.loaders.outline import clean
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.stated import stated
from vecsearch.documents.text import decode

_OUTPUT_MAX: Final = 2_000  # characters of what a cell printed
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # the colours of a terminal
_INK: Final = re.compile(r"\S")


class _Cell(NamedTuple):
    number: int
    text: str
    is_prose: bool


def ipynb(raw: Raw) -> Iterator[Item]:
    """A notebook as one document: markdown as it stands, its headings above the cells that follow, the first one the title."""
    text = decode(raw.data)
    if not text.strip():
        return
    book = _parsed(text)
    cells = [cell for number, each in enumerate(_cells(book), start=1) if (cell := _cell(number, each)).text.strip()]
    if cells:
        yield _draft(raw, cells, _object(book.get("metadata")))


def _parsed(text: str) -> dict[str, Any]:
    try:
        book = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableFile(f"not valid JSON: {error.msg} at line {error.lineno:,}, column {error.colno:,}") from error
    except RecursionError as error:
        raise UnreadableFile("not a notebook: nested too deeply") from error
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise UnreadableFile(f"not valid JSON: {str(error).partition(';')[0]}") from error
    return _object(book)


def _cells(book: dict[str, Any]) -> list[dict[str, Any]]:
    """All of them; the format before the present one keeps them in worksheets."""
    sheets = [book] if "cells" in book else _list(book.get("worksheets"))
    if not sheets:
        raise UnreadableFile("not a notebook: it has no cells")
    return [_object(cell) for sheet in sheets for cell in _list(_object(sheet).get("cells"))]


def _cell(number: int, cell: dict[str, Any]) -> _Cell:
    source = clean(_text(cell.get("source", cell.get("input"))))
    match cell.get("cell_type"):
        case "markdown":
            return _Cell(number, source, True)
        case "heading":
            level = cell.get("level")
            return _Cell(number, f"{'#' * level if isinstance(level, int) and 0 < level < 7 else '#'} {source}", True)
        case _:
            shown = clean("\n".join(map(_shown, _list(cell.get("outputs")))))
            shown = shown if len(shown) <= _OUTPUT_MAX else f"{shown[:_OUTPUT_MAX]}…"
            return _Cell(number, "\n\n".join(filter(None, (source, shown))), False)


def _shown(output: Any) -> str:
    """What an output says in plain text; of an error its last line."""
    output = _object(output)
    said = _text(output.get("text") or _object(output.get("data")).get("text/plain"))
    if output.get("output_type") in ("error", "pyerr"):
        said = f"{output.get('ename')}: {output.get('evalue')}"
    return _ESCAPES.sub("", said).strip("\n")


def _draft(raw: Raw, cells: list[_Cell], given: dict[str, Any]) -> Draft:
    text = "\n\n".join(cell.text for cell in cells)
    # headings are looked for with what is no prose made unreadable, so that every place in the text stays as it is
    prose = "\n\n".join(cell.text if cell.is_prose else _INK.sub("x", cell.text) for cell in cells)
    (found,) = markdown(Raw(raw.name, ".md", content=prose.encode("utf-8-sig")))
    assert isinstance(found, Draft)
    authors = [_text(_object(each).get("name")) for each in _list(given.get("authors"))]
    kernel = _text(_object(given.get("kernelspec")).get("name"))
    metadata = {**found.metadata, **stated(author=authors), **({"kernel": kernel} if kernel else {})}
    title = found.title or " ".join(_text(given.get("title")).split()) or None
    return Draft(raw.name, text, title, metadata, tuple(_sections(cells, found.sections)))


def _sections(cells: list[_Cell], headed: Sequence[Section]) -> Iterator[Section]:
    """One at each cell and at each turn of the headings, with the cell's number and the headings that are above.

    A cell that is nothing but a heading belongs to the next.
    """
    begun, at = {}, 0
    for cell in cells:
        begun[at] = cell
        at += len(cell.text) + 2
    turns = {section.start: section for section in headed}
    cell, above, bound = cells[0], Section(0, {}), False
    for start in sorted({*begun, *turns}):
        cell = begun.get(start, cell)
        above = turns.get(start, replace(above, level=None))
        heading = {key: value for key, value in above.place.items() if key == "heading"}
        yield replace(above, start=start, place={"cell": cell.number, **heading}, apart=start in begun and not bound)
        if start in begun:
            bound = cell.is_prose and above.level is not None and "\n" not in cell.text


# -- values of any kind, as what they should be


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A string, or the pieces of one."""
    return value if isinstance(value, str) else "".join(each for each in _list(value) if isinstance(each, str))
