"""The one place that wires a store in: a path gives a database, or one collection of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from vecsearch.api import arguments
from vecsearch.api.collection import Collection
from vecsearch.api.database import Database
from vecsearch.core.checks import check_choice, check_collection_name, shorten_repr
from vecsearch.core.errors import InputError, UnavailableError
from vecsearch.core.forks import pause
from vecsearch.core.settings import COLLECTION_DEFAULT, LOCK_TIMEOUT_S
from vecsearch.core.types import AnyPath, AnyPrecision, CollectionSpec, Precision
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.stores.sqlite.store import SQLiteStore, is_database


def open(
    path: AnyPath,
    *,
    collection: str = COLLECTION_DEFAULT,
    model: str | TextEncoder | None = None,
    readonly: bool = False,
    create: bool = True,
    precision: AnyPrecision = Precision.FLOAT16,
    stemmer: str | None = None,
    lock_timeout: float = LOCK_TIMEOUT_S,
) -> Collection:
    """Open a collection of the database folder at `path`, which is created when missing (not when `readonly`, nor without
    `create`).

    `model`: a hub name, a local folder, or a `TextEncoder`; by default the collection's own, for a new one all-MiniLM-L6-v2.
    `precision`: of a new collection: float16 stores half-precision vectors, which a named model makes in 8-bit arithmetic where
    that does it no harm; float32 makes and stores them in single precision. `stemmer`: of a new collection's text index, an ISO
    639-1 code or "none"; by default that of its first documents' language. `lock_timeout`: seconds to wait for a writer.
    A collection can be pickled, and so given to a process that is spawned: it is opened again there, with the same arguments.
    Raises NotADatabaseError, SchemaVersionError, ModelMismatchError, UnavailableError.
    """
    check_collection_name(collection)
    spec = CollectionSpec(check_choice(Precision, precision, "precision"), arguments.parse_stemmer(stemmer))
    store = _open_store(path, model=model, create=create and not readonly, readonly=readonly, lock_timeout=lock_timeout)
    opened = Collection(store, collection, model=model, spec=spec, reopen=_make_reopen(store, lock_timeout))
    try:
        opened._check_settings()
    except BaseException:
        opened.close()
        raise
    return opened


def connect(path: AnyPath, *, readonly: bool = False, create: bool = True, lock_timeout: float = LOCK_TIMEOUT_S) -> Database:
    """Open the database folder at `path`, which is created when missing, to look after all of it.

    Not when `readonly`, nor without `create`.

    Raises NotADatabaseError, SchemaVersionError.
    """
    store = _open_store(path, model=None, create=create and not readonly, readonly=readonly, lock_timeout=lock_timeout)
    return Database(store, reopen=_make_reopen(store, lock_timeout))


def _make_reopen(store: SQLiteStore, lock_timeout: float) -> Callable[..., Collection]:
    """Return what opens a collection of the same database again, in another process too."""
    return partial(open, store.location, lock_timeout=lock_timeout)


def restore(file: AnyPath, path: AnyPath, *, replace: bool = False) -> dict[str, Any]:
    """Create the database of a backup at `path`; returns what it holds. The file is verified before anything is touched.

    `replace` puts it in the place of all that a database there holds, in one transaction: a reader sees the old content, then the
    new; a kill leaves the old. Raises InputError where a database is and `replace` is not given, UnreadableFileError,
    DatabaseCorruptedError, SchemaVersionError, DatabaseLockedError, DiskFullError.
    """
    from vecsearch.stores.sqlite.backup.restore import restore_backup

    return restore_backup(Path(file).expanduser(), _parse_path(path), replace=replace)


def load_encoder(model: str | None = None) -> TextEncoder:
    """Return the encoder of a model, loaded: a hub name, a local folder, or all-MiniLM-L6-v2. The last few stay in memory.

    Raises UnavailableError.
    """
    encoder = registry.load(model)
    _ = encoder.dimension  # which only a model that is loaded knows
    return encoder


def exists(path: AnyPath) -> bool:
    """Return whether there is a database at `path`."""
    return is_database(_parse_path(path))


def load_writing() -> None:
    """Load what creating a database and writing to it takes, while there is something else to wait for."""
    import_module("vecsearch.stores.sqlite.engine.migration")
    import_module("vecsearch.stores.sqlite.write.writer")


def _open_store(
    path: AnyPath, *, model: str | TextEncoder | None, create: bool, readonly: bool, lock_timeout: Any
) -> SQLiteStore:
    if sys.platform == "win32":  # neither folders are synced nor stuck parsers stopped there as promised
        raise UnavailableError("vecsearch runs on Linux and macOS; on Windows, use it inside WSL")
    pause()
    folder, timeout = _parse_path(path), _check_lock_timeout(lock_timeout)
    if create and not is_database(folder):
        registry.load(model)  # fails, if it must, before anything is made
        from vecsearch.stores.sqlite.engine import creation

        creation.create_database(folder)
    return SQLiteStore(folder, readonly=readonly, lock_timeout=timeout)


def _parse_path(path: AnyPath) -> Path:
    folder = Path(path).expanduser()
    if "\0" in str(folder):
        raise InputError(f"a path holds no NUL character, got {str(folder)!r:.120}")
    return folder


def _check_lock_timeout(seconds: Any) -> float:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"lock_timeout must be a number of seconds, 0 or more, got {shorten_repr(seconds)}")
    return float(seconds)
