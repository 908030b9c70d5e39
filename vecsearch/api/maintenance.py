"""Looking after a whole database: what is in it, is it sound, its collections. For documents see `collection`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecsearch.core.checks import check_collection_name
from vecsearch.core.errors import CollectionNotFoundError, DatabaseCorruptedError, InputError, NotADatabaseError
from vecsearch.core.settings import DATABASE_FILE, LOCK_TIMEOUT_S
from vecsearch.core.types import Finding, Severity
from vecsearch.encoders import model_files
from vecsearch.stores.sqlite.backup import backup_file as backups
from vecsearch.stores.sqlite.engine import database_folder as databases
from vecsearch.stores.sqlite.engine import downgrading
from vecsearch.stores.sqlite.engine.creation import create_database
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.integrity.folder import old_copies as copies_in
from vecsearch.stores.sqlite.integrity.problems import RESTORE
from vecsearch.stores.sqlite.read import statistics
from vecsearch.stores.sqlite.read.reader import list_collection_names
from vecsearch.stores.sqlite.write import compaction, replacement
from vecsearch.stores.sqlite.write.writer import drop_collection
from vecsearch.stores.sqlite.write.writer import rename_collection as rename

if TYPE_CHECKING:
    from vecsearch.encoders.base import Encoder
    from vecsearch.indexing.repair import RepairReport


def status(folder: str | PathLike[str], *, collection: str | None = None) -> dict[str, Any]:
    """What the database holds: documents, chunks, encoder, index and bytes of every collection, or of one. Loads no model.

    Raises UnknownCollection.
    """
    with _open_database(folder) as database:
        found = statistics.collect_status(database)
    if collection is None:
        return found
    named = {each["name"]: each for each in found["collections"]}
    if collection not in named:
        raise CollectionNotFoundError(collection, list(named))
    return {**found, "collections": [named[collection]]}


def check(folder: str | PathLike[str], *, fix: bool = False, model: str | Encoder | None = None) -> list[Finding]:
    """What is wrong with the database, the worst first; empty when all is well. Changes nothing, unless `fix`: see `mend`."""
    return list(repair(folder, model=model).findings if fix else _run_check(folder, model=model, fix=False).findings)


def repair(folder: str | PathLike[str], *, model: str | Encoder | None = None) -> RepairReport:
    """Mend all that follows from the texts, vectors and metadata, after a backup in the database's folder; says what is left.

    A database whose SQLite file is damaged itself is left as it is. `encoder`: what encodes again where vectors are lost, if it
    is the collection's and cannot be loaded by its name. Raises Locked, ReadOnly, StorageFull; run it again after any of them.
    """
    return _run_check(folder, model=model, fix=True)


def _run_check(folder: str | PathLike[str], *, model: str | Encoder | None, fix: bool) -> RepairReport:
    from vecsearch.indexing import repair

    try:
        with _open_database(folder, readonly=not fix) as database:
            return (
                repair.repair_database(database, model)
                if fix
                else repair.RepairReport(tuple(repair.collect_findings(database, model)))
            )
    except DatabaseCorruptedError as error:
        broken = Finding(Severity.ERROR, str(error), "the file that holds everything is damaged", RESTORE)
        return repair.RepairReport((broken,))


def compact(folder: str | PathLike[str], *, full: bool = False) -> None:
    """Give free space back to the file system; `full` writes the whole file anew. For collections see `Collection.optimize`."""
    with _open_database(folder, readonly=False) as database, database.hold_write_lock():
        compaction.clear_leftovers(database)
        compaction.compact(database, None, full=full)


def find_old_copies(folder: str | PathLike[str]) -> list[Path]:
    """Copies of the database as it was once, in its folder: they still hold what has been deleted since."""
    with _open_database(folder) as database:
        return copies_in(database)


def collections(folder: str | PathLike[str], *, upgrade: bool = False) -> list[str]:
    """Names, ascending. `upgrade` brings a database of an older format up to date first."""
    with _open_database(folder, readonly=not upgrade) as database:
        return list_collection_names(database)


def delete_collection(folder: str | PathLike[str], name: str) -> None:
    """With all its documents. Raises UnknownCollection."""
    with _open_database(folder, readonly=False) as database, database.hold_write_lock():
        drop_collection(database, name)
        compaction.clear_leftovers(database)


def rename_collection(folder: str | PathLike[str], old: str, new: str) -> None:
    """Raises UnknownCollection, and InputError where the new name is taken."""
    check_collection_name(new)
    with _open_database(folder, readonly=False) as database, database.hold_write_lock():
        if new in list_collection_names(database):
            raise InputError(f"there is a collection named {new!r} already; delete it first or choose another name")
        rename(database, old, new)


def cancel_reembedding(folder: str | PathLike[str], name: str) -> bool:
    """Drop the new vectors that an interrupted `reembed` of a collection has made; whether there were any.

    Raises UnknownCollection.
    """
    with _open_database(folder, readonly=False) as database, database.hold_write_lock():
        if name not in (known := list_collection_names(database)):
            raise CollectionNotFoundError(name, known)
        return replacement.cancel_replacement(database, name)


def downgrade(folder: str | PathLike[str], version: int, *, to: str | PathLike[str]) -> None:
    """Make a copy of a database, at a new folder, that a program of an older format reads. The database itself stays as it is.

    Raises InputError, StorageError.
    """
    with _open_database(folder) as database:
        downgrading.copy(database, Path(to).expanduser(), version=version)


def backup(folder: str | PathLike[str], file: str | PathLike[str], *, force: bool = False) -> dict[str, Any]:
    """Write the whole database, as it is now, into one file with a checksum, while others read and write it; says what it holds.

    Index files, which are derived, are not in it. `force` writes over a file that is there. Raises InputError, StorageFull.
    """
    with _open_database(folder) as database:
        held = backups.write(database, Path(file).expanduser(), replace=force)
    return backups.to_dict(held)


def restore(file: str | PathLike[str], folder: str | PathLike[str], *, replace: bool = False) -> dict[str, Any]:
    """Make the database of a backup at `folder`; says what it holds. The file is verified before anything is touched.

    `replace` puts it in the place of all that a database there holds, in one transaction: who reads it sees the old content, then
    the new; a kill leaves the old. Raises InputError where a database is and `replace` is not given, UnreadableFile, Damaged,
    WrongVersion, Locked, StorageFull.
    """
    source, place = Path(file).expanduser(), Path(folder).expanduser()
    if not replace and databases.is_database(place):
        raise InputError(f"{place} holds a database; restore to another folder, or put the backup in its place: --replace")
    if not databases.is_database(place):
        found: list[backups.Manifest] = []
        create_database(place, fill=lambda workplace: found.append(backups.fill(source, workplace)))
        _publish(place)
        return backups.to_dict(found[0])
    try:
        database = Database(place)
    except (DatabaseCorruptedError, NotADatabaseError) as error:  # what cannot be opened cannot be written to either
        if isinstance(error, NotADatabaseError) and (place / DATABASE_FILE).stat().st_size:  # another program's
            raise
        held = backups.supersede(place, source, timeout=LOCK_TIMEOUT_S)
        _publish(place)
        return backups.to_dict(held)
    with closing(database), database.hold_write_lock():
        return backups.to_dict(backups.replace(database, source))


def _publish(folder: Path) -> None:
    with _open_database(folder, readonly=False) as database, database.hold_write_lock():
        backups.publish_all(database)


def list_models(folder: str | PathLike[str] | None = None) -> list[dict[str, Any]]:
    """Encoders at hand: the bundled one, and those that the collections of a database use."""
    used: dict[str, list[str]] = {model_files.BUNDLED_MODEL: []}
    for each in [] if folder is None else status(folder)["collections"]:
        used.setdefault(each["model"], []).append(each["name"])
    return [
        {
            "name": name,
            "default": name == model_files.BUNDLED_MODEL,
            "available": model_files.is_local(name),
            "collections": users,
        }
        for name, users in used.items()
    ]


@contextmanager
def _open_database(folder: str | PathLike[str], *, readonly: bool = True) -> Iterator[Database]:
    database = Database(Path(folder).expanduser(), readonly=readonly)
    try:
        yield database
    finally:
        database.close()
