"""Parquet: a row for each document, its chunks a list of structs; what made the vectors stands in the schema's metadata.

Vectors are float32 there, which holds half precision exactly and is what every reader of Parquet knows. Needs pyarrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.nesting import load_json
from vecsearch.core.optional_packages import import_optional
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.exchange.jsonl import HEADER_KEY
from vecsearch.exchange.transfer_records import (
    ORIGIN_KEYS,
    ExportHeader,
    ImportEntry,
    compute_text_checksum,
    parse_header,
    parse_own_record,
    parse_plain_record,
)
from vecsearch.stores.base import FullDocument

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_GROUP_CHUNKS: Final = 4_096  # in a row group
_DAMAGED: Final = "the file is damaged or ends too early"


def write(target: BinaryIO, header: ExportHeader | None, documents: Iterable[FullDocument]) -> None:
    """Write a row group for several documents at a time, with vectors where there is a header. Raises UnavailableError."""
    arrow, files = _import_pyarrow(), _import_pyarrow("parquet")
    schema = _build_schema(arrow, header)
    with files.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _group_documents(documents):
            writer.write_batch(arrow.RecordBatch.from_arrays(_build_columns(arrow, schema, header, group), schema=schema))


def _group_documents(documents: Iterable[FullDocument]) -> Iterator[list[FullDocument]]:
    """Yield lists of documents with at least _GROUP_CHUNKS chunks together, but for the last."""
    group: list[FullDocument] = []
    chunks = 0
    for document in documents:
        group.append(document)
        chunks += len(document.spans)
        if chunks >= _GROUP_CHUNKS:
            yield group
            group, chunks = [], 0
    if group:
        yield group


def _build_schema(arrow: Any, header: ExportHeader | None) -> Any:
    text = arrow.string()
    fields = [("id", text), ("text", text), ("title", text), ("metadata", text)]
    if header is None:
        return arrow.schema(fields)
    vector = arrow.list_(arrow.float32(), header.dimension)
    span = [("start", arrow.int32()), ("end", arrow.int32())]
    piece = arrow.struct([*span, ("location", text), ("context", text), ("vector", vector)])
    fields += [
        ("payload", text),
        ("source", text),
        ("digest", text),
        ("checksum", text),
        *((key, arrow.bool_()) for key in ORIGIN_KEYS),
        ("chunks", arrow.list_(piece)),
    ]
    return arrow.schema(fields, metadata={HEADER_KEY: _ENCODER.encode(header.to_dict())})


def _build_columns(arrow: Any, schema: Any, header: ExportHeader | None, group: Sequence[FullDocument]) -> list[Any]:
    values: list[list[Any]] = [
        [document.id for document in group], [document.text for document in group], [document.title for document in group],
        [_ENCODER.encode(document.metadata) for document in group],
    ]  # fmt: skip
    if header is not None:
        checksums = [compute_text_checksum(document.title, document.text) for document in group]
        payloads = [None if document.payload is None else _ENCODER.encode(document.payload) for document in group]
        values += [payloads, [document.source for document in group], [document.digest for document in group], checksums]
    columns = [arrow.array(column, arrow.string()) for column in values]
    if header is None:
        return columns
    origins = [
        arrow.array([document.vector_origin is kind for document in group], arrow.bool_()) for kind in ORIGIN_KEYS.values()
    ]
    return [*columns, *origins, _build_chunks(arrow, schema, header, group)]


def _build_chunks(arrow: Any, schema: Any, header: ExportHeader, group: Sequence[FullDocument]) -> Any:
    cuts = [cut for document in group for cut in document.spans]
    rows = [_fill_vectors(document, header.dimension) for document in group]
    is_absent = np.repeat([document.vectors is None for document in group], [len(document.spans) for document in group])
    numbers = np.concatenate(rows).astype(np.float32).ravel()
    piece = schema.field("chunks").type.value_type
    parts = [
        arrow.array([cut.start for cut in cuts], arrow.int32()),
        arrow.array([cut.end for cut in cuts], arrow.int32()),
        arrow.array([_ENCODER.encode(cut.location) if cut.location else None for cut in cuts], arrow.string()),
        arrow.array([cut.context or None for cut in cuts], arrow.string()),
        arrow.FixedSizeListArray.from_arrays(arrow.array(numbers), header.dimension, mask=arrow.array(is_absent, arrow.bool_())),
    ]
    offsets = np.concatenate([[0], np.cumsum([len(document.spans) for document in group])]).astype(np.int32)
    return arrow.ListArray.from_arrays(arrow.array(offsets), arrow.StructArray.from_arrays(parts, fields=list(piece)))


def _fill_vectors(document: FullDocument, dimension: int) -> NDArray[np.float16] | NDArray[np.float32]:
    """Return its vectors; where they are still to be made or are none, rows that the mask hides."""
    return np.zeros((len(document.spans), dimension), np.float32) if document.vectors is None else document.vectors


class ParquetSource:
    """A Parquet file to import from. Holds some rows at a time."""

    def __init__(self, file: Path) -> None:
        """Read the file's schema. Raises UnavailableError, UnreadableFileError."""
        self._file, self._arrow = file, _import_pyarrow()
        try:
            with self._open() as parquet:
                self.total = float(parquet.metadata.num_rows)
                header_text = (parquet.schema_arrow.metadata or {}).get(HEADER_KEY.encode())
            self.header: ExportHeader | None = None if header_text is None else parse_header(load_json(header_text))
        except (self._arrow.ArrowException, OSError, ValueError) as error:
            raise UnreadableFileError(f"cannot read {file}: {error}") from error

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every row."""
        number = 0
        try:
            with self._open() as parquet:
                for batch in parquet.iter_batches(batch_size=READ_DOCUMENTS):
                    for value in batch.to_pylist():
                        number += 1
                        yield self._parse_entry(f"row {number}", value)
        except (self._arrow.ArrowException, OSError) as error:
            yield ImportEntry(f"row {number + 1}", 0.0, None, f"{_DAMAGED}: {error}")

    def _parse_entry(self, where: str, value: dict[str, Any]) -> ImportEntry:
        try:
            record = {key: item for key, item in value.items() if item is not None}
            record["metadata"] = _parse_json_text(record.get("metadata"))
            if self.header is None:
                return ImportEntry(where, 1.0, parse_plain_record(record))
            record["payload"] = _parse_json_text(record.get("payload"))
            for piece in record.get("chunks", ()):
                piece["location"] = _parse_json_text(piece.get("location"))
            return ImportEntry(where, 1.0, parse_own_record(record, self.header))
        except (InputError, ValueError, TypeError) as error:
            return ImportEntry(where, 1.0, None, str(error))

    def _open(self) -> Any:
        return _import_pyarrow("parquet").ParquetFile(self._file)


def _parse_json_text(value: Any) -> Any:
    """Return what a JSON text says; other programs may have a struct there."""
    return load_json(value) if isinstance(value, str) else value


def _import_pyarrow(part: str = "") -> Any:
    return import_optional(f"pyarrow.{part}" if part else "pyarrow", extra="parquet")
