"""A segment's postings as blocks of bytes: some terms with all that belongs to them, the unit that is read, cached and written.

A posting block is, little-endian: uint32 n, uint32 bytes of text, uint32 bytes of an offset (2 or 4); offsets of postings, n + 1;
offsets of repeats, n + 1; uint32 frequencies of the repeats (postings of a frequency above 1); uint16 ordinals; uint16 indexes of
the repeats in their term's postings; the terms in order, a line break between. The position block of the same terms is the uint32
bytes of a position (2 or 4) and the positions, as many of a stem as its frequencies say, all of it compressed by zlib.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.fulltext.term_segment import (
    AFTER_FORMS,
    FORM_MARK,
    Ints,
    Numbers,
    Ordinals,
    TermSegment,
    compute_starts,
)

BLOCK_BYTES: Final = 6_000  # of postings: a block ends there, or after one term
_HEADER: Final = 3  # numbers
_COMPRESSION: Final = 1  # the quickest: positions shrink to a third, and only phrases and merges read them
WIDE: Final = np.dtype("<u4")
NARROW: Final = np.dtype("<u2")
_NOTHING: Final = tuple(
    np.empty(0, kind) for kind in (np.int64, np.uint16, np.uint32, np.int64, np.uint32)
)  # of `decode_segment`


class Postings(NamedTuple):
    """Of one term in one segment: ordinals of chunks, ascending, and how often it stands in each."""

    ordinals: Ints
    frequencies: Ints


class _Repeats(NamedTuple):
    """The postings of a frequency above 1: where those of each term begin, their frequencies, their indexes in their term's."""

    starts: Ints
    frequencies: NDArray[np.uint32]
    indexes: NDArray[np.uint16]


class EncodedBlock(NamedTuple):
    """A block ready to store."""

    first_term: str
    postings: bytes
    positions: bytes


class PostingBlock:
    """A posting block that was read."""

    def __init__(self, data: bytes) -> None:
        """Raise DatabaseCorruptedError where this is no such block."""
        try:
            count, text_bytes, width = np.frombuffer(data, WIDE, _HEADER).tolist()
            self._starts, at = _read(data, _HEADER * WIDE.itemsize, _get_type(width), count + 1)
            self._repeat_starts, at = _read(data, at, _get_type(width), count + 1)
            repeats = int(self._repeat_starts[-1])
            self._repeated, at = _read(data, at, WIDE, repeats)
            self._ordinals, at = _read(data, at, NARROW, int(self._starts[-1]))
            self._repeat_indexes, at = _read(data, at, NARROW, repeats)
            self.terms = data[at:].decode().split("\n")
        except (ValueError, IndexError) as error:
            raise _make_damage_error() from error
        if len(data) - at != text_bytes or len(self.terms) != count:
            raise _make_damage_error()

    @property
    def size(self) -> int:
        """About how much memory it takes, in bytes."""
        return 4 * len(self._starts) + 2 * len(self._ordinals) + 60 * len(self.terms)

    def find(self, term: str) -> int | None:
        """Return the index of a term; None where it is not here."""
        at = bisect_left(self.terms, term)
        return at if at < len(self.terms) and self.terms[at] == term else None

    def find_beginning(self, prefix: str) -> range:
        """Return the indexes of the terms that begin so."""
        first = bisect_left(self.terms, prefix)
        last = first
        while last < len(self.terms) and self.terms[last].startswith(prefix):
            last += 1
        return range(first, last)

    def count(self, index: int) -> int:
        """Return how many chunks have a term."""
        return int(self._starts[index + 1] - self._starts[index])

    def find_positions(self, index: int) -> tuple[int, int]:
        """Return where the positions of a term begin and end in the position block."""
        return int(self._position_starts[index]), int(self._position_starts[index + 1])

    @lazy_property
    def _position_starts(self) -> Ints:
        return compute_starts(self.count_positions())

    def count_positions(self) -> Ints:
        """Return how many positions each term has: those of a stem its frequencies, a form none."""
        more = compute_starts(self._repeated.astype(np.int64) - 1)
        counts = _count(self._starts) + _count(more[self._repeat_starts])
        counts[bisect_left(self.terms, FORM_MARK) : bisect_left(self.terms, AFTER_FORMS)] = 0
        return counts

    def get_ordinals(self, indexes: range) -> NDArray[np.uint16]:
        """Return the ordinals of terms that follow each other, term after term."""
        return self._ordinals[self._starts[indexes.start] : self._starts[indexes.stop]]

    def load(self, index: int) -> Postings:
        """Return the postings of a term."""
        ordinals = self._ordinals[self._starts[index] : self._starts[index + 1]].astype(np.int64)
        frequencies = np.ones(len(ordinals), np.int64)
        indexes, repeated = self.get_repeats(index)
        frequencies[indexes] = repeated
        return Postings(ordinals, frequencies)

    def get_repeats(self, index: int) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
        """Return which of a term's postings have a frequency above 1, and these frequencies."""
        repeats = slice(self._repeat_starts[index], self._repeat_starts[index + 1])
        return self._repeat_indexes[repeats], self._repeated[repeats]

    def load_all(self) -> tuple[Ints, Ordinals, Numbers]:
        """Return how many postings each term has, and the ordinals and frequencies of all, term after term."""
        starts = self._starts.astype(np.int64)
        frequencies = np.ones(len(self._ordinals), np.uint32)
        owners = np.repeat(np.arange(len(self.terms)), _count(self._repeat_starts))
        frequencies[starts[owners] + self._repeat_indexes] = self._repeated
        return _count(self._starts), self._ordinals, frequencies


