"""The text index as one snapshot sees it, in memory: which chunks there are, and the blocks of postings that questions have read.

Segments and blocks are never changed once written, and their ids never used again: what was read of them serves every later
snapshot. All chunks of a collection, the deleted ones included, are numbered 0 ... rows - 1 (ordinals), segment after segment.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from vecsearch.core.forks import make_lock
from vecsearch.core.settings import BM25_B, BM25_K1, TERM_CACHE_BYTES
from vecsearch.core.sorted_ids import find_positions
from vecsearch.stores.base import NO_IDS, Ids, Scores
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.fulltext import term_rows
from vecsearch.stores.sqlite.fulltext.term_blocks import PositionBlock, PostingBlock
from vecsearch.stores.sqlite.fulltext.term_rows import SegmentChunks, SegmentHead
from vecsearch.stores.sqlite.fulltext.term_segment import FORM_MARK, Ints, Mask
from vecsearch.text.analyzer import Analyzer, get_analyzer

_Block = TypeVar("_Block", PostingBlock, PositionBlock)
_READ: Final = "SELECT id, data FROM {table} WHERE id IN (SELECT value FROM json_each(?))"


class SegmentView(NamedTuple):
    """A segment, and the ordinal of its first chunk."""

    head: SegmentHead
    base: int
    chunks: SegmentChunks

    def find_block(self, term: str) -> int | None:
        """Return the id of the block that a term is in, if it is in any."""
        place = bisect_right(self.chunks.block_terms, term) - 1
        return self.head.first_block + place if place >= 0 else None

    def find_blocks_beginning(self, prefix: str) -> range:
        """Return the ids of the blocks that terms with this beginning are in, if there are any."""
        first = max(bisect_right(self.chunks.block_terms, prefix) - 1, 0)
        last = first + 1
        while last < len(self.chunks.block_terms) and self.chunks.block_terms[last].startswith(prefix):
            last += 1
        return range(self.head.first_block + first, self.head.first_block + min(last, len(self.chunks.block_terms)))


class BlockCache(Generic[_Block]):
    """Blocks that were read, the ones used last up to so many bytes. Safe to share between threads."""

    def __init__(self, table: str, parse: type[_Block], capacity: int = TERM_CACHE_BYTES) -> None:
        self._statement, self._capacity = _READ.format(table=table), capacity
        self._parse: type[_Block] = parse
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._bytes = 0
        self._lock = make_lock()

    def read(self, connection: AnyConnection, block_ids: Iterable[int]) -> dict[int, _Block]:
        """Return blocks by id, in one statement where some are to be read. Raises DatabaseCorruptedError."""
        wanted = set(block_ids)
        with self._lock:
            known = {key: self._blocks[key] for key in wanted if key in self._blocks}
            for key in known:
                self._blocks.move_to_end(key)
        missing = sorted(wanted - known.keys())
        if missing:
            rows = get_driver(connection).execute(self._statement, (json.dumps(missing),))
            fresh = {key: self._parse(term_rows.verify_checksum(data)) for key, data in rows}
            if len(fresh) != len(missing):
                raise term_rows.make_damage_error()
            self._keep(fresh)
            known |= fresh
        return known

    def _keep(self, blocks: Mapping[int, _Block]) -> None:
        with self._lock:
            for key, block in blocks.items():
                if key not in self._blocks:
                    self._blocks[key] = block
                    self._bytes += block.size
            while self._bytes > self._capacity:
                self._bytes -= self._blocks.popitem(last=False)[1].size


class TermBlocks:
    """The blocks of a collection that were read."""

    def __init__(self) -> None:
        self.postings = BlockCache("term_blocks", PostingBlock)
        self.positions = BlockCache("position_blocks", PositionBlock)


class SelectedRows(NamedTuple):
    """Chunks that may be found: their ids and ordinals, both ascending, and a mask of all chunks with these set."""

    chunk_ids: Ids
    ordinals: Ints
    mask: Mask


class TermView:
    """All chunks that are indexed at one version of a collection.

    `ids` ascend, shape (rows,); `dead` marks the deleted ones, None where there are none, `count` is that of the others.
    `analyzer` made the terms.
    """

    def __init__(
        self, version: tuple[int, ...], segments: Sequence[SegmentView], tombstones: Ids, blocks: TermBlocks, analyzer: Analyzer
    ) -> None:
        self.version, self.segments, self.blocks, self.analyzer = version, segments, blocks, analyzer
        self.ids = np.concatenate([NO_IDS, *(segment.chunks.ids for segment in segments)])
        lengths = np.concatenate([np.empty(0, np.uint16), *(segment.chunks.lengths for segment in segments)])
        self.dead: Mask | None = None
        if len(tombstones):
            self.dead = np.zeros(len(self.ids), bool)
            places, known = find_positions(self.ids, tombstones)
            self.dead[places[known]] = True
        self.count = len(self.ids) - (0 if self.dead is None else int(np.count_nonzero(self.dead)))
        total = int(lengths.sum() if self.dead is None else lengths[~self.dead].sum())
        average = total / self.count if self.count else 1.0
        longest = int(lengths.max(initial=0))
        self._lengths = lengths  # small numbers, so that they stay in the processor's cache
        self._norms = BM25_K1 * (1 - BM25_B + BM25_B * np.arange(longest + 1) / (average or 1.0))
        self._selected: SelectedRows | None = None
        self.least_length_norm = float(self._norms[lengths.min(initial=longest)])

    def list_ids(self) -> Ids:
        """Return the ids of all chunks that are there, ascending."""
        return self.ids if self.dead is None else self.ids[~self.dead]

    def get_length_norms(self, ordinals: Ints) -> Scores:
        """Return BM25's k1 × (1 - b + b × length / average length) of chunks."""
        norms: Scores = self._norms[self._lengths[ordinals]]
        return norms

    def find_ordinals(self, chunk_ids: Ids) -> Ints:
        """Return the ordinals of chunks by their ids, ascending as they do, without those that are not indexed."""
        places, known = find_positions(self.ids, chunk_ids)
        ordinals: Ints = places[known]
        return ordinals if self.dead is None else ordinals[~self.dead[ordinals]]

    def select(self, chunk_ids: Ids) -> SelectedRows:
        """Return the rows of these chunks, which ascend; those of the array that was given last are remembered."""
        selected = self._selected
        if selected is None or selected.chunk_ids is not chunk_ids:
            ordinals, mask = self.find_ordinals(chunk_ids), np.zeros(len(self.ids), bool)
            mask[ordinals] = True
            selected = self._selected = SelectedRows(chunk_ids, ordinals, mask)
        return selected


