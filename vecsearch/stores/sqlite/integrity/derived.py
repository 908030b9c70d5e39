"""What follows from the truth inside SQLite: the metadata index, the text index, which vectors are still to be made, and the map
of questions, which `tune` learns again."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
from sqlalchemy import Connection, exists, func, select

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.types import format_count, format_names
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state
from vecsearch.stores.sqlite.engine.tables import IS_PENDING, chunks, pending_vectors, sources, vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, describe_error, make_error, make_note
from vecsearch.stores.sqlite.read.query_map_rows import load_query_map
from vecsearch.stores.sqlite.write import pending_rows
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


def check_pending_vectors(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Compare the marks of chunks whose vectors are still to be made, or came late, with their number and with the vectors."""
    marks = pending_vectors.c.collection_id == state.id
    has_vector = exists().where(vectors.c.chunk_id == pending_vectors.c.chunk_id)
    wrong = select(func.count()).where(marks, has_vector == IS_PENDING)
    if count := connection.scalar(wrong):
        what = f"{format_count(count, 'chunk')} whose mark of a vector still to be made, or made, is wrong"
        meaning = "they may be left out when vectors are made, and a program that runs may not see their vectors"
        yield make_error(what, meaning, kind=ProblemKind.PENDING_VECTORS, state=state)
    number = connection.scalar(select(func.count()).where(marks, IS_PENDING)) or 0
    if number != state.pending_vectors:
        what = f"{state.pending_vectors:,} vectors are recorded as still to be made, and {number:,} are"
        yield make_error(what, "answers say a wrong number", kind=ProblemKind.PENDING_VECTORS, state=state)
    if (number := pending_rows.count_vectorless(connection, state)) != state.vectorless_chunks:
        what = f"{state.vectorless_chunks:,} chunks are recorded as to have no vector, and {number:,} are"
        yield make_error(what, "answers say a wrong number", kind=ProblemKind.PENDING_VECTORS, state=state)


def list_failed_sources(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Say which files could not be read the last time, all in one line."""
    is_failed = sources.c.collection_id == state.id, sources.c.error.is_not(None)
    paths = [] if state.is_hidden else list(connection.scalars(select(sources.c.path).where(*is_failed).order_by(sources.c.path)))
    if paths:
        what = f"{format_count(len(paths), 'file')} could not be read: {format_names(paths, limit=2)}"
        meaning = "what was read of them before, if anything, is kept"
        yield make_note(what, meaning, f"vecsearch ls --failed -c {quote(state.name)}", state=state)


def check_query_map(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Find a map of questions that is not what was written, or maps vectors of another width."""
    try:
        query_map = load_query_map(connection, state, {})
    except DatabaseCorruptedError as error:
        meaning = "questions cannot be searched by their vectors while it is there"
        yield make_error(describe_error(error), meaning, f"vecsearch tune --drop -c {quote(state.name)}", state=state)
        return
    if query_map is not None and not np.isfinite(query_map.matrix).all():
        what, meaning = "the map of questions holds NaN or infinity", "questions have no vector while it is there"
        yield make_error(what, meaning, f"vecsearch tune --drop -c {quote(state.name)}", state=state)
