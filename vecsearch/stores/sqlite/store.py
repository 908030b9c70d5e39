"""The store in one folder: SQLite holds the truth, FAISS files beside it are derived. Implements `stores.base.Store`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecsearch.core.errors import InputError, StorageError
from vecsearch.core.settings import LOCK_TIMEOUT_S
from vecsearch.core.types import CheckReport, Precision
from vecsearch.encoders.base import EncoderSpec, TextEncoder
from vecsearch.stores.base import CollectionInfo
from vecsearch.stores.sqlite.engine.collections import (
    CollectionName,
    find_state,
    get_replacement_ref,
    list_names,
    list_visible_states,
)
from vecsearch.stores.sqlite.engine.database_file import is_database
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.read.snapshot import SnapshotReader, SQLiteSnapshot, describe_collection

if TYPE_CHECKING:
    from vecsearch.stores.base import NewDocument, OutdatedDocument, RepairReport
    from vecsearch.stores.sqlite.write.preparation import TextPreparation
    from vecsearch.stores.sqlite.write.writer import SQLiteWriter

__all__ = ["SQLiteReplacement", "SQLiteStore", "is_database"]


class SQLiteStore:
    """A database folder. What only writers need is loaded when somebody writes: a search should not wait for it."""

    def __init__(self, folder: Path, *, readonly: bool = False, lock_timeout: float = LOCK_TIMEOUT_S) -> None:
        """Open a database that is there. Raises NotADatabaseError, SchemaVersionError, DatabaseCorruptedError."""
        self.database = DatabaseFolder(folder, readonly=readonly, timeout=lock_timeout)
        self._readers: dict[CollectionName, SnapshotReader] = {}
        self._held = threading.local()  # by which process this thread holds the write lock, and what it changed

    @property
    def location(self) -> str:
        """Return the folder."""
        return str(self.database.folder)

    @property
    def readonly(self) -> bool:
        """Return whether it can only be read."""
        return self.database.readonly

    @property
    def source_root(self) -> Path:
        """Return the folder that the database lies in."""
        return self.database.parent

    def list_collections(self) -> list[CollectionInfo]:
        """Return every collection, by name."""
        with self.database.begin_driver_read() as opened:
            return [describe_collection(state) for state in list_visible_states(opened.driver)]

    def list_names(self) -> list[str]:
        """Return the names of the collections, ascending."""
        with self.database.begin_driver_read() as opened:
            return list_names(opened.driver)

    def open_snapshot(self, collection: CollectionName) -> AbstractContextManager[SQLiteSnapshot | None]:
        """Open the collection as it is now; None while it is not there."""
        reader = self._readers.get(collection)
        if reader is None:  # two threads may come here at once: both take the one that stays
            reader = self._readers.setdefault(collection, SnapshotReader(self.database, collection))
        return reader.open_snapshot()

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Become the one writer; the thread that is may enter again.

        What an earlier writer left behind is cleared away first; index files that are due are written at the end.
        """
        process = os.getpid()
        if getattr(self._held, "by", None) == process:  # a child forked inside the block holds nothing
            yield
            return
        with self.database.hold_write_lock():
            from vecsearch.stores.sqlite.write import compaction, noise_floor_row, replacement

            try:
                self._held.by, self._held.changed = process, set()
                replacement.drop_leftovers(self.database)
                yield
                if os.getpid() == process:
                    for name in self._held.changed:
                        compaction.publish_if_due(self.database, name)
                        noise_floor_row.estimate_if_due(self.database, name, self.open_snapshot)
            finally:
                self._held.by = None

    @contextmanager
    def open_writer(self, collection: CollectionName) -> Iterator[SQLiteWriter]:
        """Become the one writer of a collection."""
        from vecsearch.stores.sqlite.write.writer import SQLiteWriter

        with self.hold_lock():
            changed: set[CollectionName] = self._held.changed
            yield SQLiteWriter(self.database, collection, lambda: self.open_snapshot(collection), lambda: changed.add(collection))

    @contextmanager
    def claim_filling(self, collection: CollectionName) -> Iterator[bool]:
        """Claim to be the one who makes this collection's pending vectors; gives False where another does."""
        from vecsearch.stores.sqlite.engine.write_lock import claim_filling

        with self.database.begin_driver_read() as opened:
            state = find_state(opened.driver, collection)
        if state is None:
            yield True
            return
        with claim_filling(self.database.folder, state.id) as claimed:
            yield claimed

    def prepare(self, info: CollectionInfo, documents: Sequence[NewDocument]) -> TextPreparation:
        """Begin the analysis of documents that are to be stored."""
        from vecsearch.stores.sqlite.write.preparation import TextPreparation

        return TextPreparation(info.stemmer, documents)

    def get_replacement(self, collection: str) -> SQLiteReplacement:
        """Return what is, or is to be, built to take a collection's place."""
        return SQLiteReplacement(self, collection)

    def rename_collection(self, old: str, new: str) -> None:
        """Raise CollectionNotFoundError, and InputError where the new name is taken."""
        from vecsearch.stores.sqlite.write.collection_rows import rename_collection

        with self.hold_lock():
            if new in self.list_names():
                raise InputError(f"there is a collection named {new!r} already; delete it first or choose another name")
            rename_collection(self.database, old, new)

    def drop_collection(self, name: str) -> None:
        """Delete a collection with all its documents. Raises CollectionNotFoundError."""
        from vecsearch.stores.sqlite.write import compaction
        from vecsearch.stores.sqlite.write.collection_rows import drop_collection

        with self.hold_lock():
            drop_collection(self.database, name)
            compaction.clear_leftovers(self.database)

    def compact(self, collection: str | None = None, *, full: bool = False) -> None:
        """Give free space back to the file system; see `stores.maintenance.MaintainedStore`."""
        from vecsearch.stores.sqlite.write import compaction

        with self.hold_lock():
            compaction.clear_leftovers(self.database)
            compaction.compact(self.database, collection, full=full)

    def backup(self, file: Path, *, replace: bool = False) -> dict[str, Any]:
        """Write all of it, as it is now, into one file with a checksum; returns what it holds."""
        from vecsearch.stores.sqlite.backup import backup_file

        return backup_file.to_dict(backup_file.write_backup(self.database, file, replace=replace))

    def check(self, model: str | TextEncoder | None = None) -> CheckReport:
        """Return what is wrong with it, the worst first, and what was looked at. Changes nothing."""
        from vecsearch.stores.sqlite.integrity.repair import collect_findings

        return collect_findings(self.database, model)

    def repair(self, model: str | TextEncoder | None = None) -> RepairReport:
        """Derive again what follows from texts, vectors and metadata, after a backup."""
        from vecsearch.stores.sqlite.integrity.repair import repair_database

        with self.database.hold_write_lock():  # no more: what `hold_lock` looks at may be what is to be repaired
            return repair_database(self.database, model)

    def find_old_copies(self) -> list[Path]:
        """Return copies of it as it was once, in its folder."""
        from vecsearch.stores.sqlite.integrity.folder import find_old_copies

        return find_old_copies(self.database)

    def collect_statistics(self) -> dict[str, Any]:
        """Return the fields of the shell's `status`."""
        from vecsearch.stores.sqlite.read import statistics

        return statistics.collect_status(self.database)

    def upgrade(self) -> bool:
        """Bring a database of an older format up to date, now; returns whether there was anything to do."""
        return self.database.upgrade()

    def check_open(self) -> None:
        """Raise DatabaseClosedError where it was closed."""
        self.database.check_open()

    def close(self) -> None:
        """Give the file handles back."""
        self.database.close()


