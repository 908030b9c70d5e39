"""Which chunks hold the terms of a query, and how far that tells them from the others.

The score is Robertson's BM25 with Lucene's idf, ln(1 + (N - n + ½) / (n + ½)), which is positive for every term: the sum over the
query's clauses of weight × idf × tf × (k1 + 1) / (tf + k1 × (1 - b + b × length / average length)). A form or a beginning counts
its idf wherever it stands. N, n and the average length are those of the chunks that are there, exactly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from vecsearch.core.settings import BM25_K1, QUERY_TERMS_COUNTED_MAX, QUERY_TERMS_MAX, UNSEEN_TERM_WEIGHT
from vecsearch.core.sorted_ids import find_positions
from vecsearch.stores.base import NO_CHUNKS, NO_IDS, Ids, LexicalHits, ScoredChunks, Scores
from vecsearch.stores.sqlite.engine.connections import AnyConnection
from vecsearch.stores.sqlite.fulltext.term_segment import FORM_MARK, Ints, Mask
from vecsearch.stores.sqlite.fulltext.term_view import SelectedRows, TermLookup, TermPlace, TermView
from vecsearch.text.analyzer import is_unspaced
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, QueryClause

_RANKED: Final = frozenset({ClauseKind.WORD, ClauseKind.PHRASE})  # those whose frequency counts
_FEW_ALLOWED: Final = 4  # times as many postings as chunks that may be found: these are then looked up one by one
_MANY_CANDIDATES: Final = 2  # times as many as are wanted: fewer of them may be left to look up
_SAMPLE: Final = 16  # one score in so many tells which of them cannot be among the best
_SLACK: Final = 1e-9  # of a score, for what rounding may take
_SCRATCH: Final = threading.local()


@dataclass(frozen=True, slots=True)
class _ClauseMatch:
    """What a clause finds: the chunks (ordinals, ascending) and how often it stands in each, None where that does not count.

    `weight` is the clause's times its idf, `bound` the most that it can score.
    """

    view: TermView
    ordinals: Ints
    frequencies: Scores | None
    weight: float
    bound: float

    def score(self, places: slice | Ints) -> Scores:
        """Return the scores of some of the chunks."""
        if self.frequencies is None:
            return np.full(len(self.ordinals[places]), self.weight)
        frequencies = self.frequencies[places]
        norms = self.view.get_length_norms(self.ordinals[places])
        scores: Scores = frequencies / (norms + frequencies)
        scores *= self.weight * (BM25_K1 + 1)
        return scores

    def add_to(self, totals: Scores, ordinals: Ints) -> None:
        """Add the scores of chunks (ordinals, each once) to their totals."""
        places, known = find_positions(self.ordinals, ordinals)
        totals[ordinals[known]] += self.score(places[known])


@dataclass(frozen=True, slots=True)
class BM25Hits(LexicalHits):
    """What the clauses of a query find, those that can score most first; see `stores.base.LexicalHits`."""

    view: TermView
    matches: tuple[_ClauseMatch, ...]
    selected: SelectedRows | None

    def extend(self, k: int, *, least: float = 0.0) -> BM25Hits:
        """Return the same with up to k chunks ranked, all that score `least` or more; ties go to the lower id."""
        if not self.matches:
            return self
        try:
            ordinals, scores = _sum_scores(self.view, self.matches, k, least, self.selected)
        except BaseException:
            _SCRATCH.totals = None  # it may hold what nobody will take out
            raise
        best = _select_best(ordinals, scores, k, least)
        return replace(self, ranked=ScoredChunks(self.view.ids[ordinals[best]], scores[best]))

    def score(self, ids: Ids) -> Scores:
        """Return the BM25 of each of these chunks, 0 for one that holds no term or may not be found."""
        places, known = find_positions(self.view.ids, ids)
        if self.view.dead is not None:
            known &= ~self.view.dead[places]
        if self.selected is not None:
            known &= self.selected.mask[places]
        order = np.argsort(places[known])
        ordinals = places[known][order]
        totals = np.zeros(len(ordinals))
        for match in self.matches:
            at, holds = find_positions(match.ordinals, ordinals)
            totals[holds] += match.score(at[holds])
        scores = np.zeros(len(ids))
        scores[np.flatnonzero(known)[order]] = totals
        return scores


def search_bm25(
    connection: AnyConnection, view: TermView, query: LexicalQuery, *, limit: int, allowed: Ids | None = None
) -> BM25Hits:
    """Return up to `limit` chunks that hold a term of the query, best first; ties go to the lower id.

    `allowed`, ascending, are the chunk ids that may be found.
    """
    clauses = query[:QUERY_TERMS_COUNTED_MAX]
    finder = _ClauseFinder(connection, view, clauses)
    found = [finder.find(clause) for clause in clauses]
    max_score = sum(_compute_max_score(each) * (1 if each.chunk_count else UNSEEN_TERM_WEIGHT) for each in found)
    rarest = sorted((each for each in found if each.chunk_count), key=lambda each: each.chunk_count)[:QUERY_TERMS_MAX]
    matches = map(finder.match, rarest)
    best_first = tuple(sorted(matches, key=lambda match: -match.bound))  # one order for all, so that equal texts score the same
    selected = None if allowed is None else view.select(allowed)
    return BM25Hits(NO_CHUNKS, max_score, _compute_identifier_share(found), view, best_first, selected).extend(limit)


def compute_term_idfs(connection: AnyConnection, view: TermView, query: LexicalQuery) -> dict[str, float]:
    """Return the idf of each single word of a query, by its stem."""
    words = [clause for clause in query if clause.kind is ClauseKind.WORD][:QUERY_TERMS_COUNTED_MAX]
    finder = _ClauseFinder(connection, view, words)
    return {clause.text: finder.find(clause).idf for clause in words}


class _FoundClause(NamedTuple):
    """A clause, how many chunks it finds and its idf; the `places` where they are listed, or the `lists`."""

    clause: QueryClause
    chunk_count: int
    idf: float
    places: Sequence[TermPlace]
    lists: tuple[Ints, Scores | None] | None


class _ClauseFinder:
    """Finds what the clauses of one query look up."""

    def __init__(self, connection: AnyConnection, view: TermView, clauses: Sequence[QueryClause]) -> None:
        self._view = view
        terms = {term for clause in clauses for term in _list_terms(clause)}
        prefixes = [prefix for clause in clauses if (prefix := _get_prefix(clause)) is not None]
        self._lookup = TermLookup(connection, view, terms, prefixes)

    def find(self, clause: QueryClause) -> _FoundClause:
        """Return what a clause finds; the lists of a single word are not loaded yet."""
        if clause.kind in (ClauseKind.WORD, ClauseKind.FORM):
            places = self._lookup.find(*_list_terms(clause))
            count = self._lookup.count(places)
            return _FoundClause(clause, count, _idf(self._view.count, count), places, None)
        lists = self._load(clause)
        return _FoundClause(clause, len(lists[0]), _idf(self._view.count, len(lists[0])), (), lists)

    def match(self, found: _FoundClause) -> _ClauseMatch:
        """Return what a clause finds, with all that scores it."""
        ordinals, frequencies = found.lists or self._lookup.load(found.places)
        weight = found.clause.weight * found.idf
        if frequencies is None or found.clause.kind not in _RANKED:
            return _ClauseMatch(self._view, ordinals, None, weight, weight)
        most = float(frequencies.max())
        bound = weight * (BM25_K1 + 1) * most / (most + self._view.least_length_norm)
        return _ClauseMatch(self._view, ordinals, frequencies, weight, bound)

    def _load(self, clause: QueryClause) -> tuple[Ints, Scores | None]:
        """Return the chunks (ordinals) that hold a phrase or a beginning, and how often each has it where that counts."""
        prefix, words = _get_prefix(clause), _list_terms(clause)
        if words or prefix is None:
            return self._lookup.load_phrase(words, prefix)
        return self._lookup.load_beginning(prefix), None


def _list_terms(clause: QueryClause) -> list[str]:
    """Return the whole terms whose postings a clause needs."""
    match clause.kind:
        case ClauseKind.WORD:
            return [clause.text]
        case ClauseKind.PHRASE:
            return clause.text.split(" ")
        case ClauseKind.PHRASE_PREFIX:
            return clause.text.split(" ")[:-1]
        case ClauseKind.FORM:
            return [FORM_MARK + clause.text]
        case _:
            return []


def _get_prefix(clause: QueryClause) -> str | None:
    """Return what a clause's last term begins with in the dictionary; None where that term is whole."""
    if clause.kind not in (ClauseKind.PREFIX, ClauseKind.PHRASE_PREFIX):
        return None
    beginning = clause.text.rpartition(" ")[2]
    return beginning if is_unspaced(beginning) and clause.kind is ClauseKind.PHRASE_PREFIX else FORM_MARK + beginning


