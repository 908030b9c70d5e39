"""txtai's indexes with content: ids, texts, tags and data, read from the SQLite file in their folder or archive.

The index itself and its configuration, which may be pickles, are never opened.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import column as sql_column
from sqlalchemy import func, inspect, select, table

from vecsearch.core.errors import DiskFullError, InputError, UnreadableFileError
from vecsearch.core.nesting import load_json
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.documents.validation import validate_document
from vecsearch.exchange.foreign_sqlite import open_foreign
from vecsearch.exchange.transfer_records import ExportHeader, ImportEntry, ImportRecord

FILE: Final = "documents"
_SECTIONS: Final = table("sections", *map(sql_column, ("indexid", "id", "text", "tags")))
_DOCUMENTS: Final = table("documents", sql_column("id"), sql_column("data"))
_BLOCK: Final = 1 << 20


class TxtaiSource:
    """The documents of a txtai index."""

    header: ExportHeader | None = None

    def __init__(self, file: Path) -> None:
        """Open the document store of an index. Raises UnreadableFileError."""
        self._file = file
        with open_foreign(file) as connection:
            if missing := {"sections", "documents"} - set(inspect(connection).get_table_names()):
                raise UnreadableFileError(f"{file} is no document store of txtai: it has no table {min(missing)}")
            self.total = float(connection.scalar(select(func.count()).select_from(_SECTIONS)) or 0)

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every text in the order of the index, then the documents that have none."""
        with open_foreign(self._file) as connection:
            texts = (
                select(_SECTIONS.c.id, _SECTIONS.c.text, _SECTIONS.c.tags, _DOCUMENTS.c.data)
                .join_from(_SECTIONS, _DOCUMENTS, _DOCUMENTS.c.id == _SECTIONS.c.id, isouter=True)
                .order_by(_SECTIONS.c.indexid)
            )
            for row in connection.execute(texts.execution_options(yield_per=READ_DOCUMENTS)):
                yield _build_entry(*row)
            bare = select(_DOCUMENTS.c.id).where(_DOCUMENTS.c.id.not_in(select(_SECTIONS.c.id)))
            for key in connection.scalars(bare):
                yield ImportEntry(repr(key), 0.0, None, "it has no text")


def _build_entry(identifier: Any, text: Any, tags: Any, data: Any) -> ImportEntry:
    try:
        fields = load_json(data) if isinstance(data, str) else {}
        if not isinstance(fields, dict):
            raise InputError("its data is no JSON object")
        metadata = {**({} if tags is None else {"tags": tags}), **{key: item for key, item in fields.items() if key != "text"}}
        document = ParsedDocument(str(identifier), text if isinstance(text, str) else "", None, metadata)
        return ImportEntry(repr(identifier), 1.0, ImportRecord(validate_document(document)))
    except (InputError, ValueError) as error:
        return ImportEntry(repr(identifier), 1.0, None, str(error))


def unpack(archive: Path, target: Path) -> None:
    """Take the document store alone out of an archive (tar, compressed or not, or zip). Raises UnreadableFileError."""
    try:
        is_unpacked = _from_zip(archive, target) if zipfile.is_zipfile(archive) else _from_tar(archive, target)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UnreadableFileError(f"cannot read {archive}: {str(error).partition(chr(10))[0]}") from error
    if not is_unpacked:
        raise UnreadableFileError(f"{archive} holds no {FILE!r}: it is no archive of a txtai index with content")


def _from_zip(archive: Path, target: Path) -> bool:
    with zipfile.ZipFile(archive) as packed:
        member = next((info for info in packed.infolist() if _is_store(info.filename)), None)
        if member is None:
            return False
        with packed.open(member) as stream:
            _copy(stream, target, member.file_size)
    return True


def _from_tar(archive: Path, target: Path) -> bool:
    with tarfile.open(archive, "r:*") as packed:
        for member in packed:
            if _is_store(member.name) and member.isreg():
                stream = packed.extractfile(member)
                assert stream is not None
                _copy(stream, target, member.size)
                return True
    return False


def _is_store(name: str) -> bool:
    return name.removeprefix("./") == FILE


def _copy(stream: IO[bytes], target: Path, size: int) -> None:
    if size > (free := shutil.disk_usage(target.parent).free):
        raise DiskFullError(f"no room to unpack {size:,} bytes in {target.parent}: {free:,} are free")
    with target.open("wb") as file:
        while size > 0 and (block := stream.read(min(_BLOCK, size))):
            file.write(block)
            size -= len(block)
