"""What follows from the truth inside SQLite: facts, the text index, and what a run keeps for its next attempt."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from vecsearch.core.types import format_count
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state
from vecsearch.stores.sqlite.engine.tables import chunks, sources, staged_vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity.problems import Kind, Trouble, error, note
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.text.analyzer import is_known_stemmer


def facts_of(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """What filters look up is the metadata."""
    unreadable = metadata_index.unreadable(connection, state.id)
    if wrong := metadata_index.mismatches(connection, state.id, without=unreadable):
        what = f"what filters look up is not the metadata of {format_count(wrong, 'document')}"
        yield error(what, "filters find others than they should", kind=Kind.FACTS, state=state)


def words_of(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """The text index is, entry for entry, what analysis makes of the texts. Makes temporary tables."""
    now = find_state(connection, state.ref)
    if now is None or now.id != state.id or not is_known_stemmer(now.stemmer):
        return
    if not term_tables.is_exact(connection, now):
        yield error(f"the text index {_counts(connection, now)}", "lexical answers are wrong", kind=Kind.WORDS, state=now)


def _counts(connection: Connection, state: CollectionState) -> str:
    held = connection.scalar(select(func.count()).where(chunks.c.collection_id == state.id)) or 0
    found = term_tables.try_count_chunks(connection, state)
    return "is not what the texts say" if held == found else f"holds {found:,} rows for {format_count(held, 'chunk')}"


def staged_of(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """Vectors kept for a document that was not completed are of use only to a run that goes on with it."""
    if count := stale(connection, state):
        what = f"{format_count(count, 'vector')} kept from an interrupted run, which nothing waits for"
        yield note(what, "answers are right; they only take space", kind=Kind.STAGED, state=state)
    size = state.dimension * get_dtype(state.precision).itemsize
    torn = select(func.count()).where(staged_vectors.c.collection_id == state.id, func.length(staged_vectors.c.vector) != size)
    if count := connection.scalar(torn) or 0:
        what = f"{format_count(count, 'vector')} kept from an interrupted run, of another length than the collection's"
        yield note(what, "the next run would stop at them", kind=Kind.STAGED, state=state)


def stale(connection: Connection, state: CollectionState) -> int:
    """Staged vectors that are left over though no file is unfinished; none of a collection that is being made."""
    unfinished = select(func.count()).where(sources.c.collection_id == state.id, sources.c.digest.is_(None))
    if state.is_hidden or connection.scalar(unfinished):
        return 0
    return connection.scalar(select(func.count()).where(staged_vectors.c.collection_id == state.id)) or 0


def failed_sources(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """Files whose newest attempt failed."""
    query = select(sources.c.path, sources.c.error).where(sources.c.collection_id == state.id, sources.c.error.is_not(None))
    if state.is_hidden:
        return
    for path, said in connection.execute(query):
        what = f"{path} could not be read: {said}"
        yield note(what, "what it gave before is kept", "mend the file and index it again", state=state)
