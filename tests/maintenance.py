"""The methods of `vecsearch.Database`, opened anew for each call: tests look at folders that others hold open."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import vecsearch
from vecsearch.core.errors import DatabaseCorruptedError

Folder = str | PathLike[str]

restore = vecsearch.restore


def status(folder: Folder, *, collection: str | None = None) -> dict[str, Any]:
    with vecsearch.connect(folder, readonly=True) as database:
        return database.status(collection)


def check(folder: Folder, *, model: Any = None) -> list[vecsearch.Finding]:
    from vecsearch.api.database import describe_damage

    try:
        with vecsearch.connect(folder, readonly=True) as database:
            return database.check(model=model)
    except DatabaseCorruptedError as error:
        return [describe_damage(error)]


def list_errors(folder: Folder) -> list[vecsearch.Finding]:
    return [finding for finding in check(folder) if finding.severity is vecsearch.Severity.ERROR]


def repair(folder: Folder, *, model: Any = None) -> vecsearch.RepairReport:
    from vecsearch.api.database import describe_damage

    try:
        with vecsearch.connect(folder, create=False) as database:
            return database.repair(model=model)
    except DatabaseCorruptedError as error:
        return vecsearch.RepairReport((describe_damage(error),))


def compact(folder: Folder, *, full: bool = False) -> None:
    with vecsearch.connect(folder, create=False) as database:
        database.compact(full=full)


def find_old_copies(folder: Folder) -> list[Path]:
    with vecsearch.connect(folder, readonly=True) as database:
        return database.list_old_copies()


def collections(folder: Folder) -> list[str]:
    with vecsearch.connect(folder, readonly=True) as database:
        return database.collections()


def delete_collection(folder: Folder, name: str) -> None:
    with vecsearch.connect(folder, create=False) as database:
        database.delete_collection(name)


def rename_collection(folder: Folder, old: str, new: str) -> None:
    with vecsearch.connect(folder, create=False) as database:
        database.rename_collection(old, new)


def cancel_reembedding(folder: Folder, name: str) -> bool:
    with vecsearch.connect(folder, create=False) as database:
        return database.cancel_reembedding(name)


def backup(folder: Folder, file: Folder, *, force: bool = False) -> dict[str, Any]:
    with vecsearch.connect(folder, readonly=True) as database:
        return database.backup(file, force=force)


def list_models(folder: Folder) -> list[dict[str, Any]]:
    with vecsearch.connect(folder, readonly=True) as database:
        return database.models()