class SQLiteReplacement:
    """A collection under a hidden name that is to take the place of a live one; see `stores.base.Replacement`."""

    def __init__(self, store: SQLiteStore, name: str) -> None:
        self._store, self._database, self._name = store, store.database, name
        self._begun: CollectionInfo | None = None

    @property
    def info(self) -> CollectionInfo | None:
        """Return the replacement as it is now; None where none was begun."""
        with self._database.begin_driver_read() as opened:
            state = find_state(opened.driver, get_replacement_ref(self._name))
        return None if state is None else describe_collection(state)

    def begin(self, encoder: EncoderSpec, precision: Precision) -> CollectionInfo:
        """Continue the replacement begun before, if its vectors are of this kind, else begin a new one."""
        from vecsearch.stores.sqlite.write.replacement import begin_replacement

        with self._store.hold_lock():
            begin_replacement(self._database, self._name, encoder, precision)
        self._begun = self.info
        assert self._begun is not None
        return self._begun

    def open_snapshot(self) -> AbstractContextManager[SQLiteSnapshot | None]:
        """Open the replacement, to read from."""
        return self._store.open_snapshot(get_replacement_ref(self._name))

    @contextmanager
    def open_writer(self) -> Iterator[SQLiteWriter]:
        """Write to the replacement. Raises StorageError where it was abandoned or begun again by another process."""
        with self._store.open_writer(get_replacement_ref(self._name)) as writer:
            self._check_begun()
            yield writer

    def claim_filling(self) -> AbstractContextManager[bool]:
        """Claim to be the one who makes its pending vectors."""
        return self._store.claim_filling(get_replacement_ref(self._name))

    def _check_begun(self) -> None:
        now = self.info
        if now is None or self._begun is None or now.identity != self._begun.identity:
            raise StorageError(f"the new vectors of {self._name!r} were given up or begun again by another process")

    def list_pending(self, *, after: int = 0) -> list[OutdatedDocument]:
        """Return some of the documents, from the first row above `after` on, that it lacks or has otherwise."""
        from vecsearch.stores.sqlite.write.replacement import list_stale_documents

        return list_stale_documents(self._database, self._name, after_row=after)

    def count_pending_characters(self) -> int:
        """Return how much text is still to be encoded."""
        from vecsearch.stores.sqlite.write.replacement import count_stale_characters

        return count_stale_characters(self._database, self._name)

    def swap(self) -> None:
        """Take the live collection's place, in one transaction. Raises StorageError where it is not complete."""
        from vecsearch.stores.sqlite.write.replacement import drop_leftovers, drop_surplus, swap_in_replacement

        with self._store.hold_lock():
            self._check_begun()
            drop_surplus(self._database, self._name)
            swap_in_replacement(self._database, self._name)
            drop_leftovers(self._database)

    def abandon(self) -> bool:
        """Drop it; returns whether there was anything."""
        from vecsearch.stores.sqlite.write.replacement import cancel_replacement

        with self._store.hold_lock():
            return cancel_replacement(self._database, self._name)
