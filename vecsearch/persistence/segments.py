"""The index files that a collection has, as SQLite names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.persistence.connections import Either, driver
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.vectors import checksum_of_segment, codes_path


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """See `tables.segments`. It holds the chunks with ids in (after, covers] that were there when it was written."""

    id: int
    after: int
    covers: int
    rows: int
    checksum: str

    def path(self, index_folder: Path, collection: int) -> Path:
        """Where its file lies."""
        return segment_path(index_folder, collection, self.id)

    def files(self, index_folder: Path, collection: int) -> tuple[Path, Path]:
        """That file and the one of its codes, which a small segment lacks."""
        path = self.path(index_folder, collection)
        return path, codes_path(path)

    def is_sound(self, index_folder: Path, collection: int) -> bool:
        """Whether its files are there, byte for byte."""
        try:
            return checksum_of_segment(self.path(index_folder, collection)) == self.checksum
        except OSError:
            return False


_OF: Final = 'SELECT id, "after", covers, rows, checksum FROM segments WHERE collection_id = :collection ORDER BY "after"'


def segments_of(connection: Either, state: CollectionState) -> list[StoredSegment]:
    """In ascending order of their chunks."""
    return [StoredSegment(*row) for row in driver(connection).execute(_OF, {"collection": state.id})]


def segment_path(index_folder: Path, collection: int, segment: int) -> Path:
    """Where the file of a segment lies."""
    return index_folder / f"{collection}-{segment}.faiss"
