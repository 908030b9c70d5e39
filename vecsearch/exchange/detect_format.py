"""What a path leads to: which of the formats that can be imported, by its name, else by how it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from vecsearch.core.errors import InputError, UnreadableFileError, UsageError
from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.exchange import txtai
from vecsearch.exchange.chroma import FILE as CHROMA_FILE
from vecsearch.exchange.chroma import ChromaSource
from vecsearch.exchange.export import detect_export_format
from vecsearch.exchange.jsonl import EXPORT_BEGINNING, JsonLinesSource
from vecsearch.exchange.parquet import ParquetSource
from vecsearch.exchange.transfer_records import ExportFormat, ImportSource
from vecsearch.exchange.txtai import TxtaiSource

_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_JSON_LINES: Final = (".jsonl", ".ndjson")
_SQLITE: Final = b"SQLite format 3\0"


@contextmanager
def open_source(file: Path, *, only: str | None = None, rows: RowOptions | None = None) -> Iterator[ImportSource]:
    """Open the records of a file or folder; `only` those of one collection, where it has several. Raises InputError.

    `rows` names the columns of a table; None guesses them.
    """
    file = Path(os.path.abspath(file))
    if not file.exists():
        raise InputError(f"no file or folder {file} to import from")
    if not os.access(file, os.R_OK):
        raise UnreadableFileError(f"{file} cannot be read by this user")
    chroma = _find_chroma(file)
    if only is not None and chroma is None:
        raise UsageError(f"{file.name} has no collections to choose from: leave --from out")
    if chroma is not None:
        yield ChromaSource(chroma, only=only)
    elif file.is_dir():
        yield _open_folder(file)
    elif file.name.lower().endswith(_ARCHIVES):
        with TemporaryDirectory(prefix="vecsearch-") as place:
            store = Path(place) / txtai.FILE
            txtai.unpack(file, store)
            yield TxtaiSource(store)
    else:
        yield _open_file(file, rows)


def _find_chroma(path: Path) -> Path | None:
    if path.is_dir() and (path / CHROMA_FILE).is_file():
        return path / CHROMA_FILE
    return path if path.is_file() and path.name == CHROMA_FILE else None


def _open_folder(folder: Path) -> ImportSource:
    if (folder / DATABASE_FILE).is_file():
        raise InputError(
            f"{folder} is a vecsearch database: export from it (vecsearch export FILE --db {folder}), then import that"
        )
    if (folder / txtai.FILE).is_file():
        return TxtaiSource(folder / txtai.FILE)
    raise InputError(
        f"{folder} is no folder that can be imported: neither Chroma's ({CHROMA_FILE}) nor that of a txtai index with content "
        f"({txtai.FILE}); for files of your own: vecsearch index {folder}"
    )


def _open_file(file: Path, rows: RowOptions | None) -> ImportSource:
    with file.open("rb") as stream:
        head = stream.read(len(_SQLITE))
    if head == _SQLITE:
        return TxtaiSource(file)
    if head.startswith(b"PK"):
        raise InputError(
            f"{file} is an archive: a backup is put back by `vecsearch restore`, files of your own by `vecsearch index`"
        )
    if head.startswith(b"PAR1") or detect_export_format(file) is ExportFormat.PARQUET:
        return ParquetSource(file)
    is_compressed = head.startswith(b"\x1f\x8b")
    return (None if is_compressed else _open_rows(file, rows)) or JsonLinesSource(file, compressed=is_compressed)


def _open_rows(file: Path, rows: RowOptions | None) -> ImportSource | None:
    """Open a table, a JSON array or a list of words; None for JSON lines with ids of their own and for what is none of these."""
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.documents.rows.stream_format import detect_stream_suffix, open_stream_rows
    from vecsearch.exchange.row_source import RowSource

    raw, suffix = RawFile(file.name, file.suffix.lower(), path=file), file.suffix.lower()
    options = rows or RowOptions(guess=True)
    found = detect_stream_suffix(raw, options)
    is_foreign = (found == ".txt" and suffix != ".txt") or (found != ".jsonl" and suffix in _JSON_LINES)  # damaged, say
    if raw.head.startswith(EXPORT_BEGINNING) or (options.guess and is_foreign):
        return None
    opened = open_stream_rows(raw, options)
    return None if opened is None else RowSource(opened)
