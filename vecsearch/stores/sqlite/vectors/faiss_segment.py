"""The shadow: FAISS indexes of unit vectors addressed by chunk id. The only module that knows FAISS.

FAISS proposes candidates by inner product, and the score of each is then computed from its own row alone, so that a score is
exact and never depends on what stands beside it. Scores are cosines, larger is nearer; ties go to the lower id.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.atomic_files import write_atomically
from vecsearch.core.checksums import compute_checksum
from vecsearch.core.errors import raise_foreign
from vecsearch.core.parallel import map_parallel
from vecsearch.core.settings import (
    EXACT_FILTER_ROWS_MAX,
    OVERFETCH_ROWS,
    PARALLEL_ROWS,
    PQ_MIN_ROWS,
    READ_ROWS,
    RESCORE_FACTOR,
    RESCORE_FACTOR_SEGMENTS,
    RESCORE_MIN,
    RESCORE_SHARE_MAX,
    SIMILARITY_ROUNDING,
)
from vecsearch.core.sorted_ids import find_positions
from vecsearch.core.types import Precision
from vecsearch.core.undisturbed import run_undisturbed

_T = TypeVar("_T")
_R = TypeVar("_R")
Ids: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.float16] | NDArray[np.float32]
Vector: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float32]

NO_IDS: Final[Ids] = np.empty(0, np.int64)
NO_SCORES: Final[Scores] = np.empty(0, np.float32)
_IMPORTING_PROCESS: Final = os.getpid()
_ANY_THREADS: Final = nullcontext()
_SCORE_TOLERANCE: Final = 1e-4 + 2.0**-11  # more than FAISS's sum and ours differ by: half precision changes a row's length
_LENGTH_MIN: Final = np.float32(1e-12)  # of a damaged row
_SAME_DIRECTION: Final = 1 - SIMILARITY_ROUNDING
_CODE_WIDTHS: Final = (4, 3, 2)  # numbers that one 4-bit code stands for
_CODES: Final = 64  # in a row, if its length allows for so many; fewer tell too little apart
_CODES_MIN: Final = 16  # shorter rows are scanned as they are
_TRAINING_ROWS: Final = 8_192  # sixteen centroids a part need no more
_TRAINING_ROUNDS: Final = 5  # ten find no more
_WRITE_BUFFER_BYTES: Final = 1 << 20  # handed to the file at a time
_SCORE_BLOCK_ROWS: Final = 256  # at once: they stay in the processor's cache, and their memory is not given back to the system
_SIGN_AND_NUMBER: Final = np.uint32(0x8FFFFFFF).view(np.int32)
_EXPONENT_SCALE: Final = np.float32(2.0 ** (127 - 15))


def get_dtype(precision: Precision) -> np.dtype[Any]:
    """Return how rows of this precision are stored in SQLite and in the index: little-endian."""
    return np.dtype("<f2") if precision is Precision.FLOAT16 else np.dtype("<f4")


def compute_cosines(rows: Rows, query: Vector, places: Ids | None = None) -> Scores:
    """Return the cosines of rows, all or those at `places`, with a unit query, in [-1, 1].

    float32, summed by row in one order, so that equal rows score equal. Half precision has changed the rows' lengths, which are
    divided by. What lies within SIMILARITY_ROUNDING of 1 is 1.
    """
    scores = np.empty(len(rows) if places is None else len(places), np.float32)
    for start in range(0, len(scores), _SCORE_BLOCK_ROWS):
        block = slice(start, start + _SCORE_BLOCK_ROWS)
        scores[block] = _score_block(rows[block] if places is None else rows.take(places[block], axis=0), query)
    scores[scores > _SAME_DIRECTION] = 1.0
    return np.maximum(scores, np.float32(-1.0), out=scores)


def _score_block(rows: Rows, query: Vector) -> Scores:
    """Return the cosines of some rows. A function of its own lets go of them before the next are made, in the same memory."""
    numbers = to_float32(rows)
    products = np.vecdot(numbers, query)
    if rows.dtype == np.float16:
        products /= np.maximum(np.sqrt(np.vecdot(numbers, numbers)), _LENGTH_MIN)
    return np.asarray(products, np.float32)


def to_float32(rows: Rows) -> Vector:
    """Return the same numbers, all finite, in single precision.

    NumPy takes half a search's time to make halves single, one by one. So here their bits are moved to where a single has them,
    and what the two exponents count from is made up for by a product, which is exact, also for numbers below the normal ones.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, np.float32)
    bits = rows.view(np.int16).astype(np.int32)  # the sign fills the upper half
    bits <<= 13
    bits &= _SIGN_AND_NUMBER
    numbers = bits.view(np.float32)
    numbers *= _EXPONENT_SCALE
    return numbers


