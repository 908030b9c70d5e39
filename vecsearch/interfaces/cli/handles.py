"""What is printed of a hit can be typed: `notes/heron.md:12`, `paper.pdf#page=7`, `ID#3` → the document, and the chunk of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vecsearch.core.citations import format_fragment
from vecsearch.core.errors import DocumentNotFoundError
from vecsearch.core.source_paths import read_given_path, to_stored_path
from vecsearch.core.types import ChunkLocation, Document

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

_Id = TypeVar("_Id", str, str | None)
_Answer = TypeVar("_Answer")
_ORDINAL: Final = re.compile(r"(?P<name>.+)#(?P<ordinal>\d+)", re.DOTALL)
_LINE: Final = re.compile(r"(?P<name>.+?):(?P<line>\d+)(?::\d+)?", re.DOTALL)
_FRAGMENT: Final = re.compile(r"(?P<name>.+?)#(?P<fragment>\w+=.+)", re.DOTALL)
_COUNTED: Final = re.compile(r"(?:^|&)(?:line|row)=(?P<line>\d+)")


@dataclass(frozen=True, slots=True)
class Handle:
    """A document, or a chunk of it."""

    id: str
    chunk_index: int | None = None

    def __str__(self) -> str:
        """Return it as the library takes it."""
        return self.id if self.chunk_index is None else f"{self.id}#{self.chunk_index}"


def resolve_handle(collection: Collection, typed: str) -> Handle | None:
    """Return what was typed as it was printed; an id of that very text wins. None where it is nothing of the collection."""
    document = _find_document(collection, typed)
    if document is not None:
        return Handle(document.id)
    for pattern in (_ORDINAL, _LINE, _FRAGMENT):
        match = pattern.fullmatch(typed)
        document = _find_document(collection, match["name"]) if match else None
        if match and document is not None:
            chunk = _find_chunk(document.chunks, match.groupdict())
            if chunk is not None:
                return Handle(document.id, chunk)
    return None


def ask_with_handles(collection: Collection, ask: Callable[[Sequence[_Id]], _Answer], typed: Sequence[_Id]) -> _Answer:
    """Return what is answered for ids; where one is not there, for what was meant: most are ids, and looking costs time."""
    try:
        return ask(typed)
    except DocumentNotFoundError:
        handles = [None if text is None else resolve_handle(collection, text) for text in typed]
        if not any(handles):
            raise
        return ask([text if handle is None else str(handle) for text, handle in zip(typed, handles, strict=True)])


def cut_chunk(document: Document, chunk_index: int | None) -> Document:
    """Return a document with the text of one of its chunks alone; all of it for None."""
    if chunk_index is None:
        return document
    chunk = document.chunks[chunk_index]
    return replace(document, text=document.text[chunk.start : chunk.end], chunks=(chunk,))


def _find_document(collection: Collection, name: str) -> Document | None:
    """Return the document of this id, or of the id that this path, seen from the current folder, makes."""
    if "\0" in name:
        return None
    path = Path(abspath(read_given_path(name)))
    keys = [name, to_stored_path(collection.path.resolve().parent, path)]
    found = {document.id: document for document in collection.get([key for key in keys if key], missing="skip")}
    return next((found[key] for key in keys if key in found), None)


def _find_chunk(chunks: Sequence[ChunkLocation], parts: Mapping[str, Any]) -> int | None:
    """Return the chunk of an ordinal, that holds a line, or that stands at a place; None where there is none."""
    if "ordinal" in parts:
        ordinal = int(parts["ordinal"])
        return ordinal if ordinal < len(chunks) else None
    counted = parts if "line" in parts else _COUNTED.search(parts["fragment"])
    line = int(counted["line"]) if counted else None
    fragment = f":{line}" if "line" in parts else f"#{parts['fragment']}"
    at_place = (chunk for chunk in chunks if format_fragment(chunk.location, line) == fragment and _has_line(chunk, line))
    return next((chunk.chunk_index for chunk in at_place), None)


def _has_line(chunk: ChunkLocation, line: int | None) -> bool:
    span = chunk.location.get("lines") or chunk.location.get("rows")
    return line is None or span is None or span[0] <= line <= span[1]
