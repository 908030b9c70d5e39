"""A document on its way: as a JSON value, which JSON lines and Parquet share, and as what is checked and can be stored."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import ID_LENGTH_MAX
from vecsearch.core.types import Precision, VectorOrigin
from vecsearch.documents.loaders.json_records import find_text
from vecsearch.documents.validation import validate_document, validate_metadata, validate_text
from vecsearch.stores.base import CollectionInfo, FullDocument
from vecsearch.text.analyzer import is_known_stemmer

Rows: TypeAlias = NDArray[np.float16] | NDArray[np.float32]

LAYOUT: Final = 3  # of what an export holds
TEXT_KEYS: Final = ("text", "document", "content", "page_content")
ID_KEYS: Final = ("id", "_id")
_PLAIN_KEYS: Final = frozenset((*ID_KEYS, *TEXT_KEYS, "title", "metadata"))
ORIGIN_KEYS: Final = {"provided_vectors": VectorOrigin.CALLER, "without_vectors": VectorOrigin.NONE}  # true where it is so
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NORM_SLACK: Final = 0.01  # more than half precision takes from a unit row


class ExportFormat(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    JSONL_GZ = "jsonl.gz"
    PARQUET = "parquet"


AnyExportFormat: TypeAlias = ExportFormat | Literal["jsonl", "jsonl.gz", "parquet"]  # what callers may pass


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """What made the vectors of an export, and how its collection holds them and its words."""

    model: str
    fingerprint: str
    dimension: int
    precision: Precision
    stemmer: str

    @classmethod
    def from_info(cls, info: CollectionInfo) -> ExportHeader:
        """Return the header of a collection."""
        encoder = info.encoder
        return cls(encoder.model, encoder.fingerprint, encoder.dimension, info.precision, info.stemmer)

    def to_dict(self) -> dict[str, Any]:
        """Return the header as it stands in a file."""
        return {
            "layout": LAYOUT, "model": self.model, "fingerprint": self.fingerprint, "dimension": self.dimension,
            "precision": self.precision.value, "stemmer": self.stemmer,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """A document that can be stored. `cuts` and `vectors` go together; neither is there where the text is to be cut and encoded.

    `source` is a stored path, `digest` shows whether its file has changed; see `tables.documents`.
    """

    document: ParsedDocument
    source: str | None = None
    digest: str | None = None
    spans: tuple[ChunkSpan, ...] = ()
    vectors: Rows | None = None
    vector_origin: VectorOrigin = VectorOrigin.TEXT


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """One record of a file, or what is wrong with it; `where` it stands, and what share of the source's `total` it is."""

    where: str
    weight: float
    record: ImportRecord | None
    error: str = ""


class ImportSource(Protocol):
    """Something to import from; it can be read more than once."""

    header: ExportHeader | None
    total: float

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every record, in order. Raises UnreadableFileError."""
        ...


# -- out


def build_json_value(document: FullDocument, *, vectors: bool) -> dict[str, Any]:
    """Build a document's JSON values; without `vectors` just what any tool understands."""
    title = {} if document.title is None else {"title": document.title}
    plain = {"id": document.id, "text": document.text, **title, "metadata": document.metadata}
    if not vectors:
        return plain
    source = {} if document.source is None else {"source": document.source}
    rows = [None] * len(document.spans) if document.vectors is None else format_numbers(document.vectors)
    pieces = [_build_chunk(cut, row) for cut, row in zip(document.spans, rows, strict=True)]
    checksum = compute_text_checksum(document.title, document.text)
    payload = {} if document.payload is None else {"payload": document.payload}
    origin = {key: True for key, kind in ORIGIN_KEYS.items() if kind is document.vector_origin}
    return {**plain, **payload, **source, "digest": document.digest, **origin, "checksum": checksum, "chunks": pieces}


def compute_text_checksum(title: str | None, text: str) -> str:
    """Compute the checksum that shows whether a text has changed since its vectors were made."""
    return hashlib.sha256(f"{title or ''}\0{text}".encode()).hexdigest()


def _build_chunk(cut: ChunkSpan, row: list[float] | None) -> dict[str, Any]:
    """Build a chunk's JSON values; whoever imports one without a vector encodes its text."""
    vector = {} if row is None else {"vector": row}
    place, context = {"location": cut.location} if cut.location else {}, {"context": cut.context} if cut.context else {}
    return {"start": cut.start, "end": cut.end, **place, **context, **vector}


def format_numbers(rows: Rows) -> list[list[float]]:
    """Return each number as the shortest decimal that, read back in the rows' own precision, is the same, bit for bit."""
    if rows.dtype.itemsize == 2:
        return [_build_shortest_decimals()[row].tolist() for row in rows.view("<u2")]
    return [[float(f"{number:.9g}") for number in row] for row in rows.tolist()]


def _build_shortest_decimals() -> NDArray[np.float64]:
    """Build the decimals for each of the 65,536 half-precision numbers."""
    if not _SHORTEST:
        halves = np.arange(1 << 16, dtype="<u2").view("<f2")
        _SHORTEST.append(np.array([float(str(half)) for half in halves]))
    return _SHORTEST[0]


_SHORTEST: Final[list[NDArray[np.float64]]] = []


# -- in


