"""The truth as SQLite sees it: its file, its version, rows that belong to rows, numbers that are never used twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, Text, func, select, table
from sqlalchemy import column as sql_column

from vecsearch.core.settings import SCHEMA_VERSION
from vecsearch.core.types import format_count
from vecsearch.stores.sqlite.engine.collections import CollectionRole, CollectionState
from vecsearch.stores.sqlite.engine.connections import get_driver
from vecsearch.stores.sqlite.engine.sequences import AUTOINCREMENT_TABLES, get_last_number
from vecsearch.stores.sqlite.engine.tables import chunks, collections, documents, segments, tombstones
from vecsearch.stores.sqlite.integrity.problems import FIX, RESTORE, Kind, Trouble, error, note
from vecsearch.text.analyzer import is_known_stemmer

REVISION: Final = table("alembic_version", sql_column("version_num", Text))
_SHOWN: Final = 100  # messages of integrity_check; what is said of pages comes first
_OF_AN_INDEX: Final = re.compile(
    r"row \d+ missing from index|wrong # of entries in index|non-unique entry in index|rowid not at end"
)
_DIMENSION_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows that refer to a row which is not there: what that means, and whether they follow from others and can go."""

    meaning: str
    kind: Kind | None
    fix: str = FIX


_TRUTH: Final = "they cannot be found, and what they belonged to is not known any more"
_LOST: Final = {
    ("vectors", "chunks"): Lost("vectors of nothing: they only take space", Kind.ORPHANS),
    ("chunks", "documents"): Lost("chunks without their text: they cannot be shown", Kind.ORPHANS),
    ("chunks", "collections"): Lost("chunks that no search looks at", Kind.COLLECTIONS),
    ("metadata_index", "collections"): Lost("they only take space", Kind.ORPHANS),
    ("segments", "collections"): Lost("they only take space", Kind.ORPHANS),
    ("tombstones", "collections"): Lost("they only take space", Kind.ORPHANS),
    ("staged_vectors", "collections"): Lost("they only take space", Kind.ORPHANS),
    ("sources", "collections"): Lost("they only take space", Kind.ORPHANS),
    ("documents", "sources"): Lost(
        "the files they came from are not known any more", None, "delete them by id and index the files again"
    ),
    ("documents", "collections"): Lost(_TRUTH, None, RESTORE),
}


def sqlite(connection: Connection) -> Iterator[Trouble]:
    """Pages, records and indexes, by SQLite's own check."""
    said = [str(row[0]) for row in get_driver(connection).execute(f"PRAGMA integrity_check({_SHOWN})")]
    if said == ["ok"]:
        return
    of_indexes = [each for each in said if _OF_AN_INDEX.match(each)]
    for each in [each for each in said if each not in of_indexes][:10]:
        yield error(f"SQLite: {each}", "the file that holds everything is damaged", RESTORE, kind=Kind.BROKEN)
    if of_indexes:
        what = f"SQLite: {of_indexes[0]}{_and_more(len(of_indexes) - 1)}"
        yield error(what, "rows that are there may not be found, or be taken for others", kind=Kind.INDEXES)


def references(connection: Connection) -> Iterator[Trouble]:
    """Rows without the row that they belong to."""
    broken = Counter((row[0], row[2]) for row in get_driver(connection).execute("PRAGMA foreign_key_check"))
    for (of, to), count in sorted(broken.items()):
        lost = _LOST.get((of, to), Lost("a write was not complete, or another program changed the file", None, RESTORE))
        belongs = "it belongs" if count == 1 else "they belong"
        what = f"{format_count(count, 'row')} of {of} without the row of {to} that {belongs} to"
        yield error(what, lost.meaning, lost.fix, kind=lost.kind)


def versions(connection: Connection) -> Iterator[Trouble]:
    """The two records of the format's version must say the same."""
    said = connection.scalars(select(REVISION.c.version_num)).all()
    if list(said) != [revision_name()]:
        what = f"the format is recorded as {', '.join(map(str, said)) or 'nothing'} and as {SCHEMA_VERSION} (user_version)"
        yield error(what, "the next upgrade of the format would fail or repeat what was done", kind=Kind.VERSION)


def revision_name() -> str:
    """Alembic's name of the newest migration."""
    return f"{SCHEMA_VERSION:04}"


def belonging(connection: Connection) -> Iterator[Trouble]:
    """A chunk is in the collection of its document."""
    astray = (
        select(func.count())
        .select_from(chunks)
        .join(documents, documents.c.id == chunks.c.document_id)
        .join(collections, collections.c.id == documents.c.collection_id)
        .where(chunks.c.collection_id != documents.c.collection_id)
    )
    if count := connection.scalar(astray):
        what = f"{format_count(count, 'chunk')} in another collection than {'its' if count == 1 else 'their'} document"
        yield error(what, "another collection finds them, their own does not", kind=Kind.COLLECTIONS)


def numbers(connection: Connection) -> Iterator[Trouble]:
    """No number of a row is given twice: SQLite goes on after the highest that was ever there."""
    for each in AUTOINCREMENT_TABLES:
        highest, last = highest_number(connection, each), get_last_number(connection, each)
        last = 0 if last is None else last
        if not isinstance(last, int) or last < highest:
            what = f"the next row of {each.name} would get a number after {last}, and {highest} is taken"
            yield error(
                what, "a new row could be taken for one that was deleted, by who reads at the same time", kind=Kind.NUMBERS
            )


def highest_number(connection: Connection, of: Table) -> int:
    """The highest row number of a table that anything still tells of."""
    told = [of.c.id, *((segments.c.last_id, collections.c.indexed_up_to, tombstones.c.chunk_id) if of is chunks else ())]
    return max(connection.scalar(select(func.max(each))) or 0 for each in told)


def collection(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """A collection's own row."""
    if state.role is CollectionRole.REPLACED:
        what = "a collection that was replaced waits to be dropped"
        yield note(what, "answers are right; it only takes space", kind=Kind.HIDDEN)
    if not 1 <= state.dimension <= _DIMENSION_MAX:
        what = f"its vectors are said to have {state.dimension:,} numbers"
        yield error(what, "no vector can be compared", RESTORE, state=state)
    if not is_known_stemmer(state.stemmer):
        what = f"its language is said to be {state.stemmer!r}, of which no stemmer is known"
        yield error(what, "it cannot be searched by words", "vecsearch optimize --language CODE", state=state)


def _and_more(count: int) -> str:
    return f", and {count:,} more" if count else ""