def select_best(ids: Ids, scores: Scores, k: int) -> tuple[Ids, Scores]:
    """Return the k largest scores, best first, ties to the lower id."""
    if 0 < k < len(scores):
        contenders = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]  # quicker than to sort all
        ids, scores = ids[contenders], scores[contenders]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]


class SegmentCandidates(NamedTuple):
    """Rows of one segment that may be among the nearest, in no order."""

    ids: Ids
    scores: Scores  # cosines; or, with `positions`, what the codes make of them
    positions: Ids | None  # of the rows in the segment, where their cosines are still to be computed


class Segment:
    """The vectors of some consecutive chunks, ascending by id; from PQ_MIN_ROWS rows on with 4-bit codes beside them.

    The codes (product quantisation, André, Kermarrec and Le Scouarnec, "Cache locality is not enough", VLDB 2015) are scanned in
    registers, all of them. On 100,000 real text vectors that finds more, in less time, than inverted lists or a graph do; of a
    million it finds 0.996 of the ten nearest, where 512 lists over the same codes, a quarter probed, find 0.98 in two thirds of
    the time.
    """

    def __init__(self, index: Any, codes: Any | None) -> None:
        """Wrap a FAISS IndexIDMap over a flat index, and the codes; use `build` or `load`."""
        faiss = _import_faiss()
        self._index, self._codes = index, codes
        self._flat = faiss.downcast_index(index.index)
        self.ids: Ids = faiss.vector_to_array(index.id_map) if index.ntotal else NO_IDS
        size, dimension = int(index.ntotal), int(index.d)
        stored = faiss.rev_swig_ptr(self._flat.codes.data(), size * self._flat.code_size) if size else np.empty(0, np.uint8)
        kind = get_dtype(Precision.FLOAT32 if self._flat.code_size == 4 * dimension else Precision.FLOAT16)
        self.rows: Rows = stored.view(kind).reshape(size, dimension)

    @classmethod
    def build(cls, dimension: int, precision: Precision, blocks: Iterable[tuple[Ids, Rows]]) -> Segment:
        """Build in memory, from blocks of (ids ascending, unit rows)."""
        faiss = _import_faiss()
        if precision is Precision.FLOAT32:
            flat = faiss.IndexFlatIP(dimension)
        else:
            flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexIDMap(flat)
        for ids, rows in blocks:
            index.add_sa_codes(rows.view(np.uint8), ids)  # as they are: what FAISS would make of them again are the same bytes
        segment = cls(index, None)
        if len(segment.ids) >= PQ_MIN_ROWS:
            segment._codes = _train_codes(segment.rows)
        return segment

    @classmethod
    def load(cls, path: Path, checksum: str) -> Segment | None:
        """Load the segment of a file and the codes beside it, mapped once their bytes have been checked.

        None when a file is missing, damaged, or not the one expected.
        """
        faiss = _import_faiss()
        try:
            if compute_segment_checksum(path) != checksum:
                return None
            codes = get_codes_path(path)
            return cls(
                faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), faiss.read_index(str(codes)) if codes.exists() else None
            )
        except OSError as error:
            raise_foreign(error)
            return None
        except RuntimeError:  # of FAISS
            return None

    def save(self, path: Path) -> str:
        """Write, make durable, rename into place; returns the checksum. Raises OSError when there is no room."""
        if self._codes is not None:
            _write_index(self._codes, get_codes_path(path))
        _write_index(self._index, path)
        return compute_segment_checksum(path)

    @property
    def is_compressed(self) -> bool:
        """Return whether candidates come from the codes."""
        return self._codes is not None

    def find_candidates(self, query: Vector, k: int, allowed: Ids | None, excluded: Ids) -> SegmentCandidates:
        """Return rows that hold the k nearest: among `allowed` when given, never among `excluded`; both ascend."""
        if not len(self.ids):
            return SegmentCandidates(NO_IDS, NO_SCORES, None)
        excluded = self._clip_ids(excluded)
        if allowed is not None:
            allowed = self._clip_ids(allowed)
            if len(excluded):
                allowed, excluded = np.setdiff1d(allowed, excluded, assume_unique=True), NO_IDS
            if self.should_score_exactly(len(allowed), k):
                return SegmentCandidates(*select_best(*self.score(allowed, query), k), None)
        candidates = self._search_codes(query, k, allowed, excluded) if self._codes is not None else None
        return candidates or SegmentCandidates(*self._scan(query, k, self._build_parameters(allowed, excluded)), None)

    def should_score_exactly(self, allowed_count: int, k: int) -> bool:
        """Return whether so few rows match that all are scored: fewer than the codes would have to propose for k of them."""
        return allowed_count <= EXACT_FILTER_ROWS_MAX or (
            self.is_compressed and allowed_count * allowed_count <= _count_candidates(k) * len(self.ids)
        )

    def fetch(self, ids: Ids) -> tuple[Ids, Rows]:
        """Return those of the ids that the segment has, and their rows."""
        places, is_present = find_positions(self.ids, ids)
        return ids[is_present], self.rows.take(places[is_present], axis=0)

    def score(self, ids: Ids, query: Vector) -> tuple[Ids, Scores]:
        """Return those of the ids that the segment has, and their cosines."""
        places, is_present = find_positions(self.ids, ids)
        return ids[is_present], compute_cosines(self.rows, query, places[is_present])

    def _clip_ids(self, ids: Ids) -> Ids:
        """Return those that lie in the segment's range."""
        first, last = np.searchsorted(ids, (self.ids[0], self.ids[-1] + 1))
        return ids[first:last]

    def _search_codes(self, query: Vector, k: int, allowed: Ids | None, excluded: Ids) -> SegmentCandidates | None:
        """Return candidates by their codes; None where so few of them may be found that a scan is better.

        The codes know of no filter, so as many more candidates are looked at as it leaves out.
        """
        reachable = len(self.ids) - len(excluded) if allowed is None else len(allowed)
        candidate_count = _count_candidates(k)
        looked_at = candidate_count * len(self.ids) // max(reachable, 1)
        if looked_at > len(self.ids) * RESCORE_SHARE_MAX:
            return None
        assert self._codes is not None
        with _use_safe_threads():
            (scores,), (places,) = self._codes.search(query[np.newaxis], looked_at)
        ids, is_allowed = self.ids[places], places >= 0
        if allowed is not None:
            is_allowed &= find_positions(allowed, ids)[1]
        elif len(excluded):
            is_allowed &= ~find_positions(excluded, ids)[1]
        if np.count_nonzero(is_allowed) < candidate_count // 4:  # what the filter leaves lies far from the query
            return None
        return SegmentCandidates(ids[is_allowed], scores[is_allowed], places[is_allowed])

    def _scan(self, query: Vector, k: int, parameters: Any) -> tuple[Ids, Scores]:
        """Fetch a little more than k until the exact order of the first k is certain."""
        want = min(k + OVERFETCH_ROWS, len(self.ids))
        while True:
            with _use_safe_threads():
                proposed_scores, proposed_ids = self._index.search(query[np.newaxis], want, params=parameters)
            ids = np.sort(proposed_ids[0][proposed_ids[0] >= 0])
            ids, scores = select_best(*self.score(ids, query), k)
            exhausted = want == len(self.ids) or proposed_ids[0][-1] < 0
            if exhausted or (len(scores) == k and scores[-1] > proposed_scores[0][-1] + _SCORE_TOLERANCE):
                return ids, scores
            want = min(want * 4, len(self.ids))

    def _build_parameters(self, allowed: Ids | None, excluded: Ids) -> Any:
        """Build a bitmap over the ids, which here are all within the segment."""
        faiss = _import_faiss()
        if allowed is None and not len(excluded):
            return None
        mask = np.zeros(int(self.ids[-1]) + 1, bool) if allowed is not None else np.ones(int(self.ids[-1]) + 1, bool)
        if allowed is not None:
            mask[allowed] = True
        mask[excluded] = False
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector)
        parameters.keep = selector  # FAISS holds a bare pointer to it
        return parameters


