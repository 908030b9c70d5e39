"""A document on its way: as a JSON value, which JSON lines and Parquet share, and as what is checked and can be stored."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.settings import ID_LENGTH_MAX
from vecsearch.core.types import ChunkSpan, ParsedDocument, Precision
from vecsearch.documents.validation import validate_document, validate_metadata, validate_text
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.read.full_documents import Whole
from vecsearch.stores.sqlite.vectors.faiss_segment import Rows, get_dtype
from vecsearch.text.analyzer import is_known_stemmer

LAYOUT: Final = 1  # of what an export holds
TEXT_KEYS: Final = ("text", "document", "content", "page_content")
ID_KEYS: Final = ("id", "_id")
_PLAIN_KEYS: Final = frozenset((*ID_KEYS, *TEXT_KEYS, "title", "metadata"))
_DIGEST: Final = re.compile(r"(brought:)?[0-9a-f]{64}")
_NORM_SLACK: Final = 0.01  # more than half precision takes from a unit row


class Format(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    JSONL_GZ = "jsonl.gz"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Header:
    """What made the vectors of an export, and how its collection holds them and its words."""

    encoder: str
    fingerprint: str
    dimension: int
    precision: Precision
    language: str

    @classmethod
    def of(cls, state: CollectionState) -> Header:
        """That of a collection."""
        return cls(state.encoder, state.fingerprint, state.dimension, state.precision, state.language)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {
            "layout": LAYOUT, "encoder": self.encoder, "fingerprint": self.fingerprint, "dimension": self.dimension,
            "precision": self.precision.value, "language": self.language,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A document that can be stored. `cuts` and `vectors` go together; neither is there where the text is to be cut and encoded.

    `source` is a stored path, `digest` tells whether its file has changed; see `tables.documents`.
    """

    draft: ParsedDocument
    source: str | None = None
    digest: str | None = None
    cuts: tuple[ChunkSpan, ...] = ()
    vectors: Rows | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a file, or what is wrong with it; `where` it stands, and what share of the source's `total` it is."""

    where: str
    weight: float
    record: Record | None
    error: str = ""


class Source(Protocol):
    """Something to import from; it can be read more than once."""

    header: Header | None
    total: float

    def entries(self) -> Iterator[Entry]:
        """Every record, in order. Raises UnreadableFile."""
        ...


# -- out


def value_of(document: Whole, *, vectors: bool) -> dict[str, Any]:
    """A document as JSON values; without `vectors` just what any tool understands."""
    title = {} if document.title is None else {"title": document.title}
    plain = {"id": document.key, "text": document.text, **title, "metadata": document.metadata}
    if not vectors:
        return plain
    source = {} if document.source is None else {"source": document.source}
    rows = numbers_of(document.vectors)
    pieces = [_piece(cut, row) for cut, row in zip(document.cuts, rows, strict=True)]
    checksum = checksum_of(document.title, document.text)
    return {**plain, **source, "digest": document.digest, "checksum": checksum, "chunks": pieces}


def checksum_of(title: str | None, text: str) -> str:
    """Tells whether somebody has changed a text since its vectors were made."""
    return hashlib.sha256(f"{title or ''}\0{text}".encode()).hexdigest()


def _piece(cut: ChunkSpan, row: list[float]) -> dict[str, Any]:
    place, context = {"place": cut.location} if cut.location else {}, {"context": cut.context} if cut.context else {}
    return {"start": cut.start, "end": cut.end, **place, **context, "vector": row}


def numbers_of(rows: Rows) -> list[list[float]]:
    """Each number as the shortest decimal that, read back in the rows' own precision, is the same, bit for bit."""
    if rows.dtype.itemsize == 2:
        return [_shortest()[row].tolist() for row in rows.view("<u2")]
    return [[float(f"{number:.9g}") for number in row] for row in rows.tolist()]


def _shortest() -> NDArray[np.float64]:
    """For each of the 65,536 half-precision numbers."""
    if not _SHORTEST:
        halves = np.arange(1 << 16, dtype="<u2").view("<f2")
        _SHORTEST.append(np.array([float(str(half)) for half in halves]))
    return _SHORTEST[0]


_SHORTEST: Final[list[NDArray[np.float64]]] = []


# -- in


