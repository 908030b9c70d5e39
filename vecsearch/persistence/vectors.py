"""The shadow: a FAISS index of unit vectors addressed by chunk id. The only module that knows FAISS.

Exact, whatever FAISS does: it proposes candidates by inner product, and the score of each is then computed from its own row
alone, so that a score never depends on what stands beside it. Scores are cosines, larger is nearer; ties go to the lower id.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.settings import READ_ROWS, SEARCH_SLACK, SELECTIVE_ROWS
from vecsearch.core.types import Precision

Ids: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.float16] | NDArray[np.float32]
Vector: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float32]

NO_IDS: Final[Ids] = np.empty(0, np.int64)
_ROUNDING: Final = 1e-4  # more than FAISS's sum and ours can differ by for unit rows


def dtype(precision: Precision) -> np.dtype[Any]:
    """How rows of this precision lie in SQLite and in the index: little-endian."""
    return np.dtype("<f2") if precision is Precision.FLOAT16 else np.dtype("<f4")


def cosines(rows: Rows, query: Vector) -> Scores:
    """Inner products of unit rows with a unit query: float32, summed row by row in one order, so equal rows score equal."""
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), READ_ROWS):
        block = rows[start : start + READ_ROWS].astype(np.float32)
        scores[start : start + READ_ROWS] = (block * query).sum(axis=1)
    return scores


def best(ids: Ids, scores: Scores, k: int) -> tuple[Ids, Scores]:
    """The k largest scores, best first, ties to the lower id."""
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]


class FlatIndex:
    """Every vector of a collection up to some chunk id, in ascending order of ids."""

    def __init__(self, index: Any) -> None:
        """Wrap a FAISS IndexIDMap over a flat index; use `build` or `load`."""
        faiss = _faiss()
        self._index = index
        self._flat = faiss.downcast_index(index.index)
        self.ids: Ids = faiss.vector_to_array(index.id_map) if index.ntotal else NO_IDS
        size, dimension = int(index.ntotal), int(index.d)
        codes = faiss.rev_swig_ptr(self._flat.codes.data(), size * self._flat.code_size) if size else np.empty(0, np.uint8)
        kind = dtype(Precision.FLOAT32 if self._flat.code_size == 4 * dimension else Precision.FLOAT16)
        self.rows: Rows = codes.view(kind).reshape(size, dimension)

    @classmethod
    def build(cls, dimension: int, precision: Precision, blocks: Iterable[tuple[Ids, Rows]]) -> FlatIndex:
        """An index in memory of blocks of (ids ascending, unit rows)."""
        faiss = _faiss()
        if precision is Precision.FLOAT32:
            flat = faiss.IndexFlatIP(dimension)
        else:
            flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexIDMap(flat)
        for ids, rows in blocks:
            index.add_with_ids(np.ascontiguousarray(rows, np.float32), ids)
        return cls(index)

    @classmethod
    def load(cls, path: Path, checksum: str) -> FlatIndex | None:
        """The index of a file, read into memory: a mapped file that someone cuts short would kill the process.

        None when the file is missing, damaged, or not the one expected.
        """
        faiss = _faiss()
        try:
            if checksum_of(path) != checksum:
                return None
            return cls(faiss.read_index(str(path)))
        except (OSError, RuntimeError):
            return None

    def save(self, path: Path) -> str:
        """Write, make durable, rename into place; gives the checksum. Raises OSError when there is no room."""
        faiss = _faiss()
        temporary = path.with_name(f"{path.name}.tmp")
        try:
            faiss.write_index(self._index, str(temporary))
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            checksum = checksum_of(temporary)
            temporary.rename(path)
        except RuntimeError as error:  # FAISS's word for a failed write
            raise OSError(str(error)) from error
        finally:
            temporary.unlink(missing_ok=True)
        return checksum

    def nearest(self, query: Vector, k: int, *, allowed: Ids | None = None, excluded: Ids = NO_IDS) -> tuple[Ids, Scores]:
        """Up to k (ids, cosines), best first: among `allowed` (ascending) when given, never among `excluded`."""
        if not len(self.ids):
            return NO_IDS, np.empty(0, np.float32)
        if allowed is not None and len(allowed) <= SELECTIVE_ROWS:
            wanted = np.setdiff1d(allowed, excluded, assume_unique=True) if len(excluded) else allowed
            found, rows = self.fetch(wanted)
            return best(found, cosines(rows, query), k)
        return self._scan(query, k, self._parameters(allowed, excluded))

    def fetch(self, ids: Ids) -> tuple[Ids, Rows]:
        """Those of the ids that the index has, and their rows."""
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        there = self.ids[places] == ids if len(self.ids) else np.zeros(len(ids), bool)
        return ids[there], self.rows[places[there]]

    def _scan(self, query: Vector, k: int, parameters: Any) -> tuple[Ids, Scores]:
        """Fetch a little more than k until the exact order of the first k is certain."""
        want = min(k + SEARCH_SLACK, len(self.ids))
        while True:
            proposed, found = self._index.search(query[np.newaxis], want, params=parameters)
            ids = np.sort(found[0][found[0] >= 0])
            ids, scores = best(*self._scored(ids, query), k)
            exhausted = want == len(self.ids) or found[0][-1] < 0
            if exhausted or (len(scores) == k and scores[-1] > proposed[0][-1] + _ROUNDING):
                return ids, scores
            want = min(want * 4, len(self.ids))

    def _scored(self, ids: Ids, query: Vector) -> tuple[Ids, Scores]:
        found, rows = self.fetch(ids)
        return found, cosines(rows, query)

    def _parameters(self, allowed: Ids | None, excluded: Ids) -> Any:
        faiss = _faiss()
        if allowed is None and not len(excluded):
            return None
        mask = np.zeros(int(self.ids[-1]) + 1, bool) if allowed is not None else np.ones(int(self.ids[-1]) + 1, bool)
        if allowed is not None:
            mask[allowed[allowed < len(mask)]] = True
        mask[excluded[excluded < len(mask)]] = False
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector)
        parameters.keep = selector  # FAISS holds a bare pointer to it
        return parameters


def _faiss() -> Any:
    """Loaded when the first index is built or read; its type stubs know less than it does."""
    return import_module("faiss")


def checksum_of(path: Path) -> str:
    """The sha256 of a file's bytes, with its name in front."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
