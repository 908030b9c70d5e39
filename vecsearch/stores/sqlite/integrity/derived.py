"""What follows from the truth inside SQLite: the metadata index, the text index, and what a run keeps for its next attempt."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from vecsearch.core.types import format_count
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state
from vecsearch.stores.sqlite.engine.tables import chunks, sources, staged_vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, make_error, make_note
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.text.analyzer import is_known_stemmer


def check_metadata_index(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Compare what filters look up with the metadata."""
    unreadable = metadata_index.find_unreadable(connection, state.id)
    if count := metadata_index.count_mismatches(connection, state.id, without=unreadable):
        what = f"what filters look up is not the metadata of {format_count(count, 'document')}"
        yield make_error(what, "filters find others than they should", kind=ProblemKind.METADATA_INDEX, state=state)


def check_text_index(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Compare the text index, entry for entry, with what analysis makes of the texts. Makes temporary tables."""
    now = find_state(connection, state.ref)
    if now is None or now.id != state.id or not is_known_stemmer(now.stemmer):
        return
    if not term_tables.is_exact(connection, now):
        what = f"the text index {_describe_text_index(connection, now)}"
        yield make_error(what, "lexical answers are wrong", kind=ProblemKind.TEXT_INDEX, state=now)


def _describe_text_index(connection: Connection, state: CollectionState) -> str:
    expected = connection.scalar(select(func.count()).where(chunks.c.collection_id == state.id)) or 0
    count = term_tables.try_count_chunks(connection, state)
    return "is not what the texts say" if expected == count else f"holds {count:,} rows for {format_count(expected, 'chunk')}"


def check_staged_vectors(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Find vectors kept for a document that was not completed, which no run can use any more."""
    if count := _count_unused_staged_vectors(connection, state):
        what = f"{format_count(count, 'vector')} kept from an interrupted run, which nothing waits for"
        yield make_note(what, "answers are right; they only take space", kind=ProblemKind.STAGED_VECTORS, state=state)
    size = state.dimension * get_dtype(state.precision).itemsize
    torn = select(func.count()).where(staged_vectors.c.collection_id == state.id, func.length(staged_vectors.c.vector) != size)
    if count := connection.scalar(torn) or 0:
        what = f"{format_count(count, 'vector')} kept from an interrupted run, of another length than the collection's"
        yield make_note(what, "the next run would stop at them", kind=ProblemKind.STAGED_VECTORS, state=state)


def _count_unused_staged_vectors(connection: Connection, state: CollectionState) -> int:
    """Count staged vectors that are left over though no file is unfinished; none of a collection that is being built."""
    unfinished = select(func.count()).where(sources.c.collection_id == state.id, sources.c.digest.is_(None))
    if state.is_hidden or connection.scalar(unfinished):
        return 0
    return connection.scalar(select(func.count()).where(staged_vectors.c.collection_id == state.id)) or 0


def list_failed_sources(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """List files whose newest attempt failed."""
    query = select(sources.c.path, sources.c.error).where(sources.c.collection_id == state.id, sources.c.error.is_not(None))
    if state.is_hidden:
        return
    for path, reason in connection.execute(query):
        what = f"{path} could not be read: {reason}"
        yield make_note(what, "what it gave before is kept", "repair the file and index it again", state=state)
