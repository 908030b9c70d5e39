"""The seam under the store: all that the rest of the package needs of whatever holds documents, chunks, terms and vectors.

A search makes few, large calls, so that a store can answer each in one statement. Rules that hold for every store:

- a Snapshot sees one committed state for as long as it is open, and never writes;
- each method of a Writer is one transaction, durable when it returns: all of it is stored, or nothing;
- a score is larger for what is nearer; equal scores go to the chunk that was stored first;
- a chunk's number (`ChunkId`) is never used again, within a store's lifetime;
- errors are those of `core.errors`; distances, SQL and index files stay inside the store.

Keeping its indexes up to date is the store's own business: it happens when an `open_writer()` block is left.
What only one kind of store offers (backup, repair, compaction) is a Protocol of its own: see `stores.maintenance`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vecsearch.core.results import ChunkWindow, Hit
from vecsearch.core.types import JSON, ChunkId, Document, DocumentSummary, ListOrder, Metadata, Precision, Source, SourceState
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.collection_replacement import Replacement
from vecsearch.stores.values import (
    NO_CHUNKS,
    NO_IDS,
    RESTORE_HINT,
    ChunkSet,
    ChunkText,
    CollectionInfo,
    Ids,
    LexicalHits,
    Matrix,
    QueryMap,
    ScoredChunks,
    Scores,
    Vector,
    VectorHits,
)  # fmt: skip
from vecsearch.text.query_parser import LexicalQuery

if TYPE_CHECKING:  # what a plain search needs nothing of
    from vecsearch.core.filters import Filter
    from vecsearch.core.preferences import Preference, ProfileSummary
    from vecsearch.core.roots import Root, RootList
    from vecsearch.stores.documents import (
        Continuation,
        EncodedChunks,
        FullDocument,
        IndexedFile,
        NewDocument,
        NewPart,
        OutdatedDocument,
        PendingChunk,
        PreservedFields,
        RepairReport,
        StoredDocument,
        StoredSource,
        StoredVector,
    )

__all__ = [
    "NO_CHUNKS", "NO_IDS", "RESTORE_HINT", "ChunkSet", "ChunkText", "CollectionInfo", "Continuation", "EncodedChunks",
    "FullDocument", "Ids", "IndexedFile", "LexicalHits", "Matrix", "NewDocument", "NewPart",
    "OutdatedDocument", "PendingChunk", "PreservedFields", "QueryMap", "RepairReport", "Replacement", "ScoredChunks", "Scores",
    "Snapshot", "Store", "StoredDocument", "StoredSource", "StoredVector", "Vector", "VectorHits", "Writer",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the values of `stores.documents` when the first of them is needed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vecsearch.stores import documents

    return getattr(documents, name)


class Snapshot(Protocol):
    """A collection as one committed state has it. Use it in the block that opened it, by one thread at a time."""

    @property
    def info(self) -> CollectionInfo:
        """Return what the collection is, and the version that this snapshot sees."""

    @property
    def cache(self) -> MutableMapping[str, Any]:
        """Return a place for what is derived from the collection, shared by its snapshots in this process.

        It is empty again when the collection is another (dropped and created again); whoever stores something here stores
        `info.version` beside it.
        """

    # search

    def select(self, where: Filter) -> ChunkSet:
        """Return the chunks of the documents that a filter holds for."""

    def find_nearest(self, query: Vector, k: int, *, within: ChunkSet | None = None, exclude: Ids = NO_IDS) -> VectorHits:
        """Return up to k chunks by cosine with the query, k whenever that many are `within` and not excluded."""

    def match(self, query: LexicalQuery, k: int, *, within: ChunkSet | None = None) -> LexicalHits:
        """Return up to k chunks that hold a term of the query, by BM25 with the idf ln(1 + (N - n + ½) / (n + ½))."""

    def compute_similarities(self, query: Vector, ids: Ids) -> ScoredChunks:
        """Return the cosines of chunks, whose ids ascend, as they do; one that is not there or has no vector is left out."""

    def load_vectors(self, ids: Sequence[ChunkId]) -> Matrix:
        """Load the unit float32 vectors of chunks that are there, in the order given; zeros for one that has none."""

    def idf(self, query: LexicalQuery) -> dict[str, float]:
        """Return the inverse document frequency of each single word of a query, by its stem."""

    def sample_chunks(self, most: int, *, steady: bool = False) -> Ids:
        """Return at most `most` chunks, ascending, evenly spread, always the same ones: of those with a vector; or, `steady`, of
        all, a sample that stays the same while the collection grows little."""

    def load_numbers(self, key: str, *, within: ChunkSet | None = None) -> ScoredChunks:
        """Load the number that chunks' documents have at a metadata key, by ascending chunk; those without one are left out."""

    def count_chunks(self) -> int:
        """Count the chunks."""

    def count_documents(self, where: Filter | None = None) -> int:
        """Count the documents, or those that a filter holds for."""

    # what answers show

    def load_hits(self, ranked: ScoredChunks, similarities: Scores | None) -> list[Hit]:
        """Load the text and location of each chunk, in the order given; `similarities` are their cosines, NaN for no vector."""

    def load_chunk_texts(self, ids: Sequence[ChunkId]) -> list[ChunkText]:
        """Load the text of each chunk, in the order given."""

    def load_windows(self, ids: Sequence[ChunkId], neighbours: int) -> list[ChunkWindow]:
        """Load each chunk with so many before and after it in its document, as far as there are any."""

    def find_document_rows(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        """Return a number for each chunk's document: equal for chunks of one document."""

    def find_chunk_ids(self, document_ids: Sequence[str]) -> dict[str, Ids]:
        """Return the chunks of each of these documents, ascending; a document that is not there is left out."""

    # documents and files

    def load_documents(self, ids: Sequence[str], *, include_vectors: bool = False) -> list[Document]:
        """Load documents in the order of `ids`, each once; what is not there is left out."""

    def list_document_ids(
        self,
        *,
        where: Filter | None = None,
        source: Sequence[Path] | None = None,
        after: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        order: ListOrder = ListOrder.ID,
    ) -> list[str]:
        """List ids: of all documents, of those that a filter holds for, of those of files or folders (absolute paths); those that
        follow the id `after`, in another order than by id a document that is there; at most `limit`, without the first few."""

    def summarize_documents(self, ids: Sequence[str]) -> list[DocumentSummary]:
        """Describe documents in the order of `ids`, each once; what is not there is left out."""

    def count_metadata(self, where: Filter | None = None) -> list[tuple[Metadata, int]]:
        """Return the different metadata of all documents, or of those that a filter holds for, each with how many have them."""

    def list_sources(self, *, state: SourceState | None = None, limit: int | None = None, offset: int = 0) -> list[Source]:
        """List a page of the files by path: those in a state, by default all but those that were skipped."""

    def count_sources(self, *, state: SourceState | None = None) -> int:
        """Count the files in a state, by default all but those that were skipped."""

    def load_roots(self) -> RootList:
        """Load what was given to be indexed, and what is kept away from it, by stored path."""

    def load_profile(self, profile: str) -> list[Preference]:
        """Load what a saved profile holds, the newest first; nothing of one that is not there."""

    def list_profiles(self) -> Sequence[ProfileSummary]:
        """List the saved profiles by name."""

    def load_query_map(self) -> QueryMap | None:
        """Load the map of the vectors of questions; None where there is none. Quick enough to be asked with each search."""

    def export(self) -> Iterator[FullDocument]:
        """Yield every document, in the order of their chunks, so that stored again in this order equal scores rank as before.
        Holds one at a time. Raises DatabaseCorruptedError after the last where there should be more."""

    # what a write compares with

    def find_stored_documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Return what is stored under these ids."""

    def find_row_ids(self, key: str) -> list[str]:
        """Return the ids that rows of files have under a key of theirs, `path#key`, ascending."""

    def find_stored_sources(self, *, below: Sequence[Path] | None = None) -> dict[str, StoredSource]:
        """Return files by stored path: all, or those at or below these absolute paths."""

    def iterate_source_document_ids(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the stored path and the id of each document of these files, in no order. Take all of them before a write."""

    def load_text_part(self, document_id: str, start: int) -> str | None:
        """Load the part of a document's text that begins at a character; None where none does."""

    def find_by_digest(self, digests: Sequence[str], *, partial: bool = False) -> dict[str, str]:
        """Return the id of a document for each of these contents that is stored with vectors that follow from it.

        All of its vectors are there; with `partial` it may also be one of which only some are, where there is no other.
        """

    def load_encoded_chunks(self, documents: Mapping[str, str]) -> dict[str, EncodedChunks]:
        """Load the chunks and vectors of documents, {id: digest}; one whose content is another by now is left out."""

    def iterate_vectors(self, ids: Sequence[str], *, start: int = 0) -> Iterator[StoredVector]:
        """Yield every chunk, from a character on, of these documents whose vectors follow from the text."""

    def load_pending_chunks(self, limit: int, *, exclude: Collection[ChunkId] = ()) -> list[PendingChunk]:
        """Load up to `limit` chunks whose vectors are still to be made, the newest first, without those excluded."""

    def load_copied_vectors(self, waiting: Sequence[PendingChunk]) -> dict[ChunkId, Vector]:
        """Return the vectors of those of the chunks of which a document of the same content has the same one, with its vector.

        The other's chunk begins and ends at the same place, so that the vector follows from the same text.
        """


class Preparation(Protocol):
    """What a commit takes most of beside the rows, computed beside this process while the next documents are made ready.

    It is given up when nothing refers to it any more.
    """

    @property
    def is_under_way(self) -> bool:
        """Return whether a commit would have to wait for it now."""


class Writer(Protocol):
    """The one writer of a collection, for as long as its block lasts; each method is one transaction."""

    @property
    def info(self) -> CollectionInfo | None:
        """Return the collection as it is now; None while it is not there. Nobody else changes it meanwhile."""

    def open_snapshot(self) -> AbstractContextManager[Snapshot | None]:
        """Open the collection as it is now, to read from; None while it is not there."""

    def ensure(
        self, encoder: EncoderSpec, *, precision: Precision, stemmer: str, metadata: Metadata | None = None
    ) -> CollectionInfo:
        """Return the collection, created now if it is not there."""

    def commit(
        self,
        documents: Sequence[NewDocument] = (),
        files: Sequence[IndexedFile] = (),
        *,
        metadata: Mapping[str, Metadata] | None = None,
        payloads: Mapping[str, JSON] | None = None,
        continuations: Sequence[Continuation] = (),
        preparation: Preparation | None = None,
    ) -> None:
        """Store documents, replacing those of the same id, replace the metadata and the payloads of others, and mark files as
        read. Continue the texts of documents, of those stored now too; a document that is not there is left out. A
        `preparation` of just these documents is used."""

    def set_metadata(self, metadata: Mapping[str, Metadata]) -> None:
        """Replace the metadata of documents, by id; nothing is encoded."""

    def set_collection_metadata(self, metadata: Metadata) -> None:
        """Replace the metadata of the collection itself."""

    def set_stemmer(self, stemmer: str) -> None:
        """Rebuild the text index with another stemmer."""

    def delete_documents(self, ids: Sequence[str], *, ignore: bool = False) -> int:
        """Delete documents; returns how many were there. A file of theirs is read again by the next run; `ignore`: without
        them from then on."""

    def stop_ignoring(self, ids: Sequence[str]) -> int:
        """Take documents that are kept away, by id, from now on again; returns how many there were. Their files are read again
        by the next run."""

    def delete_sources(self, paths: Sequence[str]) -> int:
        """Delete files, by stored path, with all their documents; returns how many documents."""

    def record_failures(self, errors: Mapping[str, str]) -> None:
        """Record why files could not be read this time, by stored path; what they gave before stays."""

    def record_skips(self, reasons: Mapping[str, str]) -> None:
        """Record why files, by stored path, were passed over: they have no documents."""

    def set_roots(self, roots: Sequence[Root], *, changed: Sequence[Path] = ()) -> None:
        """Store roots, in the place of those of the same path; the files below absolute paths that have `changed` are read again
        by the next run, or by this one, if it has not come to them."""

    def forget_roots(self, paths: Sequence[str]) -> int:
        """Forget roots, by absolute path, as it is shown; returns how many there were. Their documents stay."""

    def set_preferences(self, profile: str, preferences: Sequence[Preference]) -> None:
        """Store preferences of a profile, in the place of those of the same documents, which need not be there."""

    def delete_preferences(self, profile: str, ids: Sequence[str] | None = None) -> int:
        """Delete what a profile holds of some documents, or the whole profile; returns how many preferences there were."""

    def set_query_map(self, query_map: QueryMap | None) -> bool:
        """Keep a map of the vectors of questions in the place of the one there, None for none; returns whether there was one."""

    def attach_vectors(self, vectors: Mapping[ChunkId, Vector]) -> int:
        """Give chunks the unit vectors that they wait for; returns how many. One that waits no more is left out."""

    def refresh_indexes(self) -> None:
        """Bring the indexes up to date now, so that the next search is quick: at the end of a long run. Where that cannot be done
        (no room on the disk), warns: answers stay right."""

    def optimize(self, *, full: bool = False) -> None:
        """Fold new rows into the indexes and deleted ones out; `full` rebuilds the indexes."""


class Store(Protocol):
    """A database: any number of collections. Close it when done."""

    @property
    def location(self) -> str:
        """Return where it is, as the user gave it: a folder or a URL."""

    @property
    def readonly(self) -> bool:
        """Return whether it can only be read."""

    @property
    def source_root(self) -> Path:
        """Return the folder that stored paths of files are relative to."""

    def list_collections(self) -> list[CollectionInfo]:
        """List every collection, by name."""

    def list_names(self) -> list[str]:
        """List the names of the collections, ascending."""

    def open_snapshot(self, collection: str) -> AbstractContextManager[Snapshot | None]:
        """Open the collection as it is now; None while it is not there."""

    def open_writer(self, collection: str) -> AbstractContextManager[Writer]:
        """Become the one writer: waits its turn, raises DatabaseLockedError when that takes too long, ReadOnlyError.

        On leaving, the indexes are brought up to date where that is due. May be entered again by the thread that holds it.
        """

    def prepare(self, info: CollectionInfo, documents: Sequence[NewDocument]) -> Preparation | None:
        """Begin what a commit of documents to this collection takes; None where there is nothing to begin."""

    def get_replacement(self, collection: str) -> Replacement:
        """Return what is, or is to be, built to take a collection's place."""

    def claim_filling(self, collection: str) -> AbstractContextManager[bool]:
        """Claim to be the one who makes this collection's pending vectors, for as long as the block lasts: gives False, at once,
        where another does, in this process or another. A claim ends with its process. Raises ReadOnlyError."""

    def rename_collection(self, old: str, new: str) -> None:
        """Rename a collection. Raises CollectionNotFoundError, and InputError where the new name is taken."""

    def drop_collection(self, name: str) -> None:
        """Delete a collection with all its documents. Raises CollectionNotFoundError."""

    def collect_statistics(self) -> dict[str, Any]:
        """Return what the database holds, in numbers: the fields of `status`."""

    def upgrade(self) -> bool:
        """Bring what an older program wrote up to date, now; returns whether there was anything to do.

        Every write does so first; reading raises SchemaVersionError until then.
        """

    def check_open(self) -> None:
        """Raise DatabaseClosedError where it was closed, as every other method does then."""

    def close(self) -> None:
        """Give the file handles, or connections, back. Nothing needs saving. May be called again."""
