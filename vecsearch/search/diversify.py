"""Ranking → the picks of an answer: near-duplicates and further chunks of a document stand behind their best, or for variety."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vecsearch.core.settings import MMR_POOL_FACTOR, MMR_POOL_MIN, NEAR_DUPLICATE_JACCARD
from vecsearch.core.types import ChunkId, ScoredChunk
from vecsearch.stores.base import ScoredChunks, Snapshot
from vecsearch.text.analyzer import get_analyzer


@dataclass(frozen=True, slots=True)
class DiversityOptions:
    """How the picks are made. `mmr` in [0, 1] weighs nearness to the query against variety, 1 being nearness alone."""

    limit: int
    group_by_document: bool = False
    dedupe: bool = False
    mmr: float | None = None

    @property
    def pool_size(self) -> int:
        """Return how many picks there must be to choose from."""
        return self.limit if self.mmr is None else max(MMR_POOL_FACTOR * self.limit, MMR_POOL_MIN)


@dataclass(slots=True)
class SelectedHit:
    """A chunk of the answer, and how many further ones it stands for."""

    scored: ScoredChunk
    group_size: int = 0


@dataclass(slots=True)
class _Groups:
    """The picks so far, by what makes another chunk fall behind one of them."""

    selected: list[SelectedHit] = field(default_factory=list)
    by_document: dict[int, SelectedHit] = field(default_factory=dict)
    stems: list[tuple[frozenset[str], SelectedHit]] = field(default_factory=list)


def diversify(snapshot: Snapshot, ranked: ScoredChunks, options: DiversityOptions) -> list[SelectedHit]:
    """Return at most `options.limit` picks, fewer where the ranking gives no more."""
    picks = _group(snapshot, ranked, options)
    return picks if options.mmr is None else _select_by_mmr(snapshot, picks, options.limit, options.mmr)


def _group(snapshot: Snapshot, ranked: ScoredChunks, options: DiversityOptions) -> list[SelectedHit]:
    """Return the picks, best first; a chunk that falls behind an earlier pick is counted there, down to the last pick's rank."""
    if not options.group_by_document and not options.dedupe:
        return [SelectedHit(scored) for scored in ranked[: options.pool_size]]
    ids = ranked.ids.tolist()
    documents = snapshot.find_document_rows(ids) if options.group_by_document else {}
    stems = _iterate_stems(snapshot, ids) if options.dedupe else None
    shelf = _Groups()
    for scored in ranked:
        if len(shelf.selected) == options.pool_size:
            break
        words = next(stems) if stems is not None else None
        before = _find_group(shelf, documents.get(scored.chunk_id), words)
        if before is not None:
            before.group_size += 1
            continue
        pick = SelectedHit(scored)
        shelf.selected.append(pick)
        if options.group_by_document:
            shelf.by_document[documents[scored.chunk_id]] = pick
        if words is not None:
            shelf.stems.append((words, pick))
    return shelf.selected


def _find_group(groups: _Groups, document: int | None, stems: frozenset[str] | None) -> SelectedHit | None:
    if document is not None and document in groups.by_document:
        return groups.by_document[document]
    if stems is None:
        return None
    return next((pick for known_stems, pick in groups.stems if is_near_duplicate(known_stems, stems)), None)


def is_near_duplicate(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two texts, as sets of stems, are word forms of each other or near-duplicates.

    Jaccard's index of at least NEAR_DUPLICATE_JACCARD, so that short texts must have the same stems; two texts without a word are
    not alike.
    """
    together = len(one & other)
    return together > 0 and together >= NEAR_DUPLICATE_JACCARD * (len(one) + len(other) - together)


def _iterate_stems(snapshot: Snapshot, ids: Sequence[ChunkId]) -> Iterator[frozenset[str]]:
    """Yield the stems of each chunk in turn, read a few at a time: most answers need the first only."""
    for start in range(0, len(ids), 50):
        batch = ids[start : start + 50]
        yield from _read_stems(snapshot, batch)


def _read_stems(snapshot: Snapshot, ids: Sequence[ChunkId]) -> list[frozenset[str]]:
    """Return the stems of each chunk's text, of its title where it has no text."""
    analyzer = get_analyzer(snapshot.info.stemmer)
    texts = (chunk.text.strip() or chunk.title or "" for chunk in snapshot.load_chunk_texts(ids))
    return [frozenset(analyzer.analyze(text).terms) for text in texts]


def _select_by_mmr(
    snapshot: Snapshot, candidates: Sequence[SelectedHit], limit: int, relevance_weight: float
) -> list[SelectedHit]:
    """Select by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): similarity to the query less that to the picks.

    Nearness is the score over the best one's, likeness the cosine; ties go to the better rank.
    """
    if not candidates:
        return []
    rows = snapshot.load_vectors([pick.scored.chunk_id for pick in candidates])
    best = candidates[0].scored.score
    relevance = np.array([pick.scored.score / best if best > 0 else 0.0 for pick in candidates])
    chosen, likeness = [0], np.full(len(candidates), -1.0)
    while len(chosen) < min(limit, len(candidates)):
        likeness = np.maximum(likeness, rows @ rows[chosen[-1]])
        value = relevance_weight * relevance - (1 - relevance_weight) * likeness
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
    return [candidates[at] for at in chosen]
