"""Jupyter notebooks: the prose, the code and the words of the output of each cell. No pictures, nothing is run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.nesting import NestingError, load_json
from vecsearch.core.parsed import LoaderItem, ParsedDocument, Section
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.markdown import load_markdown
from vecsearch.documents.loaders.markdown_headings import strip_markup
from vecsearch.documents.loaders.named_values import format_values
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile

_OUTPUT_START: Final = 2_000  # characters of what a cell printed …
_OUTPUT_END: Final = 1_000  # … and of its end, where its results stand
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # the colours of a terminal
_OBJECT_NAME: Final = re.compile(r"<(?:[\w.]+ (?:object )?at 0x[0-9a-fA-F]+|[\w.]+ object|Figure size [^<>]*)>$")  # says nothing
_VISIBLE_CHARACTER: Final = re.compile(r"\S")


class _NotebookCell(NamedTuple):
    number: int
    text: str
    is_prose: bool


def load_notebook(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a notebook as one document: markdown as it stands, its headings above the cells that follow, the first one the
    title."""
    text = decode(raw.data)
    if not text.strip():
        return
    book = _parse_notebook(text)
    cells = [
        cell
        for number, cell_json in enumerate(_list_cells(book), start=1)
        if (cell := _read_cell(number, cell_json)).text.strip()
    ]
    if cells:
        yield _build_document(raw, cells, _coerce_object(book.get("metadata")))


def _parse_notebook(text: str) -> dict[str, Any]:
    try:
        book = load_json(text)
    except json.JSONDecodeError as error:
        raise UnreadableFileError(f"not valid JSON: {error.msg} at line {error.lineno:,}, column {error.colno:,}") from error
    except NestingError as error:
        raise UnreadableFileError(f"not a notebook: {error}") from error
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise UnreadableFileError(f"not valid JSON: {str(error).partition(';')[0]}") from error
    return _coerce_object(book)


def _list_cells(book: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all cells; the format before the present one keeps them in worksheets."""
    sheets = [book] if "cells" in book else _coerce_list(book.get("worksheets"))
    if not sheets:
        raise UnreadableFileError("not a notebook: it has no cells")
    return [_coerce_object(cell) for sheet in sheets for cell in _coerce_list(_coerce_object(sheet).get("cells"))]


def _read_cell(number: int, cell: dict[str, Any]) -> _NotebookCell:
    source = clean(_coerce_text(cell.get("source", cell.get("input"))))
    match cell.get("cell_type"):
        case "markdown":
            return _NotebookCell(number, source, True)
        case "heading":
            level = cell.get("level")
            return _NotebookCell(number, f"{'#' * level if isinstance(level, int) and 0 < level < 7 else '#'} {source}", True)
        case _:
            shown = _shorten_output(clean("\n".join(map(_format_output, _coerce_list(cell.get("outputs"))))))
            return _NotebookCell(number, "\n\n".join(filter(None, (source, shown))), False)


def _format_output(output: Any) -> str:
    """Return what an output says; of an error its last line."""
    output = _coerce_object(output)
    if output.get("output_type") in ("error", "pyerr"):
        text = f"{output.get('ename')}: {output.get('evalue')}"
    else:
        text = _choose_form({**output, **_coerce_object(output.get("data"))})
    return _keep_last_states(_ESCAPES.sub("", text)).strip("\n")


def _keep_last_states(text: str) -> str:
    """Return the text as a terminal shows it: of what a line was written over with, as by a progress bar, the last."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _choose_form(forms: dict[str, Any]) -> str:
    """Return an output in plain text: the first of its forms that says something."""
    readers: dict[str, Callable[[str], str]] = {
        "text": str, "text/plain": str, "text/markdown": _strip_markdown, "text/html": _read_page, "html": _read_page,
        "text/latex": str, "latex": str, "image/svg+xml": _read_page, "svg": _read_page,
    }  # fmt: skip
    texts = (read(source) for name, read in readers.items() if (source := _coerce_text(forms.get(name))))
    text = next((text for text in texts if text.strip() and not _OBJECT_NAME.match(text.strip())), "")
    return text or format_values(forms.get("application/json"))


def _strip_markdown(source: str) -> str:
    return "\n".join(map(strip_markup, source.split("\n")))


def _read_page(source: str) -> str:
    return extract_html_text(source)[1]


def _shorten_output(text: str) -> str:
    """Return an output, a long one without its middle."""
    if len(text) <= _OUTPUT_START + _OUTPUT_END:
        return text
    return f"{text[:_OUTPUT_START]}…{text[-_OUTPUT_END:]}"


def _build_document(raw: RawFile, cells: list[_NotebookCell], notebook_metadata: dict[str, Any]) -> ParsedDocument:
    text = "\n\n".join(cell.text for cell in cells)
    # headings are looked for with what is no prose made unreadable, so that every place in the text stays as it is
    prose = "\n\n".join(cell.text if cell.is_prose else _VISIBLE_CHARACTER.sub("x", cell.text) for cell in cells)
    (document,) = load_markdown(RawFile(raw.name, ".md", content=prose.encode("utf-8-sig")))
    assert isinstance(document, ParsedDocument)
    authors = [_coerce_text(_coerce_object(author).get("name")) for author in _coerce_list(notebook_metadata.get("authors"))]
    kernel = _coerce_text(_coerce_object(notebook_metadata.get("kernelspec")).get("name"))
    metadata = {**document.metadata, **build_metadata(author=authors), **({"kernel": kernel} if kernel else {})}
    title = document.title or normalize_title(_coerce_text(notebook_metadata.get("title")))
    return ParsedDocument(raw.name, text, title, metadata, tuple(_build_sections(cells, document.sections)))


def _build_sections(cells: list[_NotebookCell], heading_sections: Sequence[Section]) -> Iterator[Section]:
    """Yield a section at each cell and at each turn of the headings, with the cell's number and the headings that are above.

    A cell that is nothing but a heading belongs to the next.
    """
    begun, at = {}, 0
    for cell in cells:
        begun[at] = cell
        at += len(cell.text) + 2
    turns = {section.start: section for section in heading_sections}
    cell, above, bound = cells[0], Section(0, {}), False
    for start in sorted({*begun, *turns}):
        cell = begun.get(start, cell)
        above = turns.get(start, replace(above, split_priority=None))
        heading = {key: value for key, value in above.location.items() if key == "heading"}
        yield replace(above, start=start, location={"cell": cell.number, **heading}, hard_boundary=start in begun and not bound)
        if start in begun:
            bound = cell.is_prose and above.split_priority is not None and "\n" not in cell.text


# -- values of any kind, as what they should be


def _coerce_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _coerce_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _coerce_text(value: Any) -> str:
    """Return a string, or the pieces of one."""
    return value if isinstance(value, str) else "".join(line for line in _coerce_list(value) if isinstance(line, str))
