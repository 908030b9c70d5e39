"""vecsearch: a semantic-search vector database that lives in one folder.

with vecsearch.open("notes.vec") as notes:
    notes.add(["bound", "leap", "hop"])
    notes.search("jump")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vecsearch.collection import Collection, open
    from vecsearch.core.answers import Access, Around, Hit, Hits, Part, Plan, Reasons, Share
    from vecsearch.core.errors import (
        Damaged,
        EncoderMismatch,
        FilterError,
        InputError,
        Locked,
        NotADatabase,
        ReadOnly,
        StorageError,
        StorageFull,
        UnavailableError,
        UnknownCollection,
        UnreadableFile,
        UsageError,
        VecsearchError,
        VecsearchWarning,
        WrongDimension,
        WrongVersion,
    )
    from vecsearch.core.types import (
        ChunkPlace,
        Document,
        Failure,
        Finding,
        Fusion,
        IndexReport,
        Listed,
        Mode,
        OnConflict,
        Precision,
        Severity,
        Skip,
        Span,
        Split,
    )
    from vecsearch.encoding.protocol import Encoder, TokenEncoder, TokenRows
    from vecsearch.exchange.exporting import ExportReport
    from vecsearch.exchange.importing import ImportReport
    from vecsearch.mending import Mended
    from vecsearch.reembedding import ReembedReport
    from vecsearch.search.packing import Context, PackedSource, Passage

_HOMES = {
    "vecsearch.collection": ("Collection", "open"),
    "vecsearch.core.answers": ("Access", "Around", "Hit", "Hits", "Part", "Plan", "Reasons", "Share"),
    "vecsearch.core.errors": (
        "Damaged", "EncoderMismatch", "FilterError", "InputError", "Locked", "NotADatabase", "ReadOnly", "StorageError",
        "StorageFull", "UnavailableError", "UnknownCollection", "UnreadableFile", "UsageError", "VecsearchError",
        "VecsearchWarning", "WrongDimension", "WrongVersion",
    ),
    "vecsearch.core.types": (
        "ChunkPlace", "Document", "Failure", "Finding", "Fusion", "IndexReport", "Listed", "Mode", "OnConflict", "Precision",
        "Severity", "Skip", "Span", "Split",
    ),
    "vecsearch.encoding.protocol": ("Encoder", "TokenEncoder", "TokenRows"),
    "vecsearch.exchange.exporting": ("ExportReport",),
    "vecsearch.exchange.importing": ("ImportReport",),
    "vecsearch.mending": ("Mended",),
    "vecsearch.reembedding": ("ReembedReport",),
    "vecsearch.search.packing": ("Context", "Passage", "PackedSource"),
}  # fmt: skip
_HOME_OF = {name: module for module, members in _HOMES.items() for name in members}

__all__ = [
    "Access",
    "Around",
    "ChunkPlace",
    "Collection",
    "Context",
    "Damaged",
    "Document",
    "Encoder",
    "EncoderMismatch",
    "ExportReport",
    "Failure",
    "FilterError",
    "Finding",
    "Fusion",
    "Hit",
    "Hits",
    "ImportReport",
    "IndexReport",
    "InputError",
    "Listed",
    "Locked",
    "Mended",
    "Mode",
    "NotADatabase",
    "OnConflict",
    "PackedSource",
    "Part",
    "Passage",
    "Plan",
    "Precision",
    "ReadOnly",
    "Reasons",
    "ReembedReport",
    "Severity",
    "Share",
    "Skip",
    "Span",
    "Split",
    "StorageError",
    "StorageFull",
    "TokenEncoder",
    "TokenRows",
    "UnavailableError",
    "UnknownCollection",
    "UnreadableFile",
    "UsageError",
    "VecsearchError",
    "VecsearchWarning",
    "WrongDimension",
    "WrongVersion",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `vecsearch --help` waits for nothing."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'vecsearch' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
