"""Look through the SQLite file and the files beside it. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from vecsearch.core.errors import StorageError
from vecsearch.stores.base import RESTORE_HINT
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity import derived, folder, index_files, rows, schema_checks
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, describe_error, guard, make_error

Examined = tuple[str, list[Problem]]  # what was looked at, and what is wrong with it


def find_problems(database: DatabaseFolder) -> Iterator[Problem]:
    """Yield everything worth knowing; nothing when all is well."""
    for _, problems in examine(database):
        yield from problems


def examine(database: DatabaseFolder) -> Iterator[Examined]:
    """Yield each thing that was looked at, with its problems. What is damaged as a file is looked at no further."""
    try:
        with database.begin_read() as connection:
            yield (versions := _run_check("format", partial(schema_checks.check_versions, connection)))
            if _is_broken(versions):
                return  # whatever else is asked of the tables would fail
            yield (file := _check_structure(connection))
            if _is_broken(file):
                return  # it would be the same damage, told again
            states = list_states(connection)
            for state in states:
                yield from _check_collection(connection, database, state)
            yield _run_check("row numbers", partial(schema_checks.check_row_numbers, connection))
            yield _run_check("leftovers", partial(folder.find_leftovers, connection, database))
        for state in states:
            yield _run_check(f"text index of {state.name!r}", partial(_check_text_index, database, state))
        yield _run_check("database folder", partial(folder.check_files, database))
    except (StorageError, ValueError, TypeError) as error:
        meaning = "the SQLite file cannot be read through"
        yield "SQLite's file", [make_error(describe_error(error), meaning, RESTORE_HINT, kind=ProblemKind.BROKEN)]


def _run_check(what: str, check: Callable[[], Iterator[Problem]]) -> Examined:
    return what, list(guard(f"the {what}", check))


def _is_broken(examined: Examined) -> bool:
    return any(problem.kind in (ProblemKind.BROKEN, ProblemKind.SCHEMA) for problem in examined[1])


def _check_structure(connection: Connection) -> Examined:
    """Look at the file as SQLite sees it."""
    problems: list[Problem] = []
    for check in (schema_checks.check_file, schema_checks.check_references, schema_checks.check_chunk_collections):
        problems += guard("SQLite's file", partial(check, connection))
        if any(problem.kind is ProblemKind.BROKEN for problem in problems):
            break
    return "SQLite's file", problems


def _check_collection(connection: Connection, database: DatabaseFolder, state: CollectionState) -> Iterator[Examined]:
    for what, check in (
        ("collection's own row", schema_checks.check_collection),
        ("documents", rows.check_documents),
        ("vectors", rows.check_vectors),
        ("metadata index", derived.check_metadata_index),
        ("pending vectors", derived.check_pending_vectors),
        ("map of questions", derived.check_query_map),
        ("files", derived.list_failed_sources),
    ):
        yield _run_check(f"{what} of {state.name!r}", partial(check, connection, state))
    yield _run_check(f"index files of {state.name!r}", partial(index_files.check_index_files, connection, database, state))


def _check_text_index(database: DatabaseFolder, state: CollectionState) -> Iterator[Problem]:
    """Check on a connection of its own, whose temporary tables lie on disk and go with it."""
    with closing(DatabaseFolder(database.folder, readonly=True, timeout=database.timeout)) as own, own.begin_read() as connection:
        yield from derived.check_text_index(connection, state)