def parse_header(value: Any) -> ExportHeader:
    """Parse the header of an export. Raises InputError."""
    try:
        layout, dimension = value["layout"], value["dimension"]
        texts = [validate_text(value[key], key) for key in ("model", "fingerprint", "stemmer")]
        precision = Precision(value["precision"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"its header is not that of an export: {error!r:.200}") from error
    if not isinstance(layout, int) or layout > LAYOUT:
        raise InputError(f"it was exported by a newer vecsearch (layout {shorten_repr(layout)}); upgrade vecsearch")
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not 1 <= dimension <= 1_000_000:
        raise InputError(f"its header is not that of an export: a dimension of {shorten_repr(dimension)}")
    if not is_known_stemmer(texts[2]):
        raise InputError(f"its words have the stems of {shorten_repr(texts[2])}, which this vecsearch does not know")
    return ExportHeader(texts[0], texts[1], dimension, precision, texts[2])


def parse_plain_record(value: Any) -> ImportRecord:
    """Parse a JSON object of another program: its fields beside id, text, title and metadata become metadata too."""
    if not isinstance(value, Mapping):
        raise InputError(f"expected an object, got {shorten_repr(value)}")
    key = next((key for key in TEXT_KEYS if isinstance(value.get(key), str)), None)
    extra = {name: item for name, item in value.items() if name not in _PLAIN_KEYS}
    title, metadata = value.get("title"), value.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"'metadata' must be an object, got {shorten_repr(metadata)}")
    text = value[key] if key else find_text(extra)[0]  # of a record without one, its values, as `index` reads it
    document = ParsedDocument(_choose_id(value), text, title, {**extra, **(metadata or {})})
    return ImportRecord(validate_document(document))


def parse_own_record(value: Any, header: ExportHeader) -> ImportRecord:
    """Parse an object of an export with vectors, which are ignored where the text was changed since. Raises InputError."""
    if not isinstance(value, Mapping):
        raise InputError(f"expected an object, got {shorten_repr(value)}")
    text, metadata = value.get("text"), value.get("metadata")
    origin = next((kind for key, kind in ORIGIN_KEYS.items() if value.get(key) is True), VectorOrigin.TEXT)
    document = validate_document(
        ParsedDocument(
            _choose_id(value), "" if text is None else text, value.get("title"), {} if metadata is None else metadata,
            payload=value.get("payload"),
        ),
        has_vector=origin is VectorOrigin.CALLER,
    )  # fmt: skip
    source, digest = _parse_source(value.get("source")), value.get("digest")
    if value.get("checksum") not in (None, compute_text_checksum(document.title, document.text)):
        kept = VectorOrigin.NONE if origin is VectorOrigin.NONE else VectorOrigin.TEXT
        return ImportRecord(validate_document(document), source, vector_origin=kept)
    cuts, vectors = _parse_chunks(value.get("chunks") or [], document.text, header)
    sound = digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None
    return ImportRecord(document, source, sound, cuts, vectors, origin)


def _choose_id(value: Mapping[str, Any]) -> Any:
    """Return the id that an object gives; without one the same that `index` makes of it, from its content."""
    identifier = next((value[key] for key in ID_KEYS if value.get(key) is not None), None)
    if identifier is None:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"
    return str(identifier) if isinstance(identifier, int) and not isinstance(identifier, bool) else identifier


def _parse_source(source: Any) -> str | None:
    if source is None:
        return None
    if not validate_text(source, "source").strip() or len(source) > ID_LENGTH_MAX:
        raise InputError(f"'source' must be the path of a file, got {shorten_repr(source)}")
    return str(source)


def _parse_chunks(pieces: Any, text: str, header: ExportHeader) -> tuple[tuple[ChunkSpan, ...], Rows | None]:
    if not isinstance(pieces, list) or not all(isinstance(piece, Mapping) for piece in pieces):
        raise InputError(f"'chunks' must be a list of objects, got {shorten_repr(pieces)}")
    cuts = tuple(_parse_span(piece, len(text)) for piece in pieces)
    rows = [piece.get("vector") for piece in pieces]
    if not cuts or any(row is None for row in rows):
        return cuts, None
    return cuts, _parse_vectors(rows, header)


def _parse_span(piece: Mapping[str, Any], length: int) -> ChunkSpan:
    start, end, place, context = piece.get("start"), piece.get("end"), piece.get("location"), piece.get("context")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise InputError(f"a chunk must lie within characters 0 to {length:,}, got {shorten_repr(start)} to {shorten_repr(end)}")
    return ChunkSpan(start, end, validate_metadata(place or {}), validate_text(context or "", "context"))


def _parse_vectors(numbers: list[Any], header: ExportHeader) -> Rows:
    try:
        exact = np.array(numbers, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a vector must be a list of {header.dimension:,} numbers") from error
    if exact.ndim != 2 or exact.shape[1] != header.dimension:
        raise InputError(f"a vector must be a list of {header.dimension:,} numbers, got the shape {exact.shape[1:]}")
    with np.errstate(over="ignore"):
        rows: Rows = exact.astype(np.float16) if header.precision is Precision.FLOAT16 else exact.astype(np.float32)
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    if not (np.abs(norms - 1) <= _NORM_SLACK).all():  # false for NaN and infinity too
        raise InputError("a vector must be finite and of length 1")
    return rows