def header_of(value: Any) -> Header:
    """Raises InputError."""
    try:
        layout, dimension = value["layout"], value["dimension"]
        texts = [validate_text(value[key], key) for key in ("encoder", "fingerprint", "language")]
        precision = Precision(value["precision"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"its header is not that of an export: {error!r:.200}") from error
    if not isinstance(layout, int) or layout > LAYOUT:
        raise InputError(f"it was exported by a newer vecsearch (layout {shorten_repr(layout)}): pip install --upgrade vecsearch")
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not 1 <= dimension <= 1_000_000:
        raise InputError(f"its header is not that of an export: a dimension of {shorten_repr(dimension)}")
    if not is_known_stemmer(texts[2]):
        raise InputError(f"its words have the stems of {shorten_repr(texts[2])}, which this vecsearch does not know")
    return Header(texts[0], texts[1], dimension, precision, texts[2])


def plain_record(value: Any) -> Record:
    """Of a JSON object that some other program wrote: what it says beside id, text, title and metadata becomes metadata too."""
    if not isinstance(value, Mapping):
        raise InputError(f"expected an object, got {shorten_repr(value)}")
    key = next((key for key in TEXT_KEYS if isinstance(value.get(key), str)), None)
    extra = {name: each for name, each in value.items() if name not in _PLAIN_KEYS}
    title, given = value.get("title"), value.get("metadata")
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"'metadata' must be an object, got {shorten_repr(given)}")
    draft = ParsedDocument(_identifier(value), value[key] if key else "", title, {**extra, **(given or {})})
    return Record(validate_document(draft))


def own_record(value: Any, header: Header) -> Record:
    """Of an object of an export with vectors, which count for nothing where the text was changed since. Raises InputError."""
    if not isinstance(value, Mapping):
        raise InputError(f"expected an object, got {shorten_repr(value)}")
    text, metadata = value.get("text"), value.get("metadata")
    draft = validate_document(
        ParsedDocument(_identifier(value), "" if text is None else text, value.get("title"), {} if metadata is None else metadata)
    )
    source, digest = _source(value.get("source")), value.get("digest")
    if value.get("checksum") not in (None, checksum_of(draft.title, draft.text)):
        return Record(draft, source)
    cuts, vectors = _pieces(value.get("chunks") or [], draft.text, header)
    sound = digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None
    return Record(draft, source, sound, cuts, vectors)


def _identifier(value: Mapping[str, Any]) -> Any:
    """The id that an object gives; without one the same that `index` makes of it, from its content."""
    given = next((value[key] for key in ID_KEYS if value.get(key) is not None), None)
    if given is None:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


def _source(given: Any) -> str | None:
    if given is None:
        return None
    if not validate_text(given, "source").strip() or len(given) > ID_LENGTH_MAX:
        raise InputError(f"'source' must be the path of a file, got {shorten_repr(given)}")
    return str(given)


def _pieces(given: Any, text: str, header: Header) -> tuple[tuple[ChunkSpan, ...], Rows | None]:
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise InputError(f"'chunks' must be a list of objects, got {shorten_repr(given)}")
    cuts = tuple(_cut(each, len(text)) for each in given)
    rows = [each.get("vector") for each in given]
    if not cuts or any(row is None for row in rows):
        return cuts, None
    return cuts, _rows(rows, header)


def _cut(given: Mapping[str, Any], length: int) -> ChunkSpan:
    start, end, place, context = given.get("start"), given.get("end"), given.get("place"), given.get("context")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise InputError(f"a chunk must lie within characters 0 to {length:,}, got {shorten_repr(start)} to {shorten_repr(end)}")
    return ChunkSpan(start, end, validate_metadata(place or {}), validate_text(context or "", "context"))


def _rows(given: list[Any], header: Header) -> Rows:
    try:
        exact = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a vector must be a list of {header.dimension:,} numbers") from error
    if exact.ndim != 2 or exact.shape[1] != header.dimension:
        raise InputError(f"a vector must be a list of {header.dimension:,} numbers, got the shape {exact.shape[1:]}")
    with np.errstate(over="ignore"):
        rows: Rows = exact.astype(get_dtype(header.precision))
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    if not (np.abs(norms - 1) <= _NORM_SLACK).all():  # false for NaN and infinity too
        raise InputError("a vector must be finite and of length 1")
    return rows
