"""The index files that a collection has, as SQLite names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.core.errors import raise_foreign
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.vectors.faiss_segment import compute_segment_checksum, get_codes_path

ID_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """See `tables.segments`. It holds the chunks with ids in (after_id, last_id] that were there when it was written."""

    id: int
    after_id: int
    last_id: int
    rows: int
    checksum: str

    def get_path(self, index_folder: Path, collection: int) -> Path:
        """Return where its file lies."""
        return get_segment_path(index_folder, collection, self.id)

    def list_files(self, index_folder: Path, collection: int) -> tuple[Path, Path]:
        """Return that file and the one of its codes, which a small segment lacks."""
        path = self.get_path(index_folder, collection)
        return path, get_codes_path(path)

    def is_sound(self, index_folder: Path, collection: int) -> bool:
        """Return whether its files are there, byte for byte."""
        try:
            return compute_segment_checksum(self.get_path(index_folder, collection)) == self.checksum
        except OSError as error:
            raise_foreign(error)
            return False


_SELECT_SEGMENTS: Final = (
    "SELECT id, after_id, last_id, rows, checksum FROM segments WHERE collection_id = :collection ORDER BY after_id"
)
_SELECT_ALL_SEGMENTS: Final = "SELECT collection_id, id, after_id, last_id, rows, checksum FROM segments"


def list_segments(connection: AnyConnection, state: CollectionState) -> list[StoredSegment]:
    """List the segments in ascending order of their chunks."""
    return [StoredSegment(*row) for row in get_driver(connection).execute(_SELECT_SEGMENTS, {"collection": state.id})]


def list_all_segments(connection: AnyConnection) -> list[tuple[int, StoredSegment]]:
    """List the segments of all collections, each with the row of its collection."""
    rows = get_driver(connection).execute(_SELECT_ALL_SEGMENTS)
    return [(collection, StoredSegment(*segment)) for collection, *segment in rows]


def list_gaps(segments: Sequence[StoredSegment]) -> list[tuple[int, int]]:
    """Return the ranges of ids (after, last) that no segment holds, ascending; the last one has no end."""
    after_ids = [0, *(segment.last_id for segment in segments)]
    last_ids = [*(segment.after_id for segment in segments), ID_MAX]
    return [(after, last) for after, last in zip(after_ids, last_ids, strict=True) if after < last]


def get_segment_path(index_folder: Path, collection: int, segment: int) -> Path:
    """Return where the file of a segment lies."""
    return index_folder / f"{collection}-{segment}.faiss"
