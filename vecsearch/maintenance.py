"""Looking after a whole database: what is in it, is it sound, its collections. For documents see `collection`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from vecsearch.core.checks import checked_name
from vecsearch.core.errors import Damaged, InputError, UnknownCollection
from vecsearch.core.types import Finding, Severity
from vecsearch.encoding import identity
from vecsearch.persistence import check, publish, summary
from vecsearch.persistence.database import Database
from vecsearch.persistence.writer import drop_collection
from vecsearch.persistence.writer import rename_collection as rename


def status(folder: str | PathLike[str], *, collection: str | None = None) -> dict[str, Any]:
    """What the database holds: documents, chunks, encoder, index and bytes of every collection, or of one. Loads no model.

    Raises UnknownCollection.
    """
    with _opened(folder) as database:
        found = summary.status(database)
    if collection is None:
        return found
    named = {each["name"]: each for each in found["collections"]}
    if collection not in named:
        raise UnknownCollection(collection, list(named))
    return {**found, "collections": [named[collection]]}


def doctor(folder: str | PathLike[str]) -> list[Finding]:
    """What is wrong with the database, the worst first; empty when all is well. Changes nothing."""
    try:
        with _opened(folder) as database:
            return sorted(check.examine(database), key=lambda finding: finding.severity is not Severity.ERROR)
    except Damaged as error:
        return [Finding(Severity.ERROR, str(error), "the file that holds everything is damaged", check.RESTORE)]


def collections(folder: str | PathLike[str], *, upgrade: bool = False) -> list[str]:
    """Names, ascending. `upgrade` brings a database of an older format up to date first."""
    with _opened(folder, readonly=not upgrade) as database:
        return summary.names(database)


def delete_collection(folder: str | PathLike[str], name: str) -> None:
    """With all its documents. Raises UnknownCollection."""
    with _opened(folder, readonly=False) as database, database.locked():
        drop_collection(database, name)
        publish.clear_leftovers(database)


def rename_collection(folder: str | PathLike[str], old: str, new: str) -> None:
    """Raises UnknownCollection, and InputError where the new name is taken."""
    checked_name(new)
    with _opened(folder, readonly=False) as database, database.locked():
        if new in summary.names(database):
            raise InputError(f"there is a collection named {new!r} already; delete it first or choose another name")
        rename(database, old, new)


def models(folder: str | PathLike[str] | None = None) -> list[dict[str, Any]]:
    """Encoders at hand: the bundled one, and those that the collections of a database use."""
    used: dict[str, list[str]] = {identity.BUNDLED: []}
    for each in [] if folder is None else status(folder)["collections"]:
        used.setdefault(each["encoder"], []).append(each["name"])
    return [
        {"name": name, "default": name == identity.BUNDLED, "available": identity.is_local(name), "collections": users}
        for name, users in used.items()
    ]


@contextmanager
def _opened(folder: str | PathLike[str], *, readonly: bool = True) -> Iterator[Database]:
    database = Database(Path(folder).expanduser(), readonly=readonly)
    try:
        yield database
    finally:
        database.close()
