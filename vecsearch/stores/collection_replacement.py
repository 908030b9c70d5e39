"""How a collection gets other vectors while it is searched: what takes its place is built beside it. Part of `stores.base`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from vecsearch.core.types import Precision
from vecsearch.encoders.base import EncoderSpec

if TYPE_CHECKING:
    from vecsearch.stores.base import OutdatedDocument, Snapshot, Writer
    from vecsearch.stores.values import CollectionInfo


class Replacement(Protocol):
    """A collection built beside a live one under a hidden name, and swapped in atomically: how vectors are made by another
    model while the old ones answer. What a kill leaves is continued."""

    @property
    def info(self) -> CollectionInfo | None:
        """Return the replacement as it is now; None where none was begun. Its name is the live collection's."""

    def begin(self, encoder: EncoderSpec, precision: Precision) -> CollectionInfo:
        """Continue the replacement begun before, if its vectors are of this kind, else begin one.

        Raises CollectionNotFoundError.
        """

    def open_snapshot(self) -> AbstractContextManager[Snapshot | None]:
        """Open the replacement, to read from."""

    def open_writer(self) -> AbstractContextManager[Writer]:
        """Open the replacement, to write to. Raises StorageError where it was abandoned or begun again by another process.

        Inside the block of another `open_writer()` of this thread it waits for nobody.
        """

    def claim_filling(self) -> AbstractContextManager[bool]:
        """Claim to be the one who makes the replacement's pending vectors; see `Store.claim_filling`."""

    def list_pending(self, *, after: int = 0) -> list[OutdatedDocument]:
        """List some of the documents, from the number after `after` on, that it lacks or has otherwise; none for no more."""

    def count_pending_characters(self) -> int:
        """Count the characters that are still to be encoded."""

    def swap(self) -> None:
        """Drop what is no longer there, and take the live collection's place, name and files, in one transaction. Inside
        `open_writer()`, in which `list_pending()` was empty. Raises StorageError where it is not complete."""

    def abandon(self) -> bool:
        """Drop it; returns whether there was anything."""
