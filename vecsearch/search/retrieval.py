"""Query → ranking: dense and lexical candidates, fused, those too far away left out, the best told apart by their spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.conditions import Condition
from vecsearch.core.settings import FUSION_DEPTH, LOOKED_AT, SAID_ENOUGH, SPELLING_SHARE
from vecsearch.core.types import ChunkId, Fusion, Mode, Scored
from vecsearch.persistence.matching import Matches
from vecsearch.persistence.reader import Snapshot
from vecsearch.search.fusion import FUSIONS, Candidates, dense_weight, ranked

Vector: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `vector` is a unit vector, needed unless the mode is lexical; `text` unless it is dense.

    `least` is the similarity below which a chunk is no answer; with `or_said`, one that says half of the question is. Chunks in
    `excluded` are not found.
    """

    text: str | None
    vector: Vector | None
    mode: Mode
    condition: Condition | None = None
    least: float | None = None
    or_said: bool = False
    fusion: Fusion = Fusion.BOUNDED
    excluded: Ids = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunks best first, and what each side says: cosines of all but in lexical mode, BM25 of all that hold a word.

    `dense` and `lexical` are the ids that each side has found, in its order; `spelled` and `again` the best as their trigrams
    and the second look have them. `complete`: there is no further chunk to be had.
    """

    ranked: tuple[Scored, ...]
    similarities: Mapping[ChunkId, float]
    bm25: Mapping[ChunkId, float]
    dense: tuple[ChunkId, ...]
    lexical: tuple[ChunkId, ...]
    complete: bool
    spelled: tuple[Scored, ...] = ()
    again: tuple[Scored, ...] = ()

    def looked_at(self) -> tuple[Scored, ...]:
        """The best, which are read again."""
        return self.ranked[:LOOKED_AT]

    def reordered(self, scores: NDArray[np.float64]) -> Ranking:
        """With new scores of those looked at, ties going to the lower id; the others follow, moved below the lowest of them."""
        looked, rest = self.looked_at(), self.ranked[LOOKED_AT:]
        best = ranked(np.array([each.chunk_id for each in looked], np.int64), scores)
        shift = best[-1].score - rest[0].score if rest else 0.0
        return replace(self, ranked=(*best, *(Scored(each.chunk_id, each.score + shift) for each in rest)))


def retrieve(snapshot: Snapshot, query: Query, *, allowed: Ids | None, depth: int) -> Ranking:
    """The first `depth` chunks, or all there are."""
    match query.mode:
        case Mode.LEXICAL:
            return _lexical(snapshot, query, allowed, depth)
        case Mode.DENSE:
            return _dense(snapshot, query, allowed, depth)
        case Mode.HYBRID:
            return _hybrid(snapshot, query, allowed, depth)
        case _:
            assert_never(query.mode)


def _lexical(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> Ranking:
    found = _said(snapshot, query, allowed, depth)
    bm25 = {each.chunk_id: each.score for each in found.ranked}
    return Ranking(found.ranked, {}, bm25, (), tuple(bm25), len(found.ranked) < depth)


def _dense(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> Ranking:
    near = _near(snapshot, query, allowed, depth)
    similarities = {each.chunk_id: each.score for each in near}
    kept = tuple(each for each in near if query.least is None or each.score >= query.least)
    return Ranking(kept, similarities, {}, tuple(similarities), (), len(near) < depth or len(kept) < len(near))


def _hybrid(snapshot: Snapshot, query: Query, allowed: Ids | None, wanted: int) -> Ranking:
    """Both sides look deeper until no chunk that neither has shown could still come in."""
    wanted = max(wanted, LOOKED_AT)
    depth = max(wanted, FUSION_DEPTH)
    while True:
        near = _near(snapshot, query, allowed, depth)
        similarities = {each.chunk_id: each.score for each in near}
        said = _said(snapshot, query, allowed, depth, also=np.fromiter(similarities, np.int64))
        similarities |= _missing(snapshot, _vector(query), said.ranked, similarities)
        bm25 = {each.chunk_id: each.score for each in (*said.ranked, *said.besides)}
        candidates = _candidates(near, said, similarities, bm25)
        fused = ranked(candidates.ids, FUSIONS[query.fusion](candidates))
        kept = tuple(each for each in fused if _counts(query, similarities, bm25, said.most, each.chunk_id))
        dense, lexical = (tuple(each.chunk_id for each in side) for side in (near, said.ranked))
        ranking = Ranking(kept, similarities, bm25, dense, lexical, complete=len(near) < depth)
        if query.fusion is not Fusion.BOUNDED:
            return ranking
        unsaid = said.ranked[-1].score / said.most if len(said.ranked) >= depth else 0.0
        if ranking.complete or _is_out_of_reach(query, near[-1].score, unsaid):
            return _spelled(snapshot, query, replace(ranking, complete=True), said.most)
        # the best that an unseen chunk could get is too little: the stopping rule of Fagin's threshold algorithm
        if len(kept) >= wanted and kept[wanted - 1].score > near[-1].score * dense_weight(said.named) + unsaid:
            return _spelled(snapshot, query, replace(ranking, ranked=kept[:wanted]), said.most)
        depth *= 4


def _spelled(snapshot: Snapshot, query: Query, ranking: Ranking, most: float) -> Ranking:
    """The best with a share of their words' weight given to the trigrams of these: a third signal in `fusion.bounded`."""
    looked = ranking.looked_at()
    if not looked:
        return ranking
    assert query.text is not None
    ids = [each.chunk_id for each in looked]
    spelled = snapshot.spelled(query.text, ids)
    words = np.array([ranking.bm25.get(chunk, 0.0) for chunk in ids]) / (most or 1.0)
    fused = np.array([each.score for each in looked])
    spelling = tuple(ranked(np.array(ids, np.int64), spelled))
    return replace(ranking.reordered(fused + SPELLING_SHARE * (spelled - words)), spelled=spelling)


