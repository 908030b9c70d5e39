"""The truth as SQLite sees it: its file, its version and tables, rows that belong to rows, row numbers never used twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Table, func, select

from vecsearch.core.settings import DIMENSION_MAX, SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.core.types import format_count, format_names
from vecsearch.stores.base import RESTORE_HINT
from vecsearch.stores.sqlite.engine.collections import CollectionRole, CollectionState
from vecsearch.stores.sqlite.engine.connections import get_driver
from vecsearch.stores.sqlite.engine.migration import (
    format_revision,
    list_expected_columns,
    list_missing_columns,
    read_columns,
    read_revisions,
)
from vecsearch.stores.sqlite.engine.sequences import AUTOINCREMENT_TABLES, get_last_number
from vecsearch.stores.sqlite.engine.tables import chunks, collections, documents, segments, tombstones
from vecsearch.stores.sqlite.integrity.problems import OPTIMIZE_COMMAND, Problem, ProblemKind, make_error, make_note
from vecsearch.text.analyzer import is_known_stemmer

_MESSAGES_MAX: Final = 100  # of integrity_check; what it says of pages comes first
_INDEX_MESSAGE: Final = re.compile(
    r"row \d+ missing from index|wrong # of entries in index|non-unique entry in index|rowid not at end"
)
_ORPHAN_MEANINGS: Final = {
    ("vectors", "chunks"): "vectors of no chunk: they only take space",
    ("chunks", "documents"): "chunks without their text: they cannot be shown",
    ("chunks", "collections"): "chunks that no search looks at",
    ("roots", "collections"): "what was indexed is not refreshed, and has no other effect",
    ("ignored_documents", "collections"): "what was to be kept away may come back",
    ("preferences", "collections"): "likes and dislikes of no collection: they only take space",
    ("query_maps", "collections"): "a map of questions of no collection: it only takes space",
    ("documents", "sources"): "the files they came from are not known any more",
    ("documents", "collections"): "they cannot be found, and what they belonged to is not known any more",
}


def check_file(connection: Connection) -> Iterator[Problem]:
    """Check pages, records and indexes, by SQLite's own means."""
    messages = [str(row[0]) for row in get_driver(connection).execute(f"PRAGMA integrity_check({_MESSAGES_MAX})")]
    if messages == ["ok"]:
        return
    of_indexes = [message for message in messages if _INDEX_MESSAGE.match(message)]
    if of_file := [message for message in messages if message not in of_indexes]:
        meaning = "the file that holds everything is damaged"
        yield make_error(_describe_messages(of_file), meaning, RESTORE_HINT, kind=ProblemKind.BROKEN)
    if of_indexes:
        meaning = "rows that are there may not be found, or be taken for others"
        yield make_error(_describe_messages(of_indexes), meaning, kind=ProblemKind.SQLITE_INDEXES)


def _describe_messages(messages: Sequence[str]) -> str:
    """Return the first of SQLite's messages in one line, and how many there are besides."""
    more = f", and {len(messages) - 1:,} more" if len(messages) > 1 else ""
    return f"SQLite: {' '.join(messages[0].split())}{more}"


def check_references(connection: Connection) -> Iterator[Problem]:
    """Find rows without the row that they belong to."""
    counts = Counter((row[0], row[2]) for row in get_driver(connection).execute("PRAGMA foreign_key_check"))
    for (child, parent), count in sorted(counts.items()):
        meaning = _ORPHAN_MEANINGS.get((child, parent), "a write was not complete, or another program changed the file")
        belongs = "it belongs" if count == 1 else "they belong"
        what = f"{format_count(count, 'row')} of {child} without the row of {parent} that {belongs} to"
        yield make_error(what, meaning, RESTORE_HINT)


def check_versions(connection: Connection) -> Iterator[Problem]:
    """Compare the two records of the format's version with each other and with the tables; all three must say the same."""
    revisions, missing = read_revisions(connection), list_missing_columns(connection)
    if revisions == [format_revision(SCHEMA_VERSION)] and not missing:
        return
    what = f"the format is recorded as {', '.join(revisions) or 'nothing'} and as {SCHEMA_VERSION} (user_version)"
    older = [[format_revision(version)] for version in range(SCHEMA_VERSION_MIN, SCHEMA_VERSION)]
    if not missing:
        is_exact = read_columns(connection) == list_expected_columns()
        meaning = "the next upgrade of the format would fail or repeat what was done"
        yield make_error(what, meaning, kind=ProblemKind.SCHEMA) if is_exact else make_error(what, meaning, RESTORE_HINT)
    elif not read_columns(connection):
        yield make_error(f"{what}, and it has no tables", "it holds nothing, and cannot be written to", kind=ProblemKind.SCHEMA)
    elif revisions in older:
        meaning = "its upgrade was not done: it can be neither read nor written"
        yield make_error(f"{what}, and its tables are those of the first", meaning, kind=ProblemKind.SCHEMA)
    else:
        absent = format_names([f"{table}.{column}" for table, column in missing], limit=3)
        yield make_error(f"{what}, and these are not there: {absent}", "they are lost", RESTORE_HINT, kind=ProblemKind.BROKEN)


def check_chunk_collections(connection: Connection) -> Iterator[Problem]:
    """Find chunks that are in another collection than their document."""
    astray = (
        select(func.count())
        .select_from(chunks)
        .join(documents, documents.c.id == chunks.c.document_id)
        .join(collections, collections.c.id == documents.c.collection_id)
        .where(chunks.c.collection_id != documents.c.collection_id)
    )
    if count := connection.scalar(astray):
        what = f"{format_count(count, 'chunk')} in another collection than {'its' if count == 1 else 'their'} document"
        yield make_error(what, "another collection finds them, their own does not", RESTORE_HINT)


def check_row_numbers(connection: Connection) -> Iterator[Problem]:
    """Find tables that would give a row number twice: SQLite goes on after the highest that was ever there."""
    for target in AUTOINCREMENT_TABLES:
        highest, last = _find_highest_number(connection, target), get_last_number(connection, target)
        last = 0 if last is None else last
        if not isinstance(last, int) or last < highest:
            what = f"the next row of {target.name} would get a number after {last}, and {highest} is taken"
            meaning = "a new row could be taken for one that was deleted, by whoever reads at the same time"
            yield make_error(what, meaning, RESTORE_HINT)


def _find_highest_number(connection: Connection, target: Table) -> int:
    """Return the highest row number of a table that anything still tells of."""
    of_chunks = (segments.c.last_id, collections.c.indexed_up_to, tombstones.c.chunk_id)
    columns = [target.c.id, *(of_chunks if target is chunks else ())]
    return max(connection.scalar(select(func.max(column))) or 0 for column in columns)


def check_collection(_: Connection, state: CollectionState) -> Iterator[Problem]:
    """Check a collection's own row."""
    if state.role is CollectionRole.REPLACED:
        what = "a collection that was replaced waits to be dropped"
        yield make_note(what, "answers are right; it only takes space until the next write", OPTIMIZE_COMMAND)
    if not 1 <= state.dimension <= DIMENSION_MAX:
        what = f"its vectors are recorded as having {state.dimension:,} dimensions"
        yield make_error(what, "no vector can be compared", RESTORE_HINT, state=state)
    if not is_known_stemmer(state.stemmer):
        what = f"its stemmer is recorded as {state.stemmer!r}, which is not known"
        yield make_error(what, "its text index cannot be searched", "vecsearch optimize --stemmer CODE", state=state)
