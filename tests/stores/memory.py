"""A second store, in memory and by brute force: it proves that the store interface is complete.

A collection is one frozen state; a write makes the next one beside it and then puts it in place, so that a snapshot goes on
seeing the state that it was opened on, and a write that fails leaves nothing behind.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, TypeAlias
from uuid import uuid4

import numpy as np

from tests.stores.memory_snapshot import MemoryDocument, MemoryFile, MemorySnapshot, MemoryState
from vecsearch.core.errors import CollectionNotFoundError, DatabaseLockedError, InputError, ReadOnlyError, StorageError
from vecsearch.core.preferences import Preference
from vecsearch.core.roots import Root
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.core.types import JSON, ChunkId, Metadata, Precision, VectorOrigin
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import (
    CollectionInfo,
    Continuation,
    IndexedFile,
    NewDocument,
    OutdatedDocument,
    Preparation,
    PreservedFields,
    QueryMap,
    Vector,
)

Key: TypeAlias = tuple[str, bool]  # a collection's name; whether its replacement is meant


class MemoryStore:
    """A database that ends with the process; see `stores.base.Store`."""

    def __init__(self, root: Path, *, readonly: bool = False, lock_timeout: float = 30.0) -> None:
        self.location, self.source_root, self.readonly = f"memory:{root}", root, readonly
        self.states: dict[Key, MemoryState] = {}  # never changed in place
        self.numbers = itertools.count(1)
        self._lock, self._lock_timeout = RLock(), lock_timeout
        self._claims: set[Key] = set()

    def list_collections(self) -> list[CollectionInfo]:
        return [state.info for (_, is_replacement), state in sorted(self.states.items()) if not is_replacement]

    def list_names(self) -> list[str]:
        return [info.name for info in self.list_collections()]

    def find(self, key: Key) -> MemoryState:
        """Return the newest state. Raises CollectionNotFoundError."""
        if key not in self.states:
            raise CollectionNotFoundError(key[0], [info.name for info in self.list_collections()])
        return self.states[key]

    @contextmanager
    def open_snapshot(self, collection: str, *, is_replacement: bool = False) -> Iterator[MemorySnapshot | None]:
        state = self.states.get((collection, is_replacement))
        yield None if state is None else MemorySnapshot(state, self.source_root)

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the lock of the one writer; the thread that holds it may enter again."""
        if self.readonly:
            raise ReadOnlyError(f"{self.location} was opened to be read only")
        if not self._lock.acquire(timeout=self._lock_timeout):
            raise DatabaseLockedError(f"another thread writes to {self.location}")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def open_writer(self, collection: str) -> Iterator[MemoryWriter]:
        with self.hold_lock():
            yield MemoryWriter(self, (collection, False))

    def get_replacement(self, collection: str) -> MemoryReplacement:
        return MemoryReplacement(self, collection)

    def prepare(self, info: CollectionInfo, documents: Sequence[NewDocument]) -> None:
        return None

    @contextmanager
    def claim_filling(self, collection: str, *, is_replacement: bool = False) -> Iterator[bool]:
        key = (collection, is_replacement)
        claimed = key not in self._claims
        self._claims |= {key}
        try:
            yield claimed
        finally:
            self._claims -= {key} if claimed else set()

    def rename_collection(self, old: str, new: str) -> None:
        with self.hold_lock():
            self.find((old, False))
            if (new, False) in self.states:
                raise InputError(f"there is a collection named {new!r} already")
            states = {key: state for key, state in self.states.items() if key[0] != old}
            for key, state in self.states.items():
                if key[0] == old:
                    states[new, key[1]] = replace(state, info=replace(state.info, name=new))
            self.states = states

    def drop_collection(self, name: str) -> None:
        with self.hold_lock():
            self.find((name, False))
            self.states = {key: state for key, state in self.states.items() if key[0] != name}

    def collect_statistics(self) -> dict[str, Any]:
        return {"db": self.location, "collections": [self._count(info) for info in self.list_collections()]}

    def _count(self, info: CollectionInfo) -> dict[str, Any]:
        state = self.find((info.name, False))
        return {
            "name": info.name, "documents": len(state.documents), "chunks": len(state.chunks), "model": info.encoder.model,
            "dimension": info.encoder.dimension, "precision": info.precision.value, "stemmer": info.stemmer,
        }  # fmt: skip

    def upgrade(self) -> bool:
        """Return False: there is no older format."""
        return False

    def check_open(self) -> None:
        """Do nothing: it is never closed."""

    def close(self) -> None:
        """Keep everything: whoever holds the store may use it again."""


