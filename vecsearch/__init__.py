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
        Hit,
        IndexReport,
        Listed,
        Mode,
        OnConflict,
        Precision,
        Severity,
        Skip,
        Split,
    )
    from vecsearch.encoding.protocol import Encoder

_HOMES = {
    "vecsearch.collection": ("Collection", "open"),
    "vecsearch.core.errors": (
        "Damaged", "EncoderMismatch", "FilterError", "InputError", "Locked", "NotADatabase", "ReadOnly", "StorageError",
        "StorageFull", "UnavailableError", "UnknownCollection", "UnreadableFile", "UsageError", "VecsearchError",
        "VecsearchWarning", "WrongDimension", "WrongVersion",
    ),
    "vecsearch.core.types": (
        "ChunkPlace", "Document", "Failure", "Finding", "Hit", "IndexReport", "Listed", "Mode", "OnConflict", "Precision",
        "Severity", "Skip", "Split",
    ),
    "vecsearch.encoding.protocol": ("Encoder",),
}  # fmt: skip
_HOME_OF = {name: module for module, members in _HOMES.items() for name in members}

__all__ = [
    "ChunkPlace",
    "Collection",
    "Damaged",
    "Document",
    "Encoder",
    "EncoderMismatch",
    "Failure",
    "FilterError",
    "Finding",
    "Hit",
    "IndexReport",
    "InputError",
    "Listed",
    "Locked",
    "Mode",
    "NotADatabase",
    "OnConflict",
    "Precision",
    "ReadOnly",
    "Severity",
    "Skip",
    "Split",
    "StorageError",
    "StorageFull",
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
