"""Parquet: a row for each document, its chunks a list of structs; what made the vectors stands in the schema's metadata.

Vectors are float32 there, which holds half precision exactly and is what every reader of Parquet knows. Needs pyarrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from vecsearch.core.errors import InputError, UnavailableError, UnreadableFileError
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.exchange.jsonl import HEADER_KEY
from vecsearch.exchange.transfer_records import Entry, Header, checksum_of, header_of, own_record, plain_record
from vecsearch.stores.sqlite.read.full_documents import Whole

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_GROUP_CHUNKS: Final = 4_096  # in a row group
_DAMAGED: Final = "the file is damaged or ends too early"


def write(target: BinaryIO, header: Header | None, documents: Iterable[Whole]) -> None:
    """A row group for some documents at a time, with vectors where there is a header. Raises UnavailableError."""
    arrow, files = _pyarrow(), _pyarrow("parquet")
    schema = _schema(arrow, header)
    with files.ParquetWriter(target, schema, compression="zstd") as writer:
        for some in _groups(documents):
            writer.write_batch(arrow.RecordBatch.from_arrays(_columns(arrow, schema, header, some), schema=schema))


def _groups(documents: Iterable[Whole]) -> Iterator[list[Whole]]:
    """Documents with so many chunks together."""
    some: list[Whole] = []
    chunks = 0
    for each in documents:
        some.append(each)
        chunks += len(each.cuts)
        if chunks >= _GROUP_CHUNKS:
            yield some
            some, chunks = [], 0
    if some:
        yield some


def _schema(arrow: Any, header: Header | None) -> Any:
    text = arrow.string()
    fields = [("id", text), ("text", text), ("title", text), ("metadata", text)]
    if header is None:
        return arrow.schema(fields)
    vector = arrow.list_(arrow.float32(), header.dimension)
    span = [("start", arrow.int32()), ("end", arrow.int32())]
    piece = arrow.struct([*span, ("place", text), ("context", text), ("vector", vector)])
    fields += [("source", text), ("digest", text), ("checksum", text), ("chunks", arrow.list_(piece))]
    return arrow.schema(fields, metadata={HEADER_KEY: _ENCODER.encode(header.to_dict())})


def _columns(arrow: Any, schema: Any, header: Header | None, some: Sequence[Whole]) -> list[Any]:
    values: list[list[Any]] = [
        [each.key for each in some], [each.text for each in some], [each.title for each in some],
        [_ENCODER.encode(each.metadata) for each in some],
    ]  # fmt: skip
    if header is not None:
        checksums = [checksum_of(each.title, each.text) for each in some]
        values += [[each.source for each in some], [each.digest for each in some], checksums]
    columns = [arrow.array(column, arrow.string()) for column in values]
    return columns if header is None else [*columns, _chunks(arrow, schema, header, some)]


def _chunks(arrow: Any, schema: Any, header: Header, some: Sequence[Whole]) -> Any:
    cuts = [cut for each in some for cut in each.cuts]
    numbers = np.concatenate([each.vectors for each in some]).astype(np.float32).ravel()
    piece = schema.field("chunks").type.value_type
    parts = [
        arrow.array([cut.start for cut in cuts], arrow.int32()),
        arrow.array([cut.end for cut in cuts], arrow.int32()),
        arrow.array([_ENCODER.encode(cut.location) if cut.location else None for cut in cuts], arrow.string()),
        arrow.array([cut.context or None for cut in cuts], arrow.string()),
        arrow.FixedSizeListArray.from_arrays(arrow.array(numbers), header.dimension),
    ]
    offsets = np.concatenate([[0], np.cumsum([len(each.cuts) for each in some])]).astype(np.int32)
    return arrow.ListArray.from_arrays(arrow.array(offsets), arrow.StructArray.from_arrays(parts, fields=list(piece)))


class Rows:
    """A Parquet file to import from. Holds some rows at a time."""

    def __init__(self, file: Path) -> None:
        """Reads its schema. Raises UnavailableError, UnreadableFile."""
        self._file, self._arrow = file, _pyarrow()
        try:
            with self._opened() as parquet:
                self.total = float(parquet.metadata.num_rows)
                said = (parquet.schema_arrow.metadata or {}).get(HEADER_KEY.encode())
            self.header: Header | None = None if said is None else header_of(json.loads(said))
        except (self._arrow.ArrowException, OSError, ValueError) as error:
            raise UnreadableFileError(f"cannot read {file}: {error}") from error

    def entries(self) -> Iterator[Entry]:
        """Every row."""
        number = 0
        try:
            with self._opened() as parquet:
                for batch in parquet.iter_batches(batch_size=READ_DOCUMENTS):
                    for value in batch.to_pylist():
                        number += 1
                        yield self._entry(f"row {number}", value)
        except (self._arrow.ArrowException, OSError) as error:
            yield Entry(f"row {number + 1}", 0.0, None, f"{_DAMAGED}: {error}")

    def _entry(self, where: str, value: dict[str, Any]) -> Entry:
        try:
            given = {key: each for key, each in value.items() if each is not None}
            given["metadata"] = _unpacked(given.get("metadata"))
            if self.header is None:
                return Entry(where, 1.0, plain_record(given))
            for piece in given.get("chunks", ()):
                piece["place"] = _unpacked(piece.get("place"))
            return Entry(where, 1.0, own_record(given, self.header))
        except (InputError, ValueError, TypeError, RecursionError) as error:
            return Entry(where, 1.0, None, str(error))

    def _opened(self) -> Any:
        return _pyarrow("parquet").ParquetFile(self._file)


def _unpacked(said: Any) -> Any:
    """A JSON text as what it says; other programs may have a struct there."""
    return json.loads(said) if isinstance(said, str) else said


def _pyarrow(part: str = "") -> Any:
    try:
        return import_module(f"pyarrow.{part}" if part else "pyarrow")
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise  # it is there but broken: that is not to be hidden
        raise UnavailableError(
            "pyarrow, which reads and writes Parquet, is not installed; pip install 'vecsearch[parquet]'"
        ) from error