def search_segments(
    segments: Sequence[Segment], query: Vector, k: int, *, allowed: Ids | None = None, excluded: Ids = NO_IDS
) -> tuple[Ids, Scores]:
    """Return up to k (ids, cosines) of several segments, best first: among `allowed` (ascending), never among `excluded`.

    Where codes propose candidates, the rows that the codes score highest are scored exactly, of all segments together.
    """
    rows_in_all = sum(len(segment.ids) for segment in segments)
    proposals = map_over_segments(lambda segment: segment.find_candidates(query, k, allowed, excluded), segments, rows_in_all)
    exact = [proposal for proposal in proposals if proposal.positions is None]
    pairs = zip(segments, proposals, strict=True)
    coded = [
        (proposal.ids, proposal.scores, segment.rows, proposal.positions)
        for segment, proposal in pairs
        if proposal.positions is not None
    ]
    ids, scores = [NO_IDS, *(proposal.ids for proposal in exact)], [NO_SCORES, *(proposal.scores for proposal in exact)]
    if coded:
        least = _find_cutoff([candidates[1] for candidates in coded], RESCORE_FACTOR_SEGMENTS * _count_candidates(k))
        for those, roughly, of_segment, places in coded:
            looked_at = roughly >= least
            ids.append(those[looked_at])
            scores.append(compute_cosines(of_segment, query, places[looked_at]))
    return select_best(np.concatenate(ids), np.concatenate(scores), k)


