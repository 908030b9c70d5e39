"""Which chunks hold the terms of a query, and how far that tells them from the others.

The score is Robertson's BM25 with k1 = 1.2, b = 0.75 and Lucene's idf, ln(1 + (N - n + ½) / (n + ½)), which is positive for every
term: the sum over the query's clauses of weight × idf × tf × (k1 + 1) / (tf + k1 × (1 - b + b × length / average length)). A form
or a beginning counts its idf wherever it stands. N, n and the average length are those of the chunks that are there, exactly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.settings import QUERY_TERMS_COUNTED_MAX, QUERY_TERMS_MAX, UNSEEN_TERM_WEIGHT
from vecsearch.core.types import ScoredChunk
from vecsearch.stores.base import Ids, LexicalHits
from vecsearch.stores.sqlite.engine.connections import AnyConnection
from vecsearch.stores.sqlite.fulltext.term_segment import FORM_MARK, Ints, Mask
from vecsearch.stores.sqlite.fulltext.term_view import TermLookup, TermPlace, TermView
from vecsearch.stores.sqlite.sorted_ids import find_positions
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, QueryClause

Scores: TypeAlias = NDArray[np.float64]

_RANKED: Final = frozenset({ClauseKind.WORD, ClauseKind.PHRASE})  # those whose frequency counts
_K1: Final = 1.2
_B: Final = 0.75
_LONG_LIST: Final = 1_000  # postings from which on a look at the best so far may save work
_SLACK: Final = 1e-9  # of a score, for what rounding may take
_SCRATCH: Final = threading.local()


@dataclass(frozen=True, slots=True)
class _ClauseMatch:
    """What a clause finds: the chunks (ordinals, ascending), its score in each, and the most that it can score."""

    ordinals: Ints
    scores: Scores
    bound: float


def search_bm25(
    connection: AnyConnection,
    view: TermView,
    query: LexicalQuery,
    *,
    limit: int,
    allowed: Ids | None = None,
    extra_ids: Ids | None = None,
) -> LexicalHits:
    """Return up to `limit` chunks that hold a term of the query, best first; ties go to the lower id.

    `allowed` are the chunk ids that may be found; those of `extra_ids` that hold a term are scored even where `limit` better ones
    are found. Both ascend.
    """
    clauses = query[:QUERY_TERMS_COUNTED_MAX]
    finder = _ClauseFinder(connection, view, clauses)
    counts = {clause: finder.count(clause) for clause in clauses}
    max_score = sum(
        _compute_max_score(clause, _idf(view.count, count)) * (1 if count else UNSEEN_TERM_WEIGHT)
        for clause, count in counts.items()
    )
    identifier_share = _compute_identifier_share(counts, view.count)
    rarest = sorted((clause for clause, count in counts.items() if count), key=counts.__getitem__)[:QUERY_TERMS_MAX]
    if not rarest:
        return LexicalHits((), max_score, identifier_share)
    matches = [finder.match(clause, _idf(view.count, counts[clause])) for clause in rarest]
    extra = np.empty(0, np.int64) if extra_ids is None else view.find_ordinals(np.sort(extra_ids))
    mask = None if allowed is None else _make_mask(view, allowed)
    ordinals, scores = _sum_scores(view, matches, limit, mask, extra if mask is None else extra[mask[extra]])
    best = _select_best(ordinals, scores, limit)
    others = np.isin(ordinals, extra, assume_unique=True) & ~np.isin(ordinals, ordinals[best], assume_unique=True)
    ranked = _make_scored(view, ordinals[best], scores[best])
    beyond = np.flatnonzero(others)[np.lexsort((ordinals[others], -scores[others]))]
    return LexicalHits(ranked, max_score, identifier_share, _make_scored(view, ordinals[beyond], scores[beyond]))


def compute_term_idfs(connection: AnyConnection, view: TermView, query: LexicalQuery) -> dict[str, float]:
    """Return the idf of each single word of a query, by its stem."""
    words = [clause for clause in query if clause.kind is ClauseKind.WORD][:QUERY_TERMS_COUNTED_MAX]
    finder = _ClauseFinder(connection, view, words)
    return {clause.text: _idf(view.count, finder.count(clause)) for clause in words}


class _ClauseFinder:
    """Finds what the clauses of one query look up."""

    def __init__(self, connection: AnyConnection, view: TermView, clauses: Sequence[QueryClause]) -> None:
        self._view = view
        terms = {term for clause in clauses for term in _list_terms(clause)}
        prefixes = [FORM_MARK + clause.text for clause in clauses if clause.kind is ClauseKind.PREFIX]
        self._lookup = TermLookup(connection, view, terms, prefixes)
        self._places: dict[QueryClause, list[TermPlace]] = {}
        self._found: dict[QueryClause, tuple[Ints, Ints]] = {}

    def count(self, clause: QueryClause) -> int:
        """Return how many chunks a clause finds."""
        if clause.kind in (ClauseKind.WORD, ClauseKind.FORM):
            (term,) = _list_terms(clause)
            self._places[clause] = self._lookup.find(term)
            return self._lookup.count(self._places[clause])
        if clause.kind is ClauseKind.PHRASE:
            self._found[clause] = self._lookup.load_phrase(clause.text.split(" "))
        else:
            ordinals = self._lookup.load_beginning(FORM_MARK + clause.text)
            self._found[clause] = ordinals, ordinals
        return len(self._found[clause][0])

    def match(self, clause: QueryClause, idf: float) -> _ClauseMatch:
        """Return the scores of a clause that was counted."""
        ordinals, frequencies = self._found.get(clause) or self._lookup.load(self._places[clause])
        weight = clause.weight * idf
        if clause.kind not in _RANKED:
            return _ClauseMatch(ordinals, np.full(len(ordinals), weight), weight)
        norms = _K1 * (1 - _B + _B * self._view.lengths[ordinals] / (self._view.average_length or 1.0))
        scores = weight * (_K1 + 1) * frequencies / (frequencies + norms)
        return _ClauseMatch(ordinals, scores, float(scores.max()))


def _list_terms(clause: QueryClause) -> list[str]:
    """Return the terms whose postings a clause needs."""
    match clause.kind:
        case ClauseKind.WORD:
            return [clause.text]
        case ClauseKind.PHRASE:
            return clause.text.split(" ")
        case ClauseKind.FORM:
            return [FORM_MARK + clause.text]
        case _:
            return []


def _sum_scores(
    view: TermView, matches: Sequence[_ClauseMatch], limit: int, mask: Mask | None, extra: Ints
) -> tuple[Ints, Scores]:
    """Return chunks (ordinals) with their scores: the best `limit`, those of `extra` that hold a term, and perhaps more.

    Clause after clause, those that can score most first. As soon as all that are left cannot bring a new chunk among the best,
    only the chunks that still can be are looked up (MaxScore: Turtle and Flood, "Query evaluation", 1995).
    """
    try:
        return _add_clauses(_get_scratch(len(view.ids)), matches, limit, mask, extra)
    except BaseException:
        _SCRATCH.totals = None  # it may hold what nobody will take out
        raise


def _add_clauses(
    total: Scores, matches: Sequence[_ClauseMatch], limit: int, mask: Mask | None, extra: Ints
) -> tuple[Ints, Scores]:
    """See `_sum_scores`; `total` is zero, and is so again at the end."""
    parts: list[Ints] = []
    count, candidates = 0, None
    ordered = sorted(matches, key=lambda match: -match.bound)
    left = sum(match.bound for match in ordered)
    for match in ordered:
        if candidates is None and len(match.ordinals) > _LONG_LIST and count >= limit:
            seen = np.concatenate(parts)
            scores = total[seen]
            least = np.partition(scores, len(seen) - limit)[len(seen) - limit] - _SLACK
            if left < least:
                candidates = np.union1d(seen[scores + left >= least], extra)
        left -= match.bound
        if candidates is not None:
            places, known = find_positions(match.ordinals, candidates)
            total[candidates[known]] += match.scores[places[known]]
            continue
        ordinals, scores = match.ordinals, match.scores
        if mask is not None:
            within = mask[ordinals]
            ordinals, scores = ordinals[within], scores[within]
        fresh = ordinals[total[ordinals] == 0]
        total[ordinals] += scores
        parts.append(fresh)
        count += len(fresh)
    touched = np.concatenate(parts)
    if candidates is None:
        chosen, chosen_scores = touched, total[touched]
    else:
        chosen, chosen_scores = candidates, total[candidates]
        total[candidates] = 0.0
    total[touched] = 0.0
    holds = chosen_scores > 0
    return chosen[holds], chosen_scores[holds]


def _get_scratch(rows: int) -> Scores:
    """Return zeros, one a row: an array of the thread's own that is kept, as new ones are paid for page by page."""
    kept: Scores | None = getattr(_SCRATCH, "totals", None)
    if kept is None or len(kept) < rows:
        kept = _SCRATCH.totals = np.zeros(max(rows, 1), np.float64)
    return kept