class PositionBlock:
    """A position block that was read."""

    def __init__(self, data: bytes) -> None:
        """Raise DatabaseCorruptedError where this is no such block."""
        try:
            plain = zlib.decompress(data)
            (width,) = np.frombuffer(plain, WIDE, 1).tolist()
            self._positions = np.frombuffer(plain, _get_type(width), -1, WIDE.itemsize)
        except (ValueError, IndexError, zlib.error) as error:
            raise _make_damage_error() from error

    @property
    def size(self) -> int:
        """About how much memory it takes, in bytes."""
        return self._positions.nbytes

    def load(self, begin: int, end: int) -> Ints:
        """Return the positions of a term, chunk after chunk; see `PostingBlock.find_positions`."""
        return self._positions[begin:end].astype(np.int64)

    def load_all(self) -> Numbers:
        """Return all positions, term after term."""
        return self._positions.astype(np.uint32)


def encode_blocks(segment: TermSegment) -> Iterator[EncodedBlock]:
    """Yield the blocks of a segment, in order."""
    repeats = _find_repeats(segment)
    sizes = 2 * np.diff(segment.starts) + 6 * np.diff(repeats.starts) + 8
    ends = np.cumsum(sizes + np.fromiter(map(len, segment.terms), np.int64, len(segment.terms)) + 1)
    first = 0
    while first < len(segment.terms):
        begin = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + BLOCK_BYTES, side="right")))
        yield _encode_block(segment, first, last, repeats)
        first = last


def _find_repeats(segment: TermSegment) -> _Repeats:
    repeated = segment.frequencies > 1
    starts = compute_starts(repeated)[segment.starts]
    where = np.flatnonzero(repeated)
    indexes = where - np.repeat(segment.starts[:-1], np.diff(starts))
    return _Repeats(starts, segment.frequencies[where].astype(WIDE), indexes.astype(NARROW))


def _encode_block(segment: TermSegment, first: int, last: int, repeats: _Repeats) -> EncodedBlock:
    terms = segment.terms[first:last]
    starts, repeat_starts = segment.starts[first : last + 1], repeats.starts[first : last + 1]
    text = "\n".join(terms).encode()
    offset = choose_type(int(starts[-1] - starts[0]))
    repeated = slice(repeat_starts[0], repeat_starts[-1])
    postings = b"".join((
        _pack(WIDE, (len(terms), len(text), offset.itemsize)), _pack(offset, starts - starts[0]),
        _pack(offset, repeat_starts - repeat_starts[0]), _pack(WIDE, repeats.frequencies[repeated]),
        _pack(NARROW, segment.ordinals[starts[0] : starts[-1]]), _pack(NARROW, repeats.indexes[repeated]), text,
    ))  # fmt: skip
    positions = segment.positions[segment.position_starts[first] : segment.position_starts[last]]
    place = choose_type(int(positions.max(initial=0)))
    places = zlib.compress(_pack(WIDE, place.itemsize) + _pack(place, positions), _COMPRESSION)
    return EncodedBlock(terms[0], postings, places)


def decode_segment(ids: Ids, lengths: Ints, blocks: Sequence[tuple[bytes, bytes]]) -> TermSegment:
    """Return the segment whose blocks, of postings and of positions, these are. Raises DatabaseCorruptedError."""
    terms: list[str] = []
    parts: list[tuple[NDArray[Any], ...]] = [_NOTHING]
    for posting_data, position_data in blocks:
        postings, positions = PostingBlock(posting_data), PositionBlock(position_data)
        terms += postings.terms
        parts.append((*postings.load_all(), postings.count_positions(), positions.load_all()))
    counts, ordinals, frequencies, place_counts, places = (np.concatenate(column) for column in zip(*parts, strict=True))
    if int(place_counts.sum()) != len(places):
        raise _make_damage_error()
    return TermSegment(ids, lengths, terms, compute_starts(counts), ordinals, frequencies, compute_starts(place_counts), places)


def _count(starts: NDArray[Any]) -> Ints:
    """Return how much lies between offsets, each less the one before."""
    numbers = starts.astype(np.int64)
    return numbers[1:] - numbers[:-1]


def choose_type(largest: int) -> np.dtype[Any]:
    """Return the type in which numbers up to `largest` are stored."""
    return WIDE if largest >= 1 << 16 else NARROW


def _get_type(width: int) -> np.dtype[Any]:
    return WIDE if width == WIDE.itemsize else NARROW


def _pack(dtype: np.dtype[Any], values: Any) -> bytes:
    return np.asarray(values).astype(dtype, copy=False).tobytes()


def _read(data: bytes, at: int, dtype: np.dtype[Any], count: int) -> tuple[NDArray[Any], int]:
    return np.frombuffer(data, dtype, count, at), at + count * dtype.itemsize


def _make_damage_error() -> DatabaseCorruptedError:
    return DatabaseCorruptedError("the database is damaged: a block of the text index is not whole; see `vecsearch doctor`")
