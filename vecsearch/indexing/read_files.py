"""Files on their way through the pipeline: what was read of them, and how far they have come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import FoundFile
from vecsearch.core.parsed import LoaderItem, ParsedDocument
from vecsearch.core.settings import GROUP_CHARACTERS, GROUP_SECONDS, READ_DOCUMENTS
from vecsearch.documents.parser_process import ParseResult
from vecsearch.stores.base import EncodedChunks, StoredSource


@dataclass(slots=True)
class FileProgress:
    """How far one file, or a stream, has come: what is wrong with it, the ids it gave, the bytes not yet reported as done."""

    origin: str
    source: str | None
    bytes_left: float
    problems: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    id_conflict: bool = False  # an id of it belongs to another file, which may be about to let it go


class HashedDocument(NamedTuple):
    """A document, and the hash of its content."""

    document: ParsedDocument
    digest: str


class ChangedDocument(NamedTuple):
    """A document to be stored: with the chunks of another of the same content, if there is one, and its share of the progress."""

    document: ParsedDocument
    digest: str
    encoded: EncodedChunks | None
    source: str | None
    weight: float


@dataclass(slots=True)
class ReadFile:
    """A file as far as it is read: its `first` items, the `rest`, and the `error` that came between."""

    file: FoundFile
    result: ParseResult
    known: StoredSource | None
    progress: FileProgress
    rest: Iterator[LoaderItem]
    first: list[LoaderItem] = field(default_factory=list)
    error: UnreadableFileError | None = None


@dataclass(slots=True)
class FileGroup:
    """Files that are compared with the store together, which takes as long as for one: until one is large, or time has passed."""

    files: list[ReadFile] = field(default_factory=list)
    items: int = 0
    characters: int = 0
    begun: float = field(default_factory=monotonic)

    def add(self, read: ReadFile) -> None:
        self.files.append(read)
        self.items += len(read.first) + 1
        self.characters += sum(len(item.text) for item in read.first if isinstance(item, ParsedDocument))

    @property
    def is_full(self) -> bool:
        is_large = self.items >= READ_DOCUMENTS or self.characters >= GROUP_CHARACTERS
        return is_large or monotonic() - self.begun > GROUP_SECONDS
