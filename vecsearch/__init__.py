"""vecsearch: a semantic-search vector database that lives in one folder.

with vecsearch.open("notes.vec") as notes:
    notes.add(["bound", "leap", "hop"])
    notes.search("jump")

`open` gives a Collection of documents, `open_async` the same for asyncio, `connect` the Database with all its collections. Any
number of threads and processes may share them. Nothing is printed: what takes long, such as preparing a model or waiting for
another writer, is told to `logging.getLogger("vecsearch")` at the level INFO, what is wrong and was got over at WARNING;
`logging.basicConfig(level=logging.INFO)` shows all of it. What a caller should know of an answer is a VecsearchWarning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vecsearch.api.async_collection import AsyncCollection
    from vecsearch.api.async_collection import open_async as open_async
    from vecsearch.api.collection import Collection
    from vecsearch.api.database import Database
    from vecsearch.api.inspect_text import inspect as inspect
    from vecsearch.api.map_documents import map_documents
    from vecsearch.api.open import connect, load_encoder, restore
    from vecsearch.api.open import open as open
    from vecsearch.core.attribution import ComponentScore, Explanation, TokenAttribution
    from vecsearch.core.document_map import DocumentMap, MapPoint
    from vecsearch.core.errors import (
        CollectionChangedError,
        CollectionNotFoundError,
        DatabaseClosedError,
        DatabaseCorruptedError,
        DatabaseLockedError,
        DatabaseReplacedError,
        DimensionMismatchError,
        DiskFullError,
        DocumentExistsError,
        DocumentNotFoundError,
        EncodingError,
        FilterError,
        InputError,
        ModelMismatchError,
        NotADatabaseError,
        ReadOnlyError,
        SchemaVersionError,
        StorageError,
        StorageIOError,
        UnavailableError,
        UnreadableFileError,
        UnsafeForkError,
        UsageError,
        VecsearchError,
        VecsearchWarning,
    )
    from vecsearch.core.files import FailedFile, IndexReport, SkippedFile
    from vecsearch.core.inspection import InspectedToken, Inspection, Neighbour, TextInspection, WordComparison, WordPlace
    from vecsearch.core.preferences import Preference, Profile, ProfileSummary
    from vecsearch.core.results import (
        AddReport,
        ChunkWindow,
        DeleteReport,
        Facets,
        Hit,
        Hits,
        KeySummary,
        QueryProfile,
        Snippet,
        ValueCount,
        VectorAccess,
    )
    from vecsearch.core.roots import IgnoredDocument, Root, RootOptions
    from vecsearch.core.row_options import RowOptions
    from vecsearch.core.types import (
        ChunkLocation,
        Document,
        DocumentSummary,
        Finding,
        Fusion,
        Mode,
        OnConflict,
        OnMissing,
        Precision,
        Severity,
        Span,
        Split,
    )
    from vecsearch.encoders.base import Encoder, EncoderSpec, TextEncoder, TokenEncoder, TokenRows
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport
    from vecsearch.indexing.reembed import ReembedReport
    from vecsearch.search.context import Context, ContextPassage, PackedSource
    from vecsearch.stores.base import RepairReport

_HOMES = {
    "vecsearch.api.async_collection": ("AsyncCollection", "open_async"),
    "vecsearch.api.collection": ("Collection",),
    "vecsearch.api.database": ("Database",),
    "vecsearch.api.inspect_text": ("inspect",),
    "vecsearch.api.map_documents": ("map_documents",),
    "vecsearch.api.open": ("connect", "load_encoder", "open", "restore"),
    "vecsearch.core.attribution": ("ComponentScore", "Explanation", "TokenAttribution"),
    "vecsearch.core.document_map": ("DocumentMap", "MapPoint"),
    "vecsearch.core.errors": (
        "CollectionChangedError",
        "StorageIOError",
        "CollectionNotFoundError",
        "DatabaseClosedError",
        "DatabaseCorruptedError",
        "DatabaseLockedError",
        "DatabaseReplacedError",
        "DimensionMismatchError",
        "DiskFullError",
        "DocumentExistsError",
        "DocumentNotFoundError",
        "EncodingError",
        "FilterError",
        "InputError",
        "ModelMismatchError",
        "NotADatabaseError",
        "ReadOnlyError",
        "SchemaVersionError",
        "StorageError",
        "UnavailableError",
        "UnreadableFileError",
        "UnsafeForkError",
        "UsageError",
        "VecsearchError",
        "VecsearchWarning",
    ),
    "vecsearch.core.files": (
        "FailedFile",
        "IndexReport",
        "SkippedFile",
    ),
    "vecsearch.core.inspection": (
        "InspectedToken", "Inspection", "Neighbour", "TextInspection", "WordComparison", "WordPlace",
    ),
    "vecsearch.core.preferences": ("Preference", "Profile", "ProfileSummary"),
    "vecsearch.core.roots": ("IgnoredDocument", "Root", "RootOptions"),
    "vecsearch.core.row_options": ("RowOptions",),
    "vecsearch.core.results": (
        "AddReport",
        "ChunkWindow",
        "DeleteReport",
        "Facets",
        "Hit",
        "Hits",
        "KeySummary",
        "QueryProfile",
        "Snippet",
        "ValueCount",
        "VectorAccess",
    ),
    "vecsearch.core.types": (
        "ChunkLocation",
        "Document",
        "DocumentSummary",
        "Finding",
        "Fusion",
        "Mode",
        "OnConflict",
        "OnMissing",
        "Precision",
        "Severity",
        "Span",
        "Split",
    ),
    "vecsearch.encoders.base": (
        "Encoder", "EncoderSpec", "TextEncoder", "TokenEncoder", "TokenRows",
    ),
    "vecsearch.exchange.export": (
        "ExportReport",
    ),
    "vecsearch.exchange.import_": (
        "ImportReport",
    ),
    "vecsearch.indexing.reembed": (
        "ReembedReport",
    ),
    "vecsearch.stores.base": (
        "RepairReport",
    ),
    "vecsearch.search.context": (
        "Context", "ContextPassage", "PackedSource",
    ),
}  # fmt: skip
_HOME_OF = {name: module for module, members in _HOMES.items() for name in members}

__all__ = [
    "AddReport",
    "AsyncCollection",
    "ChunkLocation",
    "ChunkWindow",
    "Collection",
    "CollectionChangedError",
    "CollectionNotFoundError",
    "ComponentScore",
    "Context",
    "ContextPassage",
    "Database",
    "DatabaseClosedError",
    "DatabaseCorruptedError",
    "DatabaseLockedError",
    "DatabaseReplacedError",
    "DeleteReport",
    "DimensionMismatchError",
    "DiskFullError",
    "Document",
    "DocumentExistsError",
    "DocumentMap",
    "DocumentNotFoundError",
    "DocumentSummary",
    "Encoder",
    "EncoderSpec",
    "EncodingError",
    "Explanation",
    "ExportReport",
    "Facets",
    "FailedFile",
    "FilterError",
    "Finding",
    "Fusion",
    "Hit",
    "Hits",
    "IgnoredDocument",
    "ImportReport",
    "IndexReport",
    "InputError",
    "InspectedToken",
    "Inspection",
    "KeySummary",
    "MapPoint",
    "Mode",
    "ModelMismatchError",
    "Neighbour",
    "NotADatabaseError",
    "OnConflict",
    "OnMissing",
    "PackedSource",
    "Precision",
    "Preference",
    "Profile",
    "ProfileSummary",
    "QueryProfile",
    "ReadOnlyError",
    "ReembedReport",
    "RepairReport",
    "Root",
    "RootOptions",
    "RowOptions",
    "SchemaVersionError",
    "Severity",
    "SkippedFile",
    "Snippet",
    "Span",
    "Split",
    "StorageError",
    "StorageIOError",
    "TextEncoder",
    "TextInspection",
    "TokenAttribution",
    "TokenEncoder",
    "TokenRows",
    "UnavailableError",
    "UnreadableFileError",
    "UnsafeForkError",
    "UsageError",
    "ValueCount",
    "VecsearchError",
    "VecsearchWarning",
    "VectorAccess",
    "WordComparison",
    "WordPlace",
    "__version__",
    "connect",
    "inspect",
    "load_encoder",
    "map_documents",
    "open_async",
    "restore",
]


if not TYPE_CHECKING:  # else every name would be one, of any type

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first used, so that `vecsearch --help` waits for nothing."""
        if name not in _HOME_OF:
            raise AttributeError(f"module 'vecsearch' has no attribute {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
