"""Words: two FTS5 tables a collection, so that how rare a word is belongs to that collection. The only place that knows FTS5.

`terms` holds what `analysis` makes of a text, a stem a position, and is ranked by BM25; `forms` holds which words stand in a
chunk as they are written, for prefixes, identifiers such as `C++`, and single words in quotes. Both are contentless: they hold
the inverted index alone, the texts stay in `documents`. So an entry is taken out by giving what went in, before the rows that
hold it go.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    CTE,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Select,
    SelectBase,
    Table,
    TableClause,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    union,
    union_all,
)
from sqlalchemy import column as sql_column
from sqlalchemy.exc import DBAPIError

from vecsearch.core.settings import QUERY_TERMS_COUNTED_MAX, QUERY_TERMS_MAX, READ_ROWS, UNHEARD_WEIGHT
from vecsearch.core.types import Scored
from vecsearch.persistence.analysis import analyzer
from vecsearch.persistence.lookups import Kind, Lookup, lookups
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.statements import Prepared, driver
from vecsearch.persistence.tables import CHUNK_TEXT, chunks, documents
from vecsearch.persistence.vectors import Ids

Entry: TypeAlias = tuple[int, str | None, str, str]  # chunk id, document title, chunk context, chunk text

_K1: Final = 1.2  # FTS5's, fixed
_LEAST_IDF: Final = 1e-6  # what FTS5's bm25() puts in place of an idf that is not positive
_VERSION: Final = 4  # of FTS5's own format
_TOKENIZER: Final = "unicode61 remove_diacritics 0 categories ''L* M* N* P* S* Co''"  # terms come apart at blanks alone


def create(connection: Connection, state: CollectionState) -> None:
    """Make the tables of a new collection."""
    for each in _shapes(state):
        _make(connection, each, each.name, "content=''")


def drop(connection: Connection, state: CollectionState) -> None:
    """Remove the tables with all that is in them."""
    for name in (_terms(state), _forms(state)):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def rebuild(connection: Connection, state: CollectionState) -> None:
    """Make both tables anew from the texts, in the collection's language."""
    drop(connection, state)
    create(connection, state)
    rows = connection.execute(_texts().where(documents.c.collection_id == state.id).execution_options(yield_per=READ_ROWS))
    for some in rows.partitions(READ_ROWS):
        add(connection, state, [tuple(row) for row in some])


def add(connection: Connection, state: CollectionState, entries: Iterable[Entry]) -> None:
    """Index chunks."""
    for name, columns, rows in _indexed(state, entries):
        Prepared(insert(_table(name, *columns))).many(connection, rows)


def remove_documents(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """Take out every chunk of these documents (row ids), whose rows must still be there."""
    found = connection.execute(_texts().where(documents.c.id.in_(rows)))
    entries = [tuple(row) for row in found]
    for name, columns, gone in _indexed(state, entries):
        command = insert(_table(name, *columns, name))
        Prepared(command).many(connection, [(*row, "delete") for row in gone])


def optimize(connection: Connection, state: CollectionState) -> None:
    """Merge the parts of each table into one."""
    for name in (_terms(state), _forms(state)):
        connection.execute(insert(_table(name, name)).values({name: "optimize"}))


def rows_held(connection: Connection, state: CollectionState) -> int:
    """How many chunks the tables hold; 0 where that cannot be told."""
    try:
        return row_count(connection, state)
    except DBAPIError:
        return 0


def row_count(connection: Connection, state: CollectionState) -> int:
    """How many chunks the tables hold."""
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {_terms(state)}_docsize").scalar_one())


# -- checking and mending


@dataclass(frozen=True, slots=True)
class _Shape:
    """One of a collection's tables: its columns, what else it is made with, and the tables that FTS5 keeps it in."""

    name: str
    columns: tuple[str, ...]
    options: str
    kept_in: Mapping[str, tuple[str, ...]]


_KEPT_IN: Final = {"data": ("id", "block"), "idx": ("segid", "term", "pgno"), "config": ("k", "v")}
_SIZES: Final = {"docsize": ("id", "sz")}
_KEYS: Final = {  # as FTS5 makes them
    "data": "(id INTEGER PRIMARY KEY, block BLOB)",
    "idx": "(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "config": "(k PRIMARY KEY, v) WITHOUT ROWID",
    "docsize": "(id INTEGER PRIMARY KEY, sz BLOB)",
}
_SCHEMA: Final = table("sqlite_master", sql_column("name"))
_NOT_OF_THE_TABLE: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_READONLY")


def is_exact(connection: Connection, state: CollectionState) -> bool:
    """Whether both tables are sound in themselves and hold exactly what analysis makes of the texts.

    A copy of each is put beside the expected words, and FTS5 compares: the count of rows, the length of each, and a checksum over
    every (chunk, column, position, term). Makes temporary tables: it needs a connection of its own, which keeps them on disk.
    """
    driver(connection).execute("PRAGMA temp_store = FILE")
    try:
        for each in _shapes(state):  # which FTS5 must be able to open
            match = literal_column(each.name).op("MATCH")("a")
            connection.execute(select(literal_column("rowid")).select_from(_table(each.name)).where(match).limit(1)).all()
        expected = {each.name: _expected(connection, each) for each in _shapes(state)}
        rows = connection.execute(_texts().where(documents.c.collection_id == state.id).execution_options(yield_per=READ_ROWS))
        for some in rows.partitions(READ_ROWS):
            for name, _, words in _indexed(state, [tuple(row) for row in some]):
                expected[name].many(connection, words)
        for each in _shapes(state):
            _compare(connection, each)
    except DBAPIError as error:
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        if name.startswith(_NOT_OF_THE_TABLE):
            raise
        return False
    return True


def remake(connection: Connection, state: CollectionState) -> None:
    """As `rebuild`, also where FTS5 cannot open its tables any more, and so would not drop them."""
    there = set(connection.scalars(select(_SCHEMA.c.name)))
    for each in _shapes(state):
        for part in each.kept_in:
            if each.name in there:
                connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {each.name}_{part}{_KEYS[part]}")
            else:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {each.name}_{part}")
        if each.name in there:
            config = table(f"{each.name}_config", sql_column("k"), sql_column("v"))
            connection.execute(delete(config).where(config.c.k == "version"))
            connection.execute(insert(config).values(k="version", v=_VERSION))
    rebuild(connection, state)


def _shapes(state: CollectionState) -> tuple[_Shape, _Shape]:
    return (
        _Shape(_terms(state), ("title", "body"), "", _KEPT_IN | _SIZES),
        _Shape(_forms(state), ("forms",), ", detail='none', columnsize=0", _KEPT_IN),
    )


def _make(connection: Connection, shape: _Shape, name: str, content: str) -> None:
    columns = ", ".join(shape.columns)
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {name} USING fts5({columns}, {content}{shape.options}, tokenize='{_TOKENIZER}')"
    )


