"""SQLite files of other programs: opened to be read, never changed, nothing of them trusted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from vecsearch.core.errors import UnreadableFileError


@contextmanager
def open_foreign(file: Path) -> Iterator[Connection]:
    """Open one consistent view of a database. Raises UnreadableFileError."""

    def connect() -> sqlite3.Connection:
        lone = not os.access(file.parent, os.W_OK)  # nobody can be writing, and SQLite could make no file beside it
        uri = f"{file.absolute().as_uri()}?{'immutable=1' if lone else 'mode=ro'}"
        raw = sqlite3.connect(uri, uri=True, isolation_level=None)
        for statement in ("PRAGMA trusted_schema = OFF", "PRAGMA query_only = ON", "PRAGMA cell_size_check = ON", "BEGIN"):
            raw.execute(statement)
        raw.text_factory = _decode_text
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise UnreadableFileError(f"cannot read {file}: {getattr(error, 'orig', None) or error}") from error
    finally:
        engine.dispose()


def _decode_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")  # what is broken is refused with its record, not with the file
