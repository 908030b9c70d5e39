"""In which meanings a collection uses a word: its passages in groups, each with its most typical ones.

Each passage is the word's vector in it and its own, half and half, both less the mean of all: what all share tells none from
another. Groups are joined, the two nearest first, while the mean cosine between them is above 0 (average linkage: Sokal and
Michener, 1958), and then as long as they are hardly less alike than each is in itself. So their number comes from the passages.
Of a passage its first use of the word counts: it seldom has two meanings in one discourse (Gale, Church and Yarowsky, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import Hit
from vecsearch.core.senses import Sense, SenseGroup
from vecsearch.core.settings import SENSE_GAP, SENSE_PASSAGES_MAX, WORD_CHUNKS_MAX
from vecsearch.core.types import Span
from vecsearch.encoders.base import TokenEncoder
from vecsearch.encoders.unit_vectors import scale_rows
from vecsearch.search.sense_choice import read_uses, score_senses
from vecsearch.search.word_sense import find_occurrences
from vecsearch.stores.base import Ids, ScoredChunks, Snapshot
from vecsearch.text.sought_word import SoughtWord

Rows = NDArray[np.float32]
Numbers = NDArray[np.float64]

_TYPICAL = 2  # passages that are shown of a group


@dataclass(frozen=True, slots=True)
class UsedWord:
    """Passages that use a word, in groups, the largest first: `members` are places in `ids`, the most typical first."""

    passages: int
    ids: Ids
    places: Sequence[Span]
    members: Sequence[Sequence[int]]
    typicality: Numbers


def group_uses(snapshot: Snapshot, word: SoughtWord, encoder: TokenEncoder) -> UsedWord:
    """Group the passages with a word; of more than SENSE_PASSAGES_MAX those are read that are spread evenly."""
    found = np.sort(snapshot.match(word.clauses, WORD_CHUNKS_MAX).ranked.ids)
    chosen = found[np.unique(np.linspace(0, len(found) - 1, min(len(found), SENSE_PASSAGES_MAX)).round().astype(int))]
    texts = [chunk.text for chunk in snapshot.load_chunk_texts(chosen.tolist())]
    uses = [(n, occurrences[0]) for n, occurrences in enumerate(find_occurrences(encoder, word, texts)) if occurrences]
    ids = chosen[[n for n, _ in uses]]
    if not len(ids):
        return UsedWord(len(found), ids, (), (), np.empty(0))
    words = np.stack([use.vector for _, use in uses])
    passages = snapshot.load_vectors(ids.tolist())
    likeness = (words @ words.T + passages @ passages.T).astype(np.float64) / 2
    rows = scale_rows(np.hstack([_subtract_mean(words), _subtract_mean(passages)]))
    groups = _join_alike(_join_nearest((rows @ rows.T).astype(np.float64)), likeness)
    typicality = np.zeros(len(ids))
    for group in groups:
        typicality[group] = rows[group] @ scale_rows(rows[group].mean(axis=0))
    groups.sort(key=lambda group: (-len(group), min(group)))
    ordered = [sorted(group, key=lambda n: (-typicality[n], n)) for group in groups]
    return UsedWord(len(found), ids, [use.span for _, use in uses], ordered, typicality)


def load_typical_hits(snapshot: Snapshot, used: UsedWord, members: Sequence[int]) -> tuple[Hit, ...]:
    """Load the most typical passages of a group."""
    shown = list(members[:_TYPICAL])
    hits = snapshot.load_hits(ScoredChunks(used.ids[shown], used.typicality[shown]), None)
    places = [used.places[n] for n in shown]
    return tuple(
        replace(hit, word=Span(hit.start + place.start, hit.start + place.end)) for hit, place in zip(hits, places, strict=True)
    )


def define_groups(
    groups: Sequence[SenseGroup], texts: Sequence[Sequence[str]], word: SoughtWord, senses: Sequence[Sense], encoder: TokenEncoder
) -> list[SenseGroup]:
    """Give each group the meaning that fits its typical texts best, in the mean; none where the word has no meaning."""
    if not senses:
        return list(groups)
    uses = read_uses(encoder, word, [text for of_group in texts for text in of_group])
    scores = score_senses(encoder, word.written, senses, uses)
    defined, at = [], 0
    for group, of_group in zip(groups, texts, strict=True):
        best = int(scores[at : at + len(of_group)].mean(axis=0).argmax())
        defined.append(replace(group, sense=senses[best]))
        at += len(of_group)
    return defined


def _subtract_mean(rows: Rows) -> Rows:
    return scale_rows(rows - rows.mean(axis=0))


def _join_nearest(cosines: Numbers) -> list[list[int]]:
    """Join the two groups of the highest mean cosine, again and again, while that is above 0; each row is a group at first."""
    groups = [[n] for n in range(len(cosines))]
    sums = cosines.copy()  # of the cosines between the members of two groups
    np.fill_diagonal(sums, -np.inf)
    sizes = np.ones(len(cosines))
    while len(groups) > 1:
        means = sums / np.outer(sizes, sizes)
        one, other = sorted(np.unravel_index(int(means.argmax()), means.shape))
        if means[one, other] <= 0:
            break
        groups[one] += groups.pop(other)
        sums[one] += sums[other]
        sums[:, one] += sums[:, other]
        sizes[one] += sizes[other]
        sums = np.delete(np.delete(sums, other, axis=0), other, axis=1)
        sizes = np.delete(sizes, other)
        np.fill_diagonal(sums, -np.inf)
    return groups


def _join_alike(groups: list[list[int]], likeness: Numbers) -> list[list[int]]:
    """Join the two groups that differ least, while the members of one are nearer to each other than to the other's by less than
    SENSE_GAP: a cosine of vectors as they are, from which nothing was taken."""
    groups = [list(group) for group in groups]
    while len(groups) > 1:
        gaps = {
            (one, other): _compute_gap(groups[one], groups[other], likeness)
            for other in range(len(groups))
            for one in range(other)
        }
        (one, other), gap = min(gaps.items(), key=lambda pair: pair[1])
        if gap >= SENSE_GAP:
            break
        groups[one] += groups.pop(other)
    return groups


def _compute_gap(one: Sequence[int], other: Sequence[int], likeness: Numbers) -> float:
    """Return the mean likeness within two groups, each pair of members counting once, less that between them."""
    inside = pairs = 0.0
    for group in (one, other):
        block = likeness[np.ix_(group, group)]
        inside += float(block.sum() - np.trace(block))
        pairs += len(group) * (len(group) - 1)
    return (inside / pairs if pairs else 1.0) - float(likeness[np.ix_(one, other)].mean())
