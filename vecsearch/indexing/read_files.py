"""Files on their way through the pipeline: what was read of them, and how far they have come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from math import inf
from time import monotonic
from typing import NamedTuple

from vecsearch.core.batched import batched
from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.files import FailedFile, FoundFile, RowFile, SkippedFile
from vecsearch.core.id_table import IdTable
from vecsearch.core.parsed import LoaderItem, ParsedDocument
from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import GROUP_CHARACTERS, GROUP_ITEMS, GROUP_SECONDS, READ_DOCUMENTS
from vecsearch.core.types import Split
from vecsearch.documents.loaders import can_hold_media
from vecsearch.documents.loaders.raw_file import MediaWish
from vecsearch.documents.parser_process import ParseRequest, ParseResult, ParserProcess
from vecsearch.documents.validation import validate_document
from vecsearch.encoders import registry
from vecsearch.indexing.long_documents import LongDocument
from vecsearch.indexing.media_vectors import list_media_kinds
from vecsearch.stores.base import EncodedChunks, StoredDocument, StoredSource


@dataclass(slots=True)
class IndexCounts:
    """Documents added, updated, unchanged, removed; files that failed or were skipped; what a dry run would do; files whose rows
    are documents."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[FailedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    planned: list[tuple[str, str]] = field(default_factory=list)
    row_files: list[RowFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredContents:
    """What the collection holds of some documents, or is about to: under their ids, and of the same content under any id."""

    documents: dict[str, StoredDocument]
    encoded: Mapping[str, EncodedChunks]  # by content digest


@dataclass(slots=True)
class FileProgress:
    """How far one file, or a stream, has come: what is wrong with it, the ids it gave, the bytes not yet reported as done.

    `split`: how its documents are split. `unit`: what a byte counts in the run's progress.
    """

    origin: str
    source: str | None
    bytes_left: float
    split: Split
    unit: float = 1.0
    problems: list[str] = field(default_factory=list)
    ids: IdTable = field(default_factory=IdTable)
    id_conflict: bool = False  # an id of it belongs to another file, which may be about to let it go
    long: LongDocument | None = None  # whose portions come

    def take(self, amount: float = inf) -> float:
        """Count so many bytes, or the rest, as done; returns how much of the run's progress they are."""
        done = min(self.bytes_left, amount)
        self.bytes_left -= done
        return done * self.unit


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
    split: Split
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
    is_long: bool = False  # the rest begins with a portion of a long document

    def take_first(self, most: int) -> None:
        """Read the first items, at most so many. Raises UnreadableFileError."""
        for item in islice(self.rest, most):
            if is_portion(item):
                self.rest, self.is_long = chain([item], self.rest), True
                return
            self.first.append(item)


@dataclass(slots=True)
class FileGroup:
    """Files that are compared with the store together, which takes as long as for one: until one is large, or time has passed."""

    files: list[ReadFile] = field(default_factory=list)
    items: int = 0
    characters: int = 0
    begun: float = field(default_factory=monotonic)

    def add(self, read: ReadFile) -> None:
        self.files.append(read)
        self.items += GROUP_ITEMS if read.is_long else len(read.first) + 1
        self.characters += sum(len(item.text) for item in read.first if isinstance(item, ParsedDocument))

    @property
    def is_full(self) -> bool:
        is_large = self.items >= GROUP_ITEMS or self.characters >= GROUP_CHARACTERS
        return is_large or monotonic() - self.begun > GROUP_SECONDS


def is_portion(item: LoaderItem) -> bool:
    """Return whether an item is a portion of a long document."""
    return isinstance(item, ParsedDocument) and item.portion is not None


def group_items(items: Iterable[LoaderItem]) -> Iterator[list[LoaderItem] | ParsedDocument]:
    """Yield items in order, some together, but a portion alone, as soon as it comes."""
    for are_portions, group in groupby(items, is_portion):
        if are_portions:
            yield from (item for item in group if isinstance(item, ParsedDocument))
        else:
            yield from batched(group, READ_DOCUMENTS)


def is_valid(document: ParsedDocument, progress: FileProgress) -> bool:
    """Return whether a document can be stored; what is wrong with it is noted before anything is made of it."""
    try:
        validate_document(document)
    except InputError as error:
        progress.problems.append(str(error))
        return False
    return True


def choose_row_options(rows: RowOptions | None, file: FoundFile) -> RowOptions | None:
    """Return how the rows of a file are read, None where it is one document: a guess is for a file that the user named."""
    return rows if rows is not None and (file.explicit or not rows.guess) else None


def has_documents(
    files: Sequence[FoundFile], passwords: Sequence[str] = (),
    get_rows: Callable[[FoundFile], RowOptions | None] = lambda _: None, *, model: str | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> bool:  # fmt: skip
    """Return whether one of the files, read now, has anything to index by a model; `get_rows` returns how its rows are read.

    `meanwhile` is called while the first is read.
    """
    takes_media = model is not None and any(can_hold_media(file.path.suffix.lower()) for file in files)
    media = MediaWish(list_media_kinds(registry.load(model))) if takes_media else MediaWish()
    requests = (
        ParseRequest(
            file.path,
            file.path.name,
            file.size,
            rows=choose_row_options(get_rows(file), file),
            explicit=file.explicit,
            media=media,
        )
        for file in files
    )
    with ParserProcess(passwords=passwords) as parser:
        for result in parser.read(requests, meanwhile=meanwhile):
            try:
                if any(isinstance(item, ParsedDocument) for item in result.read_items()):
                    return True
            except UnreadableFileError:
                continue
    return False