def _select_best(ordinals: Ints, scores: Scores, limit: int) -> Ints:
    """Return the places of the best, best first; ties go to the lower ordinal."""
    places = np.arange(len(scores))
    if len(scores) > limit:
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places = np.flatnonzero(scores >= least)
    order = np.lexsort((ordinals[places], -scores[places]))[:limit]
    best: Ints = places[order]
    return best


def _make_mask(view: TermView, allowed: Ids) -> Mask:
    mask = np.zeros(len(view.ids), bool)
    mask[view.find_ordinals(allowed)] = True
    return mask


def _make_scored(view: TermView, ordinals: Ints, scores: Scores) -> tuple[ScoredChunk, ...]:
    return tuple(map(ScoredChunk, view.ids[ordinals].tolist(), scores.tolist()))


def _compute_max_score(clause: QueryClause, idf: float) -> float:
    return clause.weight * idf * (_K1 + 1 if clause.kind in _RANKED else 1)


def _compute_identifier_share(counts: Mapping[QueryClause, int], total: int) -> float:
    single = {clause: _idf(total, count) for clause, count in counts.items() if clause.kind in (ClauseKind.WORD, ClauseKind.FORM)}
    return sum(idf for clause, idf in single.items() if clause.is_identifier) / (sum(single.values()) or 1.0)


def _idf(total: int, count: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))
