"""An encoder that writes down what it encodes, whatever process that is in; and what needs no encoder any more."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import vecsearch
from tests.fakes import FakeEncoder, Matrix
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.stores.base import Snapshot


@dataclass(frozen=True)
class LoggedEncoder(FakeEncoder):
    """The fake encoder; what it is given as texts of documents goes to a file, a line each. Queries are not written down."""

    log: Path | None = None

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """Encode them, and say so."""
        if self.log is not None:
            append(self.log, (hash_text(self.salt, text) for text in texts))
        return super().encode_documents(texts)


def append(log: Path, lines: Iterable[str]) -> None:
    """Add lines in one write, whoever else writes."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(descriptor)


def hash_text(salt: int, text: str) -> str:
    """Return what names a text that an encoder of this salt was given."""
    return hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()[:24]


def log_of(base: Path) -> Path:
    """Return where a round's encoders write: beside the folder that fails."""
    return base.with_name(f"encoded-{base.name}")


def read_log(base: Path) -> Counter[str]:
    """Return what was encoded since the log was removed, and how often."""
    log = log_of(base)
    return Counter(log.read_text().split()) if log.exists() else Counter()


def list_made(collection: vecsearch.Collection, *, salt: int | None = None) -> frozenset[str]:
    """Return what needs no encoder any more: of the collection, and of what is to take its place.

    `salt`: of another encoder than the fake ones, whose names tell theirs.
    """
    made: set[str] = set()
    with collection._open_snapshot() as snapshot:
        made.update(_list_made(snapshot, salt))
    with collection._store.get_replacement("default").open_snapshot() as snapshot:
        made.update(() if snapshot is None else _list_made(snapshot, salt))
    return frozenset(made)


def _list_made(snapshot: Snapshot, given_salt: int | None) -> Iterable[str]:
    salt = int(snapshot.info.encoder.model.split("-")[1]) if given_salt is None else given_salt
    for stored in snapshot.iterate_vectors(snapshot.list_document_ids()):
        yield hash_text(salt, format_encoder_input(stored.title, stored.context, stored.text))