class TermViewCache:
    """The newest view that this process made of a collection. Safe to share between threads."""

    def __init__(self) -> None:
        self._view: TermView | None = None
        self._lock = make_lock()

    def get(self, connection: AnyConnection, state: CollectionState) -> TermView:
        """Return the view of the snapshot that the connection reads."""
        version = (state.id, state.restored_version, state.data_version)
        view = self._view
        if view is not None and view.version == version:
            return view
        with self._lock:
            loaded = self._load(connection, state, version)
            if self._view is None or version >= self._view.version:
                self._view = loaded
            return loaded

    def _load(self, connection: AnyConnection, state: CollectionState, version: tuple[int, ...]) -> TermView:
        """Read what is not known from an earlier view of the same collection."""
        known: dict[int, SegmentView] = {}
        blocks = TermBlocks()
        if self._view is not None and self._view.version[:2] == version[:2]:  # else ids may mean something else
            known, blocks = {segment.head.id: segment for segment in self._view.segments}, self._view.blocks
        segments, base = [], 0
        for head in term_rows.list_heads(connection, state.id):
            segment = known.get(head.id)
            if segment is None:
                segment = SegmentView(head, base, term_rows.load_chunks(connection, head))
            elif segment.base != base:
                segment = SegmentView(head, base, segment.chunks)
            segments.append(segment)
            base += head.rows
        tombstones = term_rows.load_tombstones(connection, state.id)
        return TermView(version, segments, tombstones, blocks, get_analyzer(state.stemmer))


