"""Words: which chunks hold those of a query, and how far that tells them from the others. See `fulltext` for the tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from vecsearch.core.settings import QUERY_TERMS_COUNTED_MAX, QUERY_TERMS_MAX, UNSEEN_TERM_WEIGHT
from vecsearch.core.types import ScoredChunk
from vecsearch.stores.base import Ids, LexicalHits
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, QueryClause

_RANKED: Final = frozenset({ClauseKind.WORD, ClauseKind.PHRASE})  # those that the table of stems answers
_K1: Final = 1.2  # FTS5's, fixed
_MIN_IDF: Final = 1e-6  # what FTS5's bm25() puts in place of an idf that is not positive


def search_bm25(
    connection: AnyConnection,
    state: CollectionState,
    query: LexicalQuery,
    *,
    limit: int,
    allowed: Ids | None = None,
    extra_ids: Ids | None = None,
) -> LexicalHits:
    """Return up to `limit` chunks that hold a term of the query, best first; ties go to the lower id.

    The score is Robertson's BM25 with k1 = 1.2, b = 0.75 and Lucene's idf,
    ln(1 + (N - n + ½) / (n + ½)), which is positive for every word; FTS5's own gives none to a word of half the rows. A form
    counts its idf wherever it stands. `allowed` are the chunk ids that may be found; those of `also` that hold a word are scored
    even where `limit` better ones are found.
    """
    total = count_indexed_chunks(connection, state)
    clauses = query[:QUERY_TERMS_COUNTED_MAX]
    counts = {clause: _count_matches(connection, state, clause) for clause in clauses}
    most = sum(
        _compute_max_score(each, _idf(total, count)) * (1 if count else UNSEEN_TERM_WEIGHT) for each, count in counts.items()
    )
    named = _compute_identifier_share(counts, total)
    rarest = sorted(((each, count) for each, count in counts.items() if count), key=lambda each: each[1])[:QUERY_TERMS_MAX]
    if not rarest:
        return LexicalHits((), most, named)
    arms = tuple((_choose_table(state, each), each.kind in _RANKED) for each, _ in rarest)
    values: dict[str, Any] = {"limit": limit, "allowed": _dump_ids(allowed), "also": _dump_ids(extra_ids)}
    for at, (each, count) in enumerate(rarest):
        factor = _compute_idf_correction(total, count) if each.kind in _RANKED else _idf(total, count)
        values |= {f"said_{at}": _format_expression(each), f"factor_{at}": factor * each.weight}
    text = _build_ranking_sql(arms, selective=allowed is not None, with_extra=extra_ids is not None)
    rows = get_driver(connection).execute(text, values)
    found = sorted((ScoredChunk(chunk, float(score)) for chunk, score in rows), key=lambda each: (-each.score, each.chunk_id))
    return LexicalHits(tuple(found[:limit]), most, named, tuple(found[limit:]))


@lru_cache(maxsize=128)
def _build_ranking_sql(arms: tuple[tuple[str, bool], ...], *, selective: bool, with_extra: bool) -> str:
    """(chunk, score): the best by the sum of what each arm gives; an arm looks something up in one of the tables.

    Each part is worked out once and first: bm25() refuses to run inside an aggregate that SQLite has merged it into.
    """
    parts = {"arms": "\nUNION ALL ".join(_build_arm_sql(at, name, ranked, selective) for at, (name, ranked) in enumerate(arms))}
    if selective:
        parts = {"allowed": "SELECT value AS id FROM json_each(:allowed)", **parts}
    parts["totals"] = "SELECT chunk, sum(score) AS score FROM arms GROUP BY chunk"
    best = "SELECT chunk, score FROM totals ORDER BY score DESC, chunk LIMIT :limit"
    if with_extra:
        also = "SELECT chunk, score FROM totals WHERE chunk IN (SELECT value FROM json_each(:also))"
        best = f"SELECT chunk, score FROM ({best})\nUNION {also}"
    return f"WITH {', '.join(f'{name} AS MATERIALIZED ({part})' for name, part in parts.items())}\n{best}"


def _build_arm_sql(number: int, name: str, ranked: bool, selective: bool) -> str:
    """(chunk, score) of every row that has what is looked up."""
    score = f"-bm25({name}) * :factor_{number}" if ranked else f":factor_{number}"
    # the plus keeps SQLite from looking the term up once for every allowed id
    among = " AND +rowid IN (SELECT id FROM allowed)" if selective else ""
    return f"SELECT rowid AS chunk, {score} AS score FROM {name} WHERE {name} MATCH :said_{number}{among}"


def _dump_ids(ids: Ids | None) -> str:
    """Ids as one text: they were found once, which costs more than to hand them over."""
    return json.dumps([] if ids is None else ids.tolist())


def compute_term_idfs(connection: AnyConnection, state: CollectionState, query: LexicalQuery) -> dict[str, float]:
    """The idf of each single word of a query, by its stem."""
    total = count_indexed_chunks(connection, state)
    words = [clause for clause in query if clause.kind is ClauseKind.WORD]
    return {each.text: _idf(total, _count_matches(connection, state, each)) for each in words[:QUERY_TERMS_COUNTED_MAX]}


def _count_matches(connection: AnyConnection, state: CollectionState, clause: QueryClause) -> int:
    name = _choose_table(state, clause)
    cursor = get_driver(connection).execute(
        f"SELECT count(*) FROM {name} WHERE {name} MATCH :said", {"said": _format_expression(clause)}
    )
    return int(cursor.fetchone()[0])


def _format_expression(clause: QueryClause) -> str:
    """Return a clause in the syntax of FTS5; its text holds no quotes."""
    return f'"{clause.text}"*' if clause.kind is ClauseKind.PREFIX else f'"{clause.text}"'


def _compute_max_score(clause: QueryClause, idf: float) -> float:
    return clause.weight * idf * (_K1 + 1 if clause.kind in _RANKED else 1)


def _compute_identifier_share(counts: Mapping[QueryClause, int], total: int) -> float:
    single = {each: _idf(total, count) for each, count in counts.items() if each.kind in (ClauseKind.WORD, ClauseKind.FORM)}
    return sum(idf for each, idf in single.items() if each.is_identifier) / (sum(single.values()) or 1.0)


def _compute_idf_correction(total: int, count: int) -> float:
    """Lucene's idf over the one that bm25() has multiplied in."""
    theirs = math.log((total - count + 0.5) / (count + 0.5))
    return _idf(total, count) / (theirs if theirs > 0 else _MIN_IDF)


def _idf(total: int, count: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))


def _choose_table(state: CollectionState, clause: QueryClause) -> str:
    return get_terms_table(state) if clause.kind in _RANKED else get_forms_table(state)


def count_indexed_chunks(connection: AnyConnection, state: CollectionState) -> int:
    """How many chunks the tables hold."""
    return int(get_driver(connection).execute(f"SELECT count(*) FROM {get_terms_table(state)}_docsize").fetchone()[0])


def get_terms_table(state: CollectionState) -> str:
    """The table of stems of a collection, ranked by BM25."""
    return f"terms_fts_{state.id}"


def get_forms_table(state: CollectionState) -> str:
    """The table of the words of a collection as they are written."""
    return f"forms_fts_{state.id}"
