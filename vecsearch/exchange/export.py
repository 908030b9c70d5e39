"""A collection as a file: one consistent snapshot, a document at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import DiskFullError, InputError, UsageError
from vecsearch.exchange import jsonl, parquet
from vecsearch.exchange.transfer_records import Format, Header
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read import full_documents
from vecsearch.stores.sqlite.read.full_documents import Whole

_SUFFIXES: Final = {
    ".jsonl.gz": Format.JSONL_GZ, ".ndjson.gz": Format.JSONL_GZ, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; `vectors` is False for texts alone."""

    collection: str
    format: Format
    documents: int
    chunks: int
    vectors: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON."""
        return asdict(self)


@dataclass(slots=True)
class _Counted:
    """Documents as they pass, and how many there were."""

    given: Iterable[Whole]
    documents: int = 0
    chunks: int = 0

    def __iter__(self) -> Iterator[Whole]:
        for each in self.given:
            yield each
            self.documents += 1
            self.chunks += len(each.cuts)


def format_of(file: Path) -> Format | None:
    """By the end of its name; None where that says nothing."""
    return next((kind for suffix, kind in _SUFFIXES.items() if file.name.lower().endswith(suffix)), None)


def to_file(
    database: Database, name: str, file: Path, *, kind: Format | None = None, vectors: bool = True, replace: bool = False
) -> ExportReport:
    """Write a collection to a file, whole or not at all. Raises UsageError, InputError, UnknownCollection, StorageFull."""
    file = Path(os.path.abspath(file))
    chosen = kind or format_of(file)
    if chosen is None:
        raise UsageError(
            f"{file.name} does not say what to write; end the name in .jsonl, .jsonl.gz or .parquet, or give a format"
        )
    if not file.parent.is_dir() or file.is_dir():
        raise InputError(f"no file can be written at {file}; its folder must be there, and it must not be one")
    if file.exists() and not replace:
        raise InputError(f"{file} is there already; name another file, or write over it: --force")
    try:
        with atomic_files.write_atomically(file) as target:
            return to_stream(database, name, target, kind=chosen, vectors=vectors)
    except OSError as error:
        raise DiskFullError(f"no export was written at {file}: {error.strerror or error}") from error


def to_stream(database: Database, name: str, target: BinaryIO, *, kind: Format, vectors: bool = True) -> ExportReport:
    """Write a collection to an open file. Raises UnknownCollection, OSError."""
    with full_documents.reading(database, name) as (state, documents):
        header, counted = Header.of(state) if vectors else None, _Counted(documents)
        if kind is Format.PARQUET:
            parquet.write(target, header, counted)
        else:
            jsonl.write(target, header, counted, compressed=kind is Format.JSONL_GZ)
    return ExportReport(name, kind, counted.documents, counted.chunks, vectors)