def _expected(connection: Connection, shape: _Shape) -> Prepared:
    """A temporary table for the words that should be indexed; gives the statement that fills it."""
    columns = (Column(name, Text) for name in shape.columns)
    words = Table(f"expected_{shape.name}", MetaData(), Column("id", Integer, primary_key=True), *columns, prefixes=["TEMPORARY"])
    words.create(connection)
    return Prepared(insert(words))


def _compare(connection: Connection, shape: _Shape) -> None:
    """Raises DBAPIError where the table is not what is expected."""
    copy = f"copy_{shape.name}"
    _make(connection, shape, f"temp.{copy}", f"content='expected_{shape.name}', content_rowid='id'")
    for part, columns in shape.kept_in.items():
        kept = table(f"{shape.name}_{part}", *map(sql_column, columns), schema="main")
        copied = table(f"{copy}_{part}", *map(sql_column, columns), schema="temp")
        connection.execute(delete(copied))
        connection.execute(insert(copied).from_select(columns, select(kept)))
    command = table(copy, sql_column(copy), sql_column("rank"), schema="temp")
    connection.execute(insert(command).values({copy: "integrity-check", "rank": 1}))


def _texts() -> Select[Any]:
    return select(chunks.c.id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT).join_from(
        chunks, documents, documents.c.id == chunks.c.document_id
    )