def map_over_segments(work: Callable[[_T], _R], items: Sequence[_T], rows: int) -> list[_R]:
    """Map `work` over segments, on all cores where they hold rows enough for that to pay."""
    return map_parallel(work, items) if rows >= PARALLEL_ROWS else [work(item) for item in items]


def _find_cutoff(scores: Sequence[Scores], count: int) -> float:
    """Return the smallest of the `count` largest; of one segment, all are looked at."""
    if len(scores) == 1:
        return -np.inf
    together = np.concatenate(scores)
    return float(np.partition(together, -count)[-count]) if count < len(together) else -np.inf


def _train_codes(rows: Rows) -> Any | None:
    """Train 4-bit codes of some neighbouring numbers each; None for rows whose length is no multiple of so many."""
    dimension = rows.shape[1]
    parts = [dimension // width for width in _CODE_WIDTHS if dimension % width == 0]
    enough = next((count for count in parts if count >= _CODES), parts[-1] if parts else 0)
    if enough < _CODES_MIN:
        return None
    faiss = _import_faiss()
    codes = faiss.IndexPQFastScan(dimension, enough, 4, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.niter = _TRAINING_ROUNDS
    sample = np.random.default_rng(0).choice(len(rows), min(len(rows), _TRAINING_ROWS), replace=False)
    with _use_one_thread():  # of several each waits for all, thousands of times: where others compute too, for seconds
        codes.train(to_float32(rows[np.sort(sample)]))
    with _use_safe_threads():
        for start in range(0, len(rows), READ_ROWS):
            codes.add(to_float32(rows[start : start + READ_ROWS]))
    return codes


def _count_candidates(k: int) -> int:
    """Return how many rows to score exactly for the k best to be among them."""
    return max(RESCORE_MIN, RESCORE_FACTOR * k)


def _write_index(index: Any, path: Path) -> None:
    """Write an index completely, durably and privately, or not at all."""
    faiss = _import_faiss()
    with write_atomically(path) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, _WRITE_BUFFER_BYTES))


@cache
def _import_faiss() -> Any:
    """Import faiss when the first index is built or read; its type stubs know less than it does.

    A thread that no interruption reaches loads it: faiss wraps its own functions as it loads, and calls itself for ever where an
    interrupted import is made again.
    """
    return run_undisturbed(lambda: import_module("faiss"))


def _use_safe_threads() -> AbstractContextManager[None]:
    """Compute on one thread in a forked child, where GNU's OpenMP would wait for the threads of the parent for ever."""
    return _ANY_THREADS if os.getpid() == _IMPORTING_PROCESS else _use_one_thread()


@contextmanager
def _use_one_thread() -> Iterator[None]:
    """Compute on one thread, and leave the process's own number of FAISS threads as it was."""
    faiss = _import_faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def get_codes_path(path: Path) -> Path:
    """Return where the codes of a segment lie, if it has any."""
    return path.with_suffix(".codes.faiss")


def compute_segment_checksum(path: Path) -> str:
    """Compute the checksum of a segment's file and of the codes beside it."""
    codes = get_codes_path(path)
    return f"{compute_checksum(path)}+{compute_checksum(codes)}" if codes.exists() else compute_checksum(path)