def _candidates(
    near: Sequence[Scored], said: Matches, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float]
) -> Candidates:
    ids = np.array(sorted(similarities), np.int64)
    return Candidates(
        ids=ids,
        cosine=np.array([similarities[int(each)] for each in ids]),
        bm25=np.array([bm25.get(int(each), 0.0) for each in ids]),
        near=np.isin(ids, [each.chunk_id for each in near]),
        said=np.isin(ids, [each.chunk_id for each in said.ranked]),
        most=said.most,
        named=said.named,
    )


def _is_out_of_reach(query: Query, nearest: float, unsaid: float) -> bool:
    """Whether no chunk counts that is no nearer than this, and says no more."""
    return query.least is not None and nearest < query.least and (unsaid < SAID_ENOUGH or not query.or_said)


def _counts(
    query: Query, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float], most: float, chunk: ChunkId
) -> bool:
    if query.least is None or similarities[chunk] >= query.least:
        return True
    return query.or_said and bm25.get(chunk, 0.0) >= SAID_ENOUGH * most > 0


def _near(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> list[Scored]:
    return snapshot.view.nearest(_vector(query), depth, allowed=allowed, excluded=query.excluded)


def _said(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int, *, also: Ids | None = None) -> Matches:
    assert query.text is not None
    return snapshot.lexical(query.text, limit=depth, allowed=allowed, also=also)


def _missing(
    snapshot: Snapshot, vector: Vector, lexical: Sequence[Scored], known: Mapping[ChunkId, float]
) -> dict[ChunkId, float]:
    """The cosines of chunks that only the words found."""
    unknown = np.array(sorted(each.chunk_id for each in lexical if each.chunk_id not in known), np.int64)
    return snapshot.view.similarities(vector, unknown) if len(unknown) else {}


def _vector(query: Query) -> Vector:
    assert query.vector is not None
    return query.vector