def _sum_scores(
    view: TermView, matches: Sequence[_ClauseMatch], limit: int, least: float, selected: SelectedRows | None
) -> tuple[Ints, Scores]:
    """Return chunks (ordinals) with their scores: of those that score `least` or more the best `limit`, and perhaps others.

    Clause after clause, those that can score most first. As soon as all that are left cannot bring a new chunk among the best,
    only the chunks that still can be are looked up (MaxScore: Turtle and Flood, "Query evaluation", 1995).
    """
    totals = _get_scratch(len(view.ids))
    mask = None if selected is None else selected.mask
    candidates = None
    unread = sum(len(match.ordinals) for match in matches)
    if selected is not None and len(selected.ordinals) * _FEW_ALLOWED < unread:
        candidates = selected.ordinals
    touched: list[Ints] = [] if candidates is None else [candidates]
    count, left, most = 0, sum(match.bound for match in matches), 0.0  # what a chunk can still get, and may have at the limit
    for match in matches:
        is_near = left < most and unread > count >= limit  # else a look at all so far costs more than it saves
        if candidates is None and (is_near or left < least - _SLACK):
            candidates, most = _find_candidates(totals, touched, limit, least, left)
        left -= match.bound
        unread -= len(match.ordinals)
        most += match.bound / 3  # about as much as the score at the limit grows: looked at again when that may be enough
        if candidates is not None:
            match.add_to(totals, candidates)
            if len(candidates) > _MANY_CANDIDATES * limit:
                candidates = _drop_hopeless(totals, candidates, limit, least, left)
            continue
        fresh = _add_list(totals, match, mask)
        touched.append(fresh)
        count += len(fresh)
    seen = np.concatenate([NO_IDS, *touched])
    chosen = seen if candidates is None else candidates
    scores = totals[chosen]
    totals[seen] = 0.0
    if candidates is None:
        return chosen, scores
    holds = scores > 0
    return chosen[holds], scores[holds]