class MemoryWriter:
    """The one writer of a collection; see `stores.base.Writer`."""

    def __init__(self, store: MemoryStore, key: Key) -> None:
        self._store, self._key = store, key

    @property
    def info(self) -> CollectionInfo | None:
        state = self._store.states.get(self._key)
        return None if state is None else state.info

    def open_snapshot(self) -> AbstractContextManager[MemorySnapshot | None]:
        return self._store.open_snapshot(self._key[0], is_replacement=self._key[1])

    @contextmanager
    def _change(self) -> Iterator[MemoryState]:
        """Yield a copy to change, which is put in place when nothing was raised."""
        old = self._store.find(self._key)
        info = replace(old.info, version=(old.info.identity, next(self._store.numbers)))
        new = replace(
            old, info=info, documents=dict(old.documents), files=dict(old.files), roots=dict(old.roots),
            ignored=set(old.ignored), preferences=dict(old.preferences), query_maps=list(old.query_maps),
        )  # fmt: skip
        yield new
        waiting = sum(len(document.pending) for document in new.documents.values())
        vectorless = [document for document in new.documents.values() if document.vector_origin is VectorOrigin.NONE]
        without = sum(len(document.spans) for document in vectorless)
        new = replace(new, info=replace(new.info, pending_vectors=waiting, vectorless_chunks=without))
        self._store.states = {**self._store.states, self._key: new}

    def ensure(
        self, encoder: EncoderSpec, *, precision: Precision, stemmer: str, metadata: Metadata | None = None
    ) -> CollectionInfo:
        if self.info is None:
            number = next(self._store.numbers)
            info = CollectionInfo(
                self._key[0], encoder, precision, stemmer, dict(metadata or {}), number, (number, number), public_id=uuid4().hex
            )
            self._store.states = {**self._store.states, self._key: MemoryState(info, {}, {}, {})}
        return self._store.find(self._key).info

    def commit(
        self,
        documents: Sequence[NewDocument] = (),
        files: Sequence[IndexedFile] = (),
        *,
        metadata: Mapping[str, Metadata] | None = None,
        payloads: Mapping[str, JSON] | None = None,
        continuations: Sequence[Continuation] = (),
        preparation: Preparation | None = None,
    ) -> None:
        with self._change() as state:
            for document in {document.id: document for document in documents}.values():
                state.documents[document.id] = self._make_document(state, document)
                if document.source is not None:
                    state.files.setdefault(document.source, MemoryFile(indexed_at=_get_timestamp()))
            for continuation in continuations:
                if continuation.id in state.documents:
                    state.documents[continuation.id] = self._continue(state, state.documents[continuation.id], continuation)
            _set_metadata(state, metadata or {})
            for key, payload in (payloads or {}).items():
                if key in state.documents:
                    state.documents[key] = replace(
                        state.documents[key], payload=_dump_payload(payload), indexed_at=_get_timestamp()
                    )
            for file in files:
                state.files[file.path] = MemoryFile(file.digest, file.split, file.error, file.mounted, _get_timestamp())
                for key in file.removed_ids:
                    if key in state.documents and state.documents[key].source == file.path:
                        del state.documents[key]

    def _make_document(self, state: MemoryState, new: NewDocument) -> MemoryDocument:
        numbers, old = self._store.numbers, state.documents.get(new.id)
        preserved = new.preserved or PreservedFields(_dump(new.metadata), _dump_payload(new.payload), _get_timestamp())
        rows = np.zeros((len(new.spans), state.info.encoder.dimension), np.float32)
        if new.vector_origin is not VectorOrigin.NONE:
            rows[[n for n in range(len(new.spans)) if n not in new.pending]] = new.vectors
        vectors = _round(rows, state.info.precision)
        return MemoryDocument(
            next(numbers) if old is None else old.number, new.id, new.source, new.title, new.text, preserved.metadata, new.digest,
            new.vector_origin, preserved.indexed_at, new.spans, tuple(next(numbers) for _ in new.spans), vectors,
            frozenset(new.pending), payload=preserved.payload,
        )  # fmt: skip

    def _continue(self, state: MemoryState, old: MemoryDocument, continuation: Continuation) -> MemoryDocument:
        kept = sum(span.start < continuation.start for span in old.spans)
        starts = tuple(start for start in old.part_starts if start < continuation.start)
        text, spans, ids = old.text[: continuation.start], old.spans[:kept], old.chunk_ids[:kept]
        vectors, pending = old.vectors[:kept], {number for number in old.pending if number < kept}
        for part in continuation.parts:
            rows = np.zeros((len(part.spans), state.info.encoder.dimension), np.float32)
            rows[[n for n in range(len(part.spans)) if n not in part.pending]] = part.vectors
            vectors = np.concatenate([vectors, _round(rows, state.info.precision)])
            pending |= {len(spans) + number for number in part.pending}
            text, spans, starts = text + part.text, spans + part.spans, (*starts, part.start)
            ids += tuple(next(self._store.numbers) for _ in part.spans)
        return replace(
            old, text=text, spans=spans, chunk_ids=ids, vectors=vectors, pending=frozenset(pending), part_starts=starts,
            digest=continuation.digest, indexed_at=_get_timestamp(),
        )  # fmt: skip

    def set_metadata(self, metadata: Mapping[str, Metadata]) -> None:
        with self._change() as state:
            _set_metadata(state, metadata)

    def set_collection_metadata(self, metadata: Metadata) -> None:
        state = self._store.find(self._key)
        new = replace(state, info=replace(state.info, metadata=dict(metadata)))
        self._store.states = {**self._store.states, self._key: new}

    def set_stemmer(self, stemmer: str) -> None:
        with self._change() as state:
            pass
        self._store.states = {**self._store.states, self._key: replace(state, info=replace(state.info, stemmer=stemmer))}

    def delete_documents(self, ids: Sequence[str], *, ignore: bool = False) -> int:
        with self._change() as state:
            deleted = [state.documents.pop(key) for key in dict.fromkeys(ids) if key in state.documents]
            for document in deleted:
                if document.source is not None:
                    state.files[document.source] = replace(state.files[document.source], digest=None)
                    state.ignored.update({(document.source, document.id)} if ignore else set())
        return len(deleted)

    def stop_ignoring(self, ids: Sequence[str]) -> int:
        with self._change() as state:
            found = {(path, key) for path, key in state.ignored if key in ids}
            for path, _ in found:
                if path in state.files:
                    state.files[path] = replace(state.files[path], digest=None)
            state.ignored.difference_update(found)
        return len(found)

    def delete_sources(self, paths: Sequence[str]) -> int:
        with self._change() as state:
            deleted = [key for key, document in state.documents.items() if document.source in paths]
            for key in deleted:
                del state.documents[key]
            for path in paths:
                state.files.pop(path, None)
        return len(deleted)

    def record_failures(self, errors: Mapping[str, str]) -> None:
        with self._change() as state:
            for path, error in errors.items():
                known = state.files.get(path, MemoryFile(indexed_at=_get_timestamp()))
                state.files[path] = replace(known, error=error, skipped=None)

    def record_skips(self, reasons: Mapping[str, str]) -> None:
        with self._change() as state:
            for path, reason in reasons.items():
                state.files[path] = MemoryFile(indexed_at=_get_timestamp(), skipped=reason)

    def set_roots(self, roots: Sequence[Root], *, changed: Sequence[Path] = ()) -> None:
        with self._change() as state:
            state.roots.update((root.path, root) for root in roots)
            for path, file in state.files.items():
                if any(to_absolute_path(self._store.source_root, path).is_relative_to(folder) for folder in changed):
                    state.files[path] = replace(file, digest=None)

    def forget_roots(self, paths: Sequence[str]) -> int:
        with self._change() as state:
            return sum(state.roots.pop(path, None) is not None for path in paths)

    def set_preferences(self, profile: str, preferences: Sequence[Preference]) -> None:
        with self._change() as state:
            state.preferences.update(((profile, one.id), one) for one in preferences)

    def delete_preferences(self, profile: str, ids: Sequence[str] | None = None) -> int:
        with self._change() as state:
            gone = [key for key in state.preferences if key[0] == profile and (ids is None or key[1] in ids)]
            for key in gone:
                del state.preferences[key]
            return len(gone)

    def set_query_map(self, query_map: QueryMap | None) -> bool:
        with self._change() as state:
            was_there = bool(state.query_maps)
            state.query_maps[:] = [] if query_map is None else [query_map]
            return was_there

    def attach_vectors(self, vectors: Mapping[ChunkId, Vector]) -> int:
        count = 0
        with self._change() as state:
            for document in list(state.documents.values()):
                made = {n: vectors[document.chunk_ids[n]] for n in document.pending if document.chunk_ids[n] in vectors}
                rows = document.vectors.copy()
                for ordinal, vector in made.items():
                    rows[ordinal] = _round(vector, state.info.precision)
                state.documents[document.id] = replace(document, vectors=rows, pending=document.pending - made.keys())
                count += len(made)
        return count

    def refresh_indexes(self) -> None:
        """Do nothing: there are no indexes."""

    def optimize(self, *, full: bool = False) -> None:
        """Do nothing: there are no indexes."""