class TermPlace(NamedTuple):
    """Where a term's postings of one segment are: the block, and the index of the term there."""

    segment: SegmentView
    block_id: int
    block: PostingBlock
    term_index: int


class TermLookup:
    """Finds terms for one question: what it needs is read at once, before the first is asked for."""

    def __init__(self, connection: AnyConnection, view: TermView, terms: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        self._connection, self.view = connection, view
        self._block_ids = {term: [segment.find_block(term) for segment in view.segments] for term in terms}
        wanted = {block for blocks in self._block_ids.values() for block in blocks if block is not None}
        for prefix in prefixes:
            wanted.update(*(segment.find_blocks_beginning(prefix) for segment in view.segments))
        self._blocks = view.blocks.postings.read(connection, wanted)

    def find(self, term: str) -> list[TermPlace]:
        """Return where one of the terms is, segment after segment."""
        pairs = zip(self.view.segments, self._block_ids[term], strict=True)
        return [place for segment, block_id in pairs if (place := self._find_in(segment, block_id, term)) is not None]

    def _find_in(self, segment: SegmentView, block_id: int | None, term: str) -> TermPlace | None:
        if block_id is None or (index := self._blocks[block_id].find(term)) is None:
            return None
        return TermPlace(segment, block_id, self._blocks[block_id], index)

    def count(self, places: Sequence[TermPlace]) -> int:
        """Return how many living chunks have a term."""
        dead = self.view.dead
        if dead is None:
            return sum(place.block.count(place.term_index) for place in places)
        return sum(int(np.count_nonzero(~dead[self._get_ordinals(place)])) for place in places)

    def load(self, places: Sequence[TermPlace]) -> tuple[Ints, Scores]:
        """Return the ordinals of the living chunks that have a term, ascending, and how often each has it.

        As the sums need them: whole numbers would be made floating ones at every turn.
        """
        parts = [place.block.get_ordinals(range(place.term_index, place.term_index + 1)) for place in places]
        total = sum(map(len, parts))
        ordinals, frequencies, end = np.empty(total, np.int64), np.ones(total), 0
        for place, part in zip(places, parts, strict=True):
            begin, end = end, end + len(part)
            np.add(part, np.int64(place.segment.base), out=ordinals[begin:end])
            indexes, repeated = place.block.get_repeats(place.term_index)
            if len(indexes):
                frequencies[begin:end][indexes] = repeated
        return self._drop_dead(ordinals, frequencies)

    def load_beginning(self, prefix: str) -> Ints:
        """Return the ordinals of the living chunks that have a term with this beginning, ascending."""
        mask = np.zeros(len(self.view.ids), bool)
        for segment in self.view.segments:
            for block_id in segment.find_blocks_beginning(prefix):
                block = self._blocks[block_id]
                mask[block.get_ordinals(block.find_beginning(prefix)).astype(np.int64) + segment.base] = True
        if self.view.dead is not None:
            mask &= ~self.view.dead
        return np.flatnonzero(mask)

    def load_phrase(self, terms: Sequence[str], prefix: str | None = None) -> tuple[Ints, Scores]:
        """Return the living chunks (ordinals, ascending) where terms follow each other, and how often they do in each.

        After them comes a term with the beginning `prefix`, where that is given: see `_keep_followed`.
        """
        found = [{place.segment.base: place for place in self.find(term)} for term in terms]
        bases = sorted(set.intersection(*(set(places) for places in found)))
        positions = self._read_positions(places[base] for places in found for base in bases)
        parts = []
        for base in bases:
            begins = _match_phrase([places[base] for places in found], positions)
            if prefix is not None:
                begins = self._keep_followed(begins, found[0][base].segment, prefix, len(terms))
            parts.append((begins >> 32) + np.int64(base))
        ordinals, counts = np.unique(np.concatenate([np.empty(0, np.int64), *parts]), return_counts=True)
        return self._drop_dead(ordinals, counts.astype(np.float64))

    def _keep_followed(self, begins: Ints, segment: SegmentView, prefix: str, offset: int) -> Ints:
        """Return the beginnings of a phrase (see `_match_phrase`) with such a term `offset` positions later.

        Forms have no positions: where a chunk has a form with this beginning, the form's stem stands for it.
        """
        endings: dict[str, list[tuple[PostingBlock, int]]] = {}
        for block, index in self._find_terms_beginning(segment, prefix, begins >> 32):
            term = block.terms[index]
            ending = self.view.analyzer.find_stem(term.removeprefix(FORM_MARK)) if term.startswith(FORM_MARK) else term
            endings.setdefault(ending, []).append((block, index))
        block_ids = {ending: block_id for ending in endings if (block_id := segment.find_block(ending)) is not None}
        self._blocks |= self.view.blocks.postings.read(self._connection, block_ids.values())
        found = ((ending, self._find_in(segment, block_id, ending)) for ending, block_id in block_ids.items())
        places = {ending: place for ending, place in found if place is not None}
        positions = self._read_positions(places.values())
        keys = [_load_keys(place, positions) - offset for place in places.values()]
        owners = np.repeat(np.arange(len(keys)), list(map(len, keys)))
        followed = np.concatenate([NO_IDS, *keys])
        known = find_positions(begins, followed)[1]
        owners, followed = owners[known], followed[known]
        starts = np.searchsorted(owners, np.arange(len(keys) + 1)).tolist()
        parts = [NO_IDS]
        for ending, start, end in zip(places, starts[:-1], starts[1:], strict=True):
            if end > start:
                ordinals = np.concatenate([block.get_ordinals(range(index, index + 1)) for block, index in endings[ending]])
                part = followed[start:end]
                parts.append(part[np.isin(part >> 32, ordinals)])
        return np.unique(np.concatenate(parts))

    def _find_terms_beginning(self, segment: SegmentView, prefix: str, within: Ints) -> Iterator[tuple[PostingBlock, int]]:
        """Yield the terms of a segment with this beginning that some of these chunks have: the block, and the index there."""
        for block_id in segment.find_blocks_beginning(prefix):
            block = self._blocks[block_id]
            terms = block.find_beginning(prefix)
            owners = np.repeat(np.arange(terms.start, terms.stop), [block.count(index) for index in terms])
            for index in np.unique(owners[np.isin(block.get_ordinals(terms), within)]).tolist():
                yield block, index

    def _read_positions(self, places: Iterable[TermPlace]) -> dict[int, PositionBlock]:
        return self.view.blocks.positions.read(self._connection, {place.block_id for place in places})

    def _get_ordinals(self, place: TermPlace) -> Ints:
        return place.block.get_ordinals(range(place.term_index, place.term_index + 1)).astype(np.int64) + place.segment.base

    def _drop_dead(self, ordinals: Ints, frequencies: Scores) -> tuple[Ints, Scores]:
        if self.view.dead is None:
            return ordinals, frequencies
        alive = ~self.view.dead[ordinals]
        return ordinals[alive], frequencies[alive]


def _match_phrase(places: Sequence[TermPlace], positions: Mapping[int, PositionBlock]) -> Ints:
    """Return where terms follow each other in one segment: chunk << 32 | position of the first term, ascending."""
    begins: Ints | None = None
    for offset, place in sorted(enumerate(places), key=lambda pair: pair[1].block.count(pair[1].term_index)):
        keys = _load_keys(place, positions) - offset
        begins = keys if begins is None else begins[find_positions(keys, begins)[1]]
        if not len(begins):
            break
    assert begins is not None
    return begins


def _load_keys(place: TermPlace, positions: Mapping[int, PositionBlock]) -> Ints:
    """Return where a term stands: chunk << 32 | position, ascending."""
    postings = place.block.load(place.term_index)
    owners = np.repeat(postings.ordinals, postings.frequencies)
    return (owners << 32) + positions[place.block_id].load(*place.block.find_positions(place.term_index))