def _add_list(totals: Scores, match: _ClauseMatch, mask: Mask | None) -> Ints:
    """Add all scores of a clause; returns the chunks (ordinals) that had none before."""
    places = slice(None) if mask is None else np.flatnonzero(mask[match.ordinals])
    ordinals = match.ordinals[places]
    before = totals[ordinals]
    totals[ordinals] = before + match.score(places)
    fresh: Ints = ordinals[before == 0]
    return fresh


def _drop_hopeless(totals: Scores, candidates: Ints, limit: int, least: float, left: float) -> Ints:
    """Return the candidates that can still be among the best."""
    scores = totals[candidates]
    left_over: Ints = candidates[scores + left >= max(_find_score_at(scores, limit), least) - _SLACK]
    return left_over


def _find_candidates(totals: Scores, touched: Sequence[Ints], limit: int, least: float, left: float) -> tuple[Ints | None, float]:
    """Return the chunks (ordinals) that can be among the best, if others cannot, and what these must score.

    `left` is what a chunk can still get.
    """
    seen = np.concatenate(touched)
    scores = totals[seen]
    if len(scores) >= limit:
        least = max(_find_score_at(scores, limit), least)
    least -= _SLACK
    return (np.sort(seen[scores + left >= least]) if left < least else None), least


def _get_scratch(rows: int) -> Scores:
    """Return zeros, one a row: an array of the thread's own that is kept, as new ones are paid for page by page."""
    kept: Scores | None = getattr(_SCRATCH, "totals", None)
    if kept is None or len(kept) < rows:
        kept = _SCRATCH.totals = np.zeros(max(rows, 1), np.float64)
    return kept


def _select_best(ordinals: Ints, scores: Scores, limit: int, least: float) -> Ints:
    """Return the places of the best that score `least` or more, best first; ties go to the lower ordinal."""
    if len(scores) > limit:
        least = max(_find_score_at(scores, limit), least)
    places = np.flatnonzero(scores >= least)
    order = np.lexsort((ordinals[places], -scores[places]))[:limit]
    best: Ints = places[order]
    return best


def _find_score_at(scores: Scores, limit: int) -> float:
    """Return the score of the last of the best `limit`; there are as many."""
    sample = scores[::_SAMPLE]
    if len(sample) > limit:  # the best of some are not above the best of all
        scores = scores[scores >= np.partition(sample, len(sample) - limit)[len(sample) - limit]]
    return float(np.partition(scores, len(scores) - limit)[len(scores) - limit])


def _compute_max_score(found: _FoundClause) -> float:
    return found.clause.weight * found.idf * (BM25_K1 + 1 if found.clause.kind in _RANKED else 1)


def _compute_identifier_share(found: Sequence[_FoundClause]) -> float:
    single = [each for each in found if each.clause.kind in (ClauseKind.WORD, ClauseKind.FORM)]
    return sum(each.idf for each in single if each.clause.is_identifier) / (sum(each.idf for each in single) or 1.0)


def _idf(total: int, count: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))