class MemoryReplacement:
    """A collection built beside a live one; see `stores.base.Replacement`."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store, self._name, self._key = store, name, (name, True)
        self._begun: CollectionInfo | None = None

    @property
    def info(self) -> CollectionInfo | None:
        return MemoryWriter(self._store, self._key).info

    def begin(self, encoder: EncoderSpec, precision: Precision) -> CollectionInfo:
        with self._store.hold_lock():
            live_state, info = self._store.find((self._name, False)), self.info
            if info is not None and (info.encoder.fingerprint, info.precision) != (encoder.fingerprint, precision):
                self.abandon()
            writer = MemoryWriter(self._store, self._key)
            self._begun = writer.ensure(
                encoder, precision=precision, stemmer=live_state.info.stemmer, metadata=live_state.info.metadata
            )
            return self._begun

    def open_snapshot(self) -> AbstractContextManager[MemorySnapshot | None]:
        return self._store.open_snapshot(self._name, is_replacement=True)

    @contextmanager
    def open_writer(self) -> Iterator[MemoryWriter]:
        with self._store.hold_lock():
            self._check_begun()
            yield MemoryWriter(self._store, self._key)

    def claim_filling(self) -> AbstractContextManager[bool]:
        return self._store.claim_filling(self._name, is_replacement=True)

    def _check_begun(self) -> None:
        info = self.info
        if info is None or self._begun is None or info.identity != self._begun.identity:
            raise StorageError(f"the new vectors of {self._name!r} were given up or begun again by another process")

    def _list_outdated(self) -> list[MemoryDocument]:
        live_state, built = self._store.find((self._name, False)), self._store.states[self._key].documents
        outdated = (
            document
            for key, document in live_state.documents.items()
            if key not in built or built[key].get_fields() != document.get_fields()
        )
        return sorted(outdated, key=lambda document: document.number)

    def list_pending(self, *, after: int = 0) -> list[OutdatedDocument]:
        built = self._store.states[self._key].documents
        return [
            OutdatedDocument(
                document.number, document.id, document.source, document.title, document.text, document.digest,
                document.vector_origin, PreservedFields(document.metadata, document.payload, document.indexed_at),
                document.spans, document.id in built,
            )
            for document in self._list_outdated()
            if document.number > after
        ][:READ_DOCUMENTS]  # fmt: skip

    def count_pending_characters(self) -> int:
        return sum(len(document.text) for document in self._list_outdated())

    def swap(self) -> None:
        with self._store.hold_lock():
            self._check_begun()
            if self._list_outdated() or self._store.states[self._key].info.pending_vectors:
                raise StorageError(f"the new vectors of collection {self._name!r} are not complete")
            live_state, built = self._store.find((self._name, False)), self._store.states[self._key]
            info = replace(
                built.info,
                stemmer=live_state.info.stemmer,
                metadata=live_state.info.metadata,
                public_id=live_state.info.public_id,
                version=(built.info.identity, next(self._store.numbers)),
            )
            documents = {key: document for key, document in built.documents.items() if key in live_state.documents}
            new_state = replace(
                built, info=info, documents=documents, files=live_state.files, roots=live_state.roots, ignored=live_state.ignored,
                preferences=live_state.preferences,
                query_maps=live_state.query_maps if info.has_same_vectors(live_state.info) else [],
            )  # fmt: skip
            states = {key: state for key, state in self._store.states.items() if key != self._key}
            self._store.states = {**states, (self._name, False): new_state}

    def abandon(self) -> bool:
        with self._store.hold_lock():
            was_begun = self._key in self._store.states
            self._store.states = {key: state for key, state in self._store.states.items() if key != self._key}
            return was_begun


def _set_metadata(state: MemoryState, metadata: Mapping[str, Metadata]) -> None:
    for key, values in metadata.items():
        if key in state.documents:
            state.documents[key] = replace(state.documents[key], metadata=_dump(values), indexed_at=_get_timestamp())


def _round(vectors: Any, precision: Precision) -> Any:
    return vectors.astype(np.float16 if precision is Precision.FLOAT16 else np.float32)


def _dump(metadata: Metadata) -> str:
    return json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _dump_payload(payload: JSON) -> str | None:
    return None if payload is None else json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _get_timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
