"""A collection as a file: one consistent snapshot, a document at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from vecsearch.core import atomic_files
from vecsearch.core.errors import CollectionNotFoundError, InputError, UsageError, wrap_write_error
from vecsearch.exchange import jsonl, parquet
from vecsearch.exchange.transfer_records import ExportFormat, ExportHeader
from vecsearch.stores.base import FullDocument, Store

_SUFFIXES: Final = {
    ".jsonl.gz": ExportFormat.JSONL_GZ,
    ".ndjson.gz": ExportFormat.JSONL_GZ,
    ".jsonl": ExportFormat.JSONL,
    ".ndjson": ExportFormat.JSONL,
    ".parquet": ExportFormat.PARQUET,
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; `vectors` is False for texts alone."""

    collection: str
    format: ExportFormat
    documents: int
    chunks: int
    vectors: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON."""
        return asdict(self)


@dataclass(slots=True)
class _CountingIterator:
    """Documents as they pass, and how many there were."""

    given: Iterable[FullDocument]
    documents: int = 0
    chunks: int = 0

    def __iter__(self) -> Iterator[FullDocument]:
        for document in self.given:
            yield document
            self.documents += 1
            self.chunks += len(document.spans)


def detect_export_format(file: Path) -> ExportFormat | None:
    """Return the format by the end of a file's name; None where that says nothing."""
    return next((kind for suffix, kind in _SUFFIXES.items() if file.name.lower().endswith(suffix)), None)


def export_to_file(
    store: Store, name: str, file: Path, *, kind: ExportFormat | None = None, vectors: bool = True, replace: bool = False
) -> ExportReport:
    """Write a whole collection to a file, or nothing. Raises UsageError, InputError, CollectionNotFoundError, DiskFullError."""
    file = Path(os.path.abspath(file))
    chosen = kind or detect_export_format(file)
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
            return export_to_stream(store, name, target, kind=chosen, vectors=vectors)
    except OSError as error:
        raise wrap_write_error(f"no export was written at {file}", error) from error


def export_to_stream(store: Store, name: str, target: BinaryIO, *, kind: ExportFormat, vectors: bool = True) -> ExportReport:
    """Write a collection to an open file. Raises CollectionNotFoundError, OSError."""
    with store.open_snapshot(name) as snapshot:
        if snapshot is None:
            raise CollectionNotFoundError(name, store.list_names())
        header, counted = ExportHeader.from_info(snapshot.info) if vectors else None, _CountingIterator(snapshot.export())
        if kind is ExportFormat.PARQUET:
            parquet.write(target, header, counted)
        else:
            jsonl.write(target, header, counted, compressed=kind is ExportFormat.JSONL_GZ)
    return ExportReport(name, kind, counted.documents, counted.chunks, vectors)
