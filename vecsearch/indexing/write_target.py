"""What is read and written in turns: a collection of a store, or the replacement of one; and what it holds already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vecsearch.stores.base import EncodedChunks, Snapshot, Store, StoredDocument, Writer


class WriteTarget(Protocol):
    """A collection, or the replacement of one: what is read and written in turns."""

    def open_snapshot(self) -> AbstractContextManager[Snapshot | None]:
        """Open it as it is now; None while it is not there."""
        ...

    def open_writer(self) -> AbstractContextManager[Writer]:
        """Become its one writer."""
        ...

    def claim_filling(self) -> AbstractContextManager[bool]:
        """Claim to be the one who makes its pending vectors; gives False where another does."""
        ...


@dataclass(frozen=True, slots=True)
class CollectionTarget:
    """A collection of a store."""

    store: Store
    name: str

    def open_snapshot(self) -> AbstractContextManager[Snapshot | None]:
        """Open the collection as it is now; None while it is not there."""
        return self.store.open_snapshot(self.name)

    def open_writer(self) -> AbstractContextManager[Writer]:
        """Become its one writer."""
        return self.store.open_writer(self.name)

    def claim_filling(self) -> AbstractContextManager[bool]:
        """Claim to be the one who makes its pending vectors; gives False where another does."""
        return self.store.claim_filling(self.name)


def find_encoded(snapshot: Snapshot, digests: Sequence[str]) -> dict[str, EncodedChunks]:
    """Return the chunks and vectors that a collection has of the same contents, by digest."""
    same = snapshot.find_by_digest(digests)
    encoded = snapshot.load_encoded_chunks({key: digest for digest, key in same.items()})
    return {digest: encoded[key] for digest, key in same.items() if key in encoded}


def find_stored(place: WriteTarget | Writer, key: str) -> StoredDocument | None:
    """Return what is known of a stored document; None where it, or its collection, is not there."""
    with place.open_snapshot() as snapshot:
        return None if snapshot is None else snapshot.find_stored_documents([key]).get(key)


class StoredCounts(NamedTuple):
    """How many documents and chunks there are, and how many of the chunks wait for their vectors."""

    documents: int
    chunks: int
    pending_vectors: int


def count_stored(target: WriteTarget) -> StoredCounts:
    """Count what a collection holds; 0 where it is not there."""
    with target.open_snapshot() as snapshot:
        if snapshot is None:
            return StoredCounts(0, 0, 0)
        return StoredCounts(snapshot.count_documents(), snapshot.count_chunks(), snapshot.info.pending_vectors)
