"""What `doctor` looks at: is the truth sound, and does everything derived agree with it? Changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from vecsearch.core.errors import StorageError
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity import derived, folder, index_files, rows, schema_checks
from vecsearch.stores.sqlite.integrity.problems import RESTORE, Kind, Trouble, error, guarded


def examine(database: DatabaseFolder) -> Iterator[Trouble]:
    """Everything worth knowing of the SQLite file and the files beside it; nothing when all is well."""
    try:
        with database.begin_read() as connection:
            broken = yield from _structure(connection)
            states = list_states(connection)
            for state in states:
                yield from _collection(connection, database, state)
            yield from guarded("the row numbers", partial(schema_checks.numbers, connection))
            yield from guarded("what is left over", partial(folder.leftovers, connection, database))
        if not broken:
            for state in states:
                yield from guarded("the text index", partial(_words, database, state))
        yield from guarded("the database folder", partial(folder.files_of, database))
    except (StorageError, ValueError, TypeError) as error_:
        yield _unreadable(error_)


def _structure(connection: Connection) -> Generator[Trouble, None, bool]:
    """Gives whether the file is damaged itself."""
    broken = False
    for check in (schema_checks.sqlite, schema_checks.references, schema_checks.versions, schema_checks.belonging):
        for trouble in guarded("SQLite's file", partial(check, connection)):
            broken = broken or trouble.kind is Kind.BROKEN
            yield trouble
    return broken


def _collection(connection: Connection, database: DatabaseFolder, state: CollectionState) -> Iterator[Trouble]:
    for what, check in (
        ("the collection's own row", schema_checks.collection),
        ("the documents", rows.documents_of),
        ("the vectors", rows.vectors_of),
        ("the facts", derived.facts_of),
        ("the staged vectors", derived.staged_of),
        ("the files", derived.failed_sources),
    ):
        yield from guarded(f"{what} of {state.name!r}", partial(check, connection, state))
    yield from guarded(f"the index files of {state.name!r}", partial(index_files.check, connection, database, state))


def _words(database: DatabaseFolder, state: CollectionState) -> Iterator[Trouble]:
    """On a connection of its own, whose temporary tables lie on disk and go with it."""
    with (
        closing(DatabaseFolder(database.folder, readonly=True, timeout=database.timeout)) as apart,
        apart.begin_read() as connection,
    ):
        yield from derived.words_of(connection, state)


def _unreadable(error_: Exception) -> Trouble:
    return error(str(error_), "the SQLite file cannot be read through", RESTORE, kind=Kind.BROKEN)
