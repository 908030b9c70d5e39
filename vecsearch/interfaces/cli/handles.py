"""What is printed of a hit can be typed: `notes/heron.md:12`, `paper.pdf#page=7`, `ID#3` → the document, and the chunk of it.

A line behind a document that is a row, `list.csv#SKU:17`, stands for the row: whatever is in that line now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vecsearch.core.citations import format_fragment
from vecsearch.core.errors import DocumentNotFoundError, InputError
from vecsearch.core.source_paths import read_given_path, to_stored_path
from vecsearch.core.types import ChunkLocation, Document, format_count

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

_Id = TypeVar("_Id", str, str | None)
_Answer = TypeVar("_Answer")
_ORDINAL: Final = re.compile(r"(?P<name>.+)#(?P<ordinal>\d+)", re.DOTALL)
_LINE: Final = re.compile(r"(?P<name>.+?):(?P<line>\d+)(?::\d+)?", re.DOTALL)
_FRAGMENT: Final = re.compile(r"(?P<name>.+?)#(?P<fragment>\w+=.+)", re.DOTALL)
_COUNTED: Final = re.compile(r"(?:^|&)(?:line|row)=(?P<line>\d+)")


class PlaceNotFoundError(InputError):
    """The document that was typed is there, but not the place in it."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A document, or a chunk of it; `line` is the line that was typed to name the chunk."""

    id: str
    chunk_index: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return it as the library takes it."""
        return self.id if self.chunk_index is None else f"{self.id}#{self.chunk_index}"


def resolve_handle(collection: Collection, typed: str) -> Handle | None:
    """Return what was typed as it was printed; an id of that very text wins. None where it is nothing of the collection.

    Raises PlaceNotFoundError where the document is there, but not the place in it.
    """
    document = _find_document(collection, typed)
    if document is not None:
        return Handle(document.id)
    missed: str | None = None
    for pattern in (_ORDINAL, _LINE, _FRAGMENT):
        match = pattern.fullmatch(typed)
        document = _find_document(collection, match["name"]) if match else None
        if match and document is not None:
            line = int(match["line"]) if pattern is _LINE else None
            if line and not any(chunk.location for chunk in document.chunks):
                return Handle(document.id, line=line if document.source is None else None)
            chunk = _find_chunk(document.chunks, match.groupdict())
            if chunk is not None:
                return Handle(document.id, chunk, line)
            missed = missed or _describe_missed_place(document, typed[match.end("name") :])
    if missed:
        raise PlaceNotFoundError(missed)
    return None


def _describe_missed_place(document: Document, place: str) -> str:
    """Return that a place is not in a document, and which ones are."""
    places = [format_count(len(document.chunks), "chunk")]
    if document.chunks:
        places.append(f"#0 to #{len(document.chunks) - 1:,}")
    for unit in ("lines", "rows"):
        spans = [chunk.location[unit] for chunk in document.chunks if unit in chunk.location]
        places += [f"{unit} {spans[0][0]:,} to {max(last for _, last in spans):,}"] if spans else []
    pages = [chunk.location["page"] for chunk in document.chunks if "page" in chunk.location]
    places += [f"pages {pages[0]} to {pages[-1]}"] if pages else []
    return f"the document {document.id!r} is there, but not the place {place!r} in it; it has {', '.join(places)}"


def ask_with_handles(collection: Collection, ask: Callable[[Sequence[_Id]], _Answer], typed: Sequence[_Id]) -> _Answer:
    """Return what is answered for ids; where one is not there, for what was meant: most are ids, and looking costs time."""
    try:
        return ask(typed)
    except DocumentNotFoundError:
        handles = [None if text is None else resolve_handle(collection, text) for text in typed]
        if not any(handles):
            raise
        return ask([text if handle is None else str(handle) for text, handle in zip(typed, handles, strict=True)])


def cut_document(document: Document, handle: Handle) -> Document:
    """Return a document with its text from the line on that was typed, with one of its chunks alone, or all of it."""
    if handle.line is not None:
        start = _find_line(document, handle)
        return replace(
            document, text=document.text[start:], chunks=tuple(chunk for chunk in document.chunks if chunk.end > start)
        )
    if handle.chunk_index is None:
        return document
    chunk = document.chunks[handle.chunk_index]
    return replace(document, text=document.text[chunk.start : chunk.end], chunks=(chunk,))


def _find_line(document: Document, handle: Handle) -> int:
    """Return where a line begins in the text: a line of the file where there is one, else of the text itself."""
    start, number = 0, 1
    if handle.chunk_index is not None:
        chunk = document.chunks[handle.chunk_index]
        text = document.text[chunk.start : chunk.end]
        start, number = chunk.start + len(text) - len(text.lstrip()), chunk.location["lines"][0]
    for _ in range((handle.line or 1) - number):
        if not (after := document.text.find("\n", start) + 1):
            break
        start = after
    return start


def _find_document(collection: Collection, name: str) -> Document | None:
    """Return the document of this id, of a row with this key, or of the id that this path, seen from here, makes."""
    if "\0" in name:
        return None
    path = Path(abspath(read_given_path(name)))
    keys = [name, to_stored_path(collection.path.resolve().parent, path)]
    found = (collection.get(key, missing="skip") for key in dict.fromkeys(keys) if key)
    return next((documents[0] for documents in found if documents), None)


def _find_chunk(chunks: Sequence[ChunkLocation], parts: Mapping[str, Any]) -> int | None:
    """Return the chunk of an ordinal, that holds a line, or that stands at a place; None where there is none."""
    if "ordinal" in parts:
        ordinal = int(parts["ordinal"])
        return ordinal if ordinal < len(chunks) else None
    counted = parts if "line" in parts else _COUNTED.search(parts["fragment"])
    line = int(counted["line"]) if counted else None
    fragment = f":{line}" if "line" in parts else f"#{parts['fragment']}"
    at_place = (chunk for chunk in chunks if format_fragment(chunk.location, line) == fragment and _is_line_reached(chunk, line))
    return next((chunk.chunk_index for chunk in at_place), None)


def _is_line_reached(chunk: ChunkLocation, line: int | None) -> bool:
    """Return whether a chunk holds a line, or comes after it: of an empty line between two chunks the second is meant."""
    span = chunk.location.get("lines") or chunk.location.get("rows")
    return line is None or span is None or line <= span[1]
