"""Ranking → the picks of an answer: near-duplicates and further chunks of a document stand behind their best, or for variety."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vecsearch.core.settings import ALIKE_SHARE, MMR_POOL, MMR_POOL_MIN
from vecsearch.core.types import ChunkId, Scored
from vecsearch.persistence.reader import Snapshot


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the picks are made. `mmr` in [0, 1] weighs nearness to the query against variety, 1 being nearness alone."""

    limit: int
    by_document: bool = False
    collapse: bool = False
    mmr: float | None = None

    @property
    def pool(self) -> int:
        """How many picks there must be to choose from."""
        return self.limit if self.mmr is None else max(MMR_POOL * self.limit, MMR_POOL_MIN)


@dataclass(slots=True)
class Pick:
    """A chunk of the answer, and how many further ones it stands for."""

    scored: Scored
    more: int = 0


@dataclass(slots=True)
class _Shelf:
    """The picks so far, by what makes another chunk fall behind one of them."""

    picks: list[Pick] = field(default_factory=list)
    of_document: dict[int, Pick] = field(default_factory=dict)
    words: list[tuple[frozenset[str], Pick]] = field(default_factory=list)


def arrange(snapshot: Snapshot, ranked: Sequence[Scored], how: Arrangement) -> list[Pick]:
    """At most `how.limit` picks, fewer where the ranking gives no more."""
    picks = _stacked(snapshot, ranked, how)
    return picks if how.mmr is None else _varied(snapshot, picks, how.limit, how.mmr)


def _stacked(snapshot: Snapshot, ranked: Sequence[Scored], how: Arrangement) -> list[Pick]:
    """Best first; a chunk that falls behind an earlier pick is counted there, down to the last pick's rank."""
    ids = [each.chunk_id for each in ranked]
    documents = snapshot.documents_of(ids) if how.by_document else {}
    stems = _stems(snapshot, ids) if how.collapse else None
    shelf = _Shelf()
    for each in ranked:
        if len(shelf.picks) == how.pool:
            break
        words = next(stems) if stems is not None else None
        before = _before(shelf, documents.get(each.chunk_id), words)
        if before is not None:
            before.more += 1
            continue
        pick = Pick(each)
        shelf.picks.append(pick)
        if how.by_document:
            shelf.of_document[documents[each.chunk_id]] = pick
        if words is not None:
            shelf.words.append((words, pick))
    return shelf.picks


def _before(shelf: _Shelf, document: int | None, words: frozenset[str] | None) -> Pick | None:
    if document is not None and document in shelf.of_document:
        return shelf.of_document[document]
    if words is None:
        return None
    return next((pick for there, pick in shelf.words if alike(there, words)), None)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two texts, as sets of stems, are word forms of each other or near-duplicates.

    Jaccard's index of at least ALIKE_SHARE, so that short texts must have the same stems; two texts without a word are not alike.
    """
    together = len(one & other)
    return together > 0 and together >= ALIKE_SHARE * (len(one) + len(other) - together)


def _stems(snapshot: Snapshot, ids: Sequence[ChunkId]) -> Iterator[frozenset[str]]:
    """Of each chunk in turn, a few at a time: most answers need the first only."""
    for start in range(0, len(ids), 50):
        some = ids[start : start + 50]
        found = snapshot.stems(some)
        yield from found


def _varied(snapshot: Snapshot, picks: Sequence[Pick], limit: int, trade: float) -> list[Pick]:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): nearness to the query less likeness to what is picked.

    Nearness is the score over the best one's, likeness the cosine; ties go to the better rank.
    """
    if not picks:
        return []
    rows = snapshot.rows([pick.scored.chunk_id for pick in picks])
    best = picks[0].scored.score
    relevance = np.array([pick.scored.score / best if best > 0 else 0.0 for pick in picks])
    chosen, likeness = [0], np.full(len(picks), -1.0)
    while len(chosen) < min(limit, len(picks)):
        likeness = np.maximum(likeness, rows @ rows[chosen[-1]])
        value = trade * relevance - (1 - trade) * likeness
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
    return [picks[at] for at in chosen]
