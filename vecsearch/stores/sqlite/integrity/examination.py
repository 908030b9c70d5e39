"""Look through the SQLite file and the files beside it. Changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from vecsearch.core.errors import StorageError
from vecsearch.stores.base import RESTORE_HINT
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity import derived, folder, index_files, rows, schema_checks
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, guard, make_error


def find_problems(database: DatabaseFolder) -> Iterator[Problem]:
    """Yield everything worth knowing; nothing when all is well."""
    try:
        with database.begin_read() as connection:
            versions = list(guard("the format", partial(schema_checks.check_versions, connection)))
            yield from versions
            if any(problem.kind in (ProblemKind.BROKEN, ProblemKind.SCHEMA) for problem in versions):
                return  # whatever else is asked of the tables would fail
            is_broken = yield from _check_structure(connection)
            states = list_states(connection)
            for state in states:
                yield from _check_collection(connection, database, state)
            yield from guard("the row numbers", partial(schema_checks.check_row_numbers, connection))
            yield from guard("what is left over", partial(folder.find_leftovers, connection, database))
        if not is_broken:
            for state in states:
                yield from guard("the text index", partial(_check_text_index, database, state))
        yield from guard("the database folder", partial(folder.check_files, database))
    except (StorageError, ValueError, TypeError) as error:
        yield make_error(str(error), "the SQLite file cannot be read through", RESTORE_HINT, kind=ProblemKind.BROKEN)


def _check_structure(connection: Connection) -> Generator[Problem, None, bool]:
    """Yield what is wrong with the schema; returns whether the file itself is damaged."""
    is_broken = False
    for check in (schema_checks.check_file, schema_checks.check_references, schema_checks.check_chunk_collections):
        for problem in guard("SQLite's file", partial(check, connection)):
            is_broken = is_broken or problem.kind is ProblemKind.BROKEN
            yield problem
    return is_broken


def _check_collection(connection: Connection, database: DatabaseFolder, state: CollectionState) -> Iterator[Problem]:
    for what, check in (
        ("the collection's own row", schema_checks.check_collection),
        ("the documents", rows.check_documents),
        ("the vectors", rows.check_vectors),
        ("the metadata index", derived.check_metadata_index),
        ("the pending vectors", derived.check_pending_vectors),
        ("the files", derived.list_failed_sources),
    ):
        yield from guard(f"{what} of {state.name!r}", partial(check, connection, state))
    yield from guard(f"the index files of {state.name!r}", partial(index_files.check_index_files, connection, database, state))


def _check_text_index(database: DatabaseFolder, state: CollectionState) -> Iterator[Problem]:
    """Check on a connection of its own, whose temporary tables lie on disk and go with it."""
    with closing(DatabaseFolder(database.folder, readonly=True, timeout=database.timeout)) as own, own.begin_read() as connection:
        yield from derived.check_text_index(connection, state)