def _indexed(state: CollectionState, entries: Iterable[Entry]) -> list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Of both tables: the name, the columns beside the row id, and the rows."""
    by = analyzer(state.language)
    terms: list[tuple[Any, ...]] = []
    forms: list[tuple[Any, ...]] = []
    for chunk, title, context, text in entries:
        above, body = by.analyzed(f"{title or ''} {context}".strip()), by.analyzed(text)
        terms.append((chunk, " ".join(above.terms), " ".join(body.terms)))
        forms.append((chunk, " ".join(above.forms | body.forms)))
    return [(_terms(state), ("title", "body"), terms), (_forms(state), ("forms",), forms)]


# -- asking


@dataclass(frozen=True, slots=True)
class Matches:
    """Chunks by BM25, best first; `most`: the score that no text can reach for this query; `named`: the share, in [0, 1], of the
    query's rarity that lies in identifiers, versions and the like.

    `besides` are chunks that were asked for by name, and come after those.

    What no chunk has counts UNHEARD_WEIGHT in `most`: it makes every match less likely to be what was meant, and tells none from
    the others.
    """

    ranked: tuple[Scored, ...]
    most: float
    named: float = 0.0
    besides: tuple[Scored, ...] = ()


def matches(
    connection: Connection, state: CollectionState, query: str, *, limit: int, allowed: Ids | None = None, also: Ids | None = None
) -> Matches:
    """Up to `limit` chunks that hold a word of the query, best first; ties go to the lower id.

    See `lookups` for what a query may say. The score is Robertson's BM25 with k1 = 1.2, b = 0.75 and Lucene's idf,
    ln(1 + (N - n + ½) / (n + ½)), which is positive for every word; FTS5's own gives none to a word of half the rows. A form
    counts its idf wherever it stands. `allowed` are the chunk ids that may be found; those of `also` that hold a word are scored
    even where `limit` better ones are found.
    """
    total = row_count(connection, state)
    asked = lookups(query, analyzer(state.language))[:QUERY_TERMS_COUNTED_MAX]
    counts = {each: _frequency(connection, state, each) for each in asked}
    most = sum(_bound(each, _idf(total, count)) * (1 if count else UNHEARD_WEIGHT) for each, count in counts.items())
    named = _named(counts, total)
    rarest = sorted(((each, count) for each, count in counts.items() if count), key=lambda each: each[1])[:QUERY_TERMS_MAX]
    if not rarest:
        return Matches((), most, named)
    arms = tuple((_home(state, each), each.kind.ranked) for each, _ in rarest)
    values: dict[str, Any] = {"limit": limit, "allowed": _json(allowed), "also": _json(also)}
    for at, (each, count) in enumerate(rarest):
        factor = _correction(total, count) if each.kind.ranked else _idf(total, count)
        values |= {f"said_{at}": each.expression, f"factor_{at}": factor * each.weight}
    rows = _ranking(arms, allowed is not None, also is not None).all(connection, **values)
    found = sorted((Scored(chunk, float(score)) for chunk, score in rows), key=lambda each: (-each.score, each.chunk_id))
    return Matches(tuple(found[:limit]), most, named, tuple(found[limit:]))


@lru_cache(maxsize=128)
def _ranking(arms: tuple[tuple[str, bool], ...], selective: bool, more: bool) -> Prepared:
    """(chunk, score): the best by the sum of what each arm gives; an arm looks something up in one of the tables."""
    among = _materialized(_listed("allowed"), "allowed") if selective else None
    found = _materialized(union_all(*(_arm(at, name, ranked, among) for at, (name, ranked) in enumerate(arms))), "arms")
    totals = _materialized(select(found.c.chunk, func.sum(found.c.score).label("score")).group_by(found.c.chunk), "totals")
    best: Any = select(totals).order_by(totals.c.score.desc(), totals.c.chunk).limit(bindparam("limit", type_=Integer))
    if more:
        best = union(select(best.subquery()), select(totals).where(totals.c.chunk.in_(_listed("also"))))
    return Prepared(best)


def _arm(at: int, name: str, ranked: bool, allowed: CTE | None) -> Select[Any]:
    """(chunk, score) of every row that has what is looked up."""
    factor: Any = bindparam(f"factor_{at}", type_=Float)
    score: Any = -func.bm25(literal_column(name)) * factor if ranked else factor
    arm = select(literal_column("rowid").label("chunk"), score.label("score")).select_from(_table(name))
    arm = arm.where(literal_column(name).op("MATCH")(bindparam(f"said_{at}", type_=Text)))
    # the plus keeps SQLite from looking the term up once for every allowed id
    return arm if allowed is None else arm.where(literal_column("+rowid").in_(select(allowed.c.id)))


def _listed(name: str) -> Select[tuple[int]]:
    """Ids as one column, given as one text: they were found once, which costs more than to hand them over."""
    return select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value.label("id"))


def _json(ids: Ids | None) -> str:
    return json.dumps([] if ids is None else ids.tolist())


def _materialized(query: SelectBase, name: str) -> CTE:
    """Worked out once and first: bm25() refuses to run inside an aggregate that SQLite has merged it into."""
    return query.cte(name).prefix_with("MATERIALIZED")


def rarity(connection: Connection, state: CollectionState, query: str) -> dict[str, float]:
    """The idf of each single word of a query, by its stem."""
    total = row_count(connection, state)
    words = [each for each in lookups(query, analyzer(state.language)) if each.kind is Kind.WORD]
    return {each.text: _idf(total, _frequency(connection, state, each)) for each in words[:QUERY_TERMS_COUNTED_MAX]}


def _frequency(connection: Connection, state: CollectionState, lookup: Lookup) -> int:
    ((count,),) = _having(_home(state, lookup)).all(connection, said=lookup.expression)
    return int(count)


@lru_cache(maxsize=128)
def _having(name: str) -> Prepared:
    """How many rows of a table have what is looked up."""
    said = literal_column(name).op("MATCH")(bindparam("said", type_=Text))
    return Prepared(select(func.count()).select_from(_table(name)).where(said))


def _bound(lookup: Lookup, idf: float) -> float:
    return lookup.weight * idf * (_K1 + 1 if lookup.kind.ranked else 1)


def _named(counts: Mapping[Lookup, int], total: int) -> float:
    single = {each: _idf(total, count) for each, count in counts.items() if each.kind in (Kind.WORD, Kind.FORM)}
    return sum(idf for each, idf in single.items() if each.named) / (sum(single.values()) or 1.0)


def _correction(total: int, count: int) -> float:
    """Lucene's idf over the one that bm25() has multiplied in."""
    theirs = math.log((total - count + 0.5) / (count + 0.5))
    return _idf(total, count) / (theirs if theirs > 0 else _LEAST_IDF)


def _idf(total: int, count: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))


def _home(state: CollectionState, lookup: Lookup) -> str:
    return _terms(state) if lookup.kind.ranked else _forms(state)


def _terms(state: CollectionState) -> str:
    return f"terms_fts_{state.id}"


def _forms(state: CollectionState) -> str:
    return f"forms_fts_{state.id}"


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(sql_column, ("rowid", *columns)))
