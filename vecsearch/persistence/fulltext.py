"""Words: one FTS5 table a collection, so that how rare a word is belongs to that collection. The only place that knows FTS5.

The table is contentless: it holds the inverted index alone, the texts stay in `documents`. So an entry is taken out by giving
the text that went in, before the rows that hold it go.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    SelectBase,
    TableClause,
    func,
    insert,
    literal,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy import column as sql_column

from vecsearch.core.settings import QUERY_TERMS_COUNTED_MAX, QUERY_TERMS_MAX
from vecsearch.core.types import Scored
from vecsearch.persistence.tables import chunks, documents

# Words that say nothing about a subject. In a collection of four documents even "that" looks rare, so rarity alone cannot tell.
FUNCTION_WORDS: Final = frozenset(
    [
        "a",
        "about",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
_WORD: Final = re.compile(r"[^\W_]+")
_PIECE: Final = re.compile(r'"([^"]+)"|([^"\s]+)')
_K1: Final = 1.2  # FTS5's, fixed
_LEAST_IDF: Final = 1e-6  # what FTS5's bm25() puts in place of an idf that is not positive


def create(connection: Connection, collection: int) -> None:
    """Make the table of a new collection."""
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {_name(collection)} USING fts5"
        "(title, body, content='', tokenize='porter unicode61 remove_diacritics 2')"
    )


def drop(connection: Connection, collection: int) -> None:
    """Remove the table with all that is in it."""
    connection.exec_driver_sql(f"DROP TABLE {_name(collection)}")


def add(connection: Connection, collection: int, rows: Iterable[tuple[int, str | None, str, str]]) -> None:
    """Index (chunk id, document title, chunk context, chunk text) rows."""
    entries = [{"rowid": chunk, "title": f"{title or ''} {context}", "body": body} for chunk, title, context, body in rows]
    connection.execute(insert(_table(collection)), entries)


def remove_documents(connection: Connection, collection: int, rows: Sequence[int]) -> None:
    """Take out every chunk of these documents (row ids), whose rows must still be there."""
    body = func.substr(documents.c.text, chunks.c.start + 1, chunks.c.end - chunks.c.start)
    above = func.coalesce(documents.c.title, "") + " " + func.coalesce(chunks.c.context, "")
    entries = (
        select(literal("delete"), chunks.c.id, above, body)
        .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
        .where(documents.c.id.in_(rows))
    )
    name = _name(collection)
    connection.execute(insert(_table(collection, name)).from_select([name, "rowid", "title", "body"], entries))


def optimize(connection: Connection, collection: int) -> None:
    """Merge the index's parts into one."""
    name = _name(collection)
    connection.execute(insert(_table(collection, name)).values({name: "optimize"}))


def row_count(connection: Connection, collection: int) -> int:
    """How many chunks the table holds."""
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {_name(collection)}_docsize").scalar_one())


@dataclass(frozen=True, slots=True)
class Matches:
    """Chunks by BM25, best first, and `most`: the score that no text can reach for this query."""

    ranked: tuple[Scored, ...]
    most: float


def matches(
    connection: Connection, collection: int, query: str, *, limit: int, condition: Select[tuple[int]] | None = None
) -> Matches:
    """Up to `limit` chunks that hold a word of the query, best first; ties go to the lower id.

    Words in "double quotes" must follow each other. Function words count only when there are no others. The score is Robertson's
    BM25 with k1 = 1.2, b = 0.75 and Lucene's idf, ln(1 + (N - n + ½) / (n + ½)), which is positive for every word; FTS5's own
    gives none to a word of half the rows. `condition` selects the chunk ids that may be found.
    """
    total = row_count(connection, collection)
    counts = {term: _frequency(connection, collection, term) for term in terms(query)}
    most = sum((_K1 + 1) * _idf(total, count) for count in counts.values())
    rarest = sorted(((term, count) for term, count in counts.items() if count), key=lambda each: each[1])[:QUERY_TERMS_MAX]
    if not rarest:
        return Matches((), most)
    allowed = None if condition is None else _materialized(condition, "allowed")
    arms = _materialized(union_all(*(_arm(collection, term, _correction(total, n), allowed) for term, n in rarest)), "arms")
    score = func.sum(arms.c.score)
    ranked = select(arms.c.chunk, score).group_by(arms.c.chunk).order_by(score.desc(), arms.c.chunk).limit(limit)
    return Matches(tuple(Scored(int(chunk), float(value)) for chunk, value in connection.execute(ranked)), most)


def terms(query: str) -> list[str]:
    """What to look up, each a phrase in FTS5's syntax, each once: quoted phrases whole, other words one by one."""
    pieces = [match.groups() for match in _PIECE.finditer(unicodedata.normalize("NFC", query))]
    phrases = [phrase for phrase, _ in pieces if phrase and _WORD.search(phrase)]
    words = [word.lower() for _, piece in pieces if piece for word in _WORD.findall(piece)]
    telling = [word for word in words if word not in FUNCTION_WORDS]
    chosen = dict.fromkeys([*phrases, *telling]) or dict.fromkeys(words)
    return [f'"{term}"' for term in list(chosen)[:QUERY_TERMS_COUNTED_MAX]]


def _arm(collection: int, term: str, correction: float, allowed: Any) -> Select[Any]:
    """(chunk, score) of every row that has one term."""
    name = _name(collection)
    score = -func.bm25(literal_column(name)) * correction
    arm = select(literal_column("rowid").label("chunk"), score.label("score")).select_from(_table(collection))
    arm = arm.where(literal_column(name).op("MATCH")(term))
    # the plus keeps SQLite from looking the term up once for every allowed id
    return arm if allowed is None else arm.where(literal_column("+rowid").in_(select(allowed.c.id)))


def _materialized(query: SelectBase, name: str) -> CTE:
    """Worked out once and first: bm25() refuses to run inside an aggregate that SQLite has merged it into."""
    return query.cte(name).prefix_with("MATERIALIZED")


def _frequency(connection: Connection, collection: int, term: str) -> int:
    query = select(func.count()).select_from(_table(collection)).where(literal_column(_name(collection)).op("MATCH")(term))
    return int(connection.scalar(query) or 0)


def _correction(total: int, count: int) -> float:
    """Lucene's idf over the one that bm25() has multiplied in."""
    theirs = math.log((total - count + 0.5) / (count + 0.5))
    return _idf(total, count) / (theirs if theirs > 0 else _LEAST_IDF)


def _idf(total: int, count: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))


def _name(collection: int) -> str:
    return f"chunks_fts_{collection}"


def _table(collection: int, *more: str) -> TableClause:
    return table(_name(collection), *map(sql_column, ("rowid", "title", "body", *more)))
