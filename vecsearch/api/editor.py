"""Everything of the Python API that changes stored documents. `collection` adds, indexes, deletes and keeps house."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecsearch.api import arguments
from vecsearch.api.brought_vectors import BroughtVectors, join_vectors, parse_vectors
from vecsearch.api.columns import list_values
from vecsearch.api.word_senses import CollectionWords
from vecsearch.core.checks import check_choice, shorten_repr
from vecsearch.core.encoder_fields import read_dimension, read_fingerprint, read_name
from vecsearch.core.errors import (
    CollectionNotFoundError,
    DimensionMismatchError,
    DocumentExistsError,
    DocumentNotFoundError,
    InputError,
    UsageError,
)
from vecsearch.core.parallel import start
from vecsearch.core.results import AddReport
from vecsearch.core.settings import BATCH_CHUNKS
from vecsearch.core.source_paths import format_path, make_absolute, parse_path, resolve_path, to_absolute_path
from vecsearch.core.types import (
    JSON,
    AnyOnMissing,
    AnyPath,
    CollectionSpec,
    Document,
    Metadata,
    OnConflict,
    OnMissing,
    Split,
    VectorOrigin,
    Where,
    format_names,
)
from vecsearch.encoders import registry
from vecsearch.encoders.base import EncoderSpec
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.stores.base import Vector

if TYPE_CHECKING:  # loaded with the first write, so that a search does not wait
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.indexing.batch_writer import BatchWriter
    from vecsearch.indexing.language_counter import LanguageCounter


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to change of a document; None for what is not. `metadata` is merged: a key of None is removed."""

    text: str | None = None
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    payload: JSON = None
    vector: Vector | None = None

    @property
    def is_of_content(self) -> bool:
        """Return whether the document's vectors change with it."""
        return self.text is not None or self.title is not None or self.vector is not None


class CollectionEditor(CollectionWords):
    """A collection whose documents are changed."""

    _spec: CollectionSpec
    _has_told_languages = False

    def forget_root(self, path: AnyPath) -> None:
        """Refresh a root no more; its documents stay. Raises InputError where it is none."""
        known = [root.path for root in self.roots()]
        names = {format_path(resolve_path(Path(path).expanduser())), format_path(make_absolute(Path(path).expanduser()))}
        found = [name for name in known if name in names]
        if not found:
            raise InputError(f"{format_path(path)} is no root: {format_names(known) or 'there is none'}; see `vecsearch roots`")
        with self._store.open_writer(self.name) as writer:
            writer.forget_roots(found)

    def stop_ignoring(self, ids: str | Iterable[str]) -> int:
        """Take documents again that `delete(…, ignore=True)` keeps away, by id, with the next `index`; returns how many.

        Raises DocumentNotFoundError for an id that is not kept away.
        """
        keys = arguments.parse_ids(ids) or []
        ignored = {document.id for document in self.list_ignored()}
        if unknown := [key for key in keys if key not in ignored]:
            raise DocumentNotFoundError(f"{shorten_repr(unknown[0])} is not kept away; see `vecsearch roots`", unknown)
        with self._store.open_writer(self.name) as writer:
            return writer.stop_ignoring(keys)

    def _delete_source(self, paths: Sequence[Path]) -> None:
        with self._store.open_writer(self.name) as writer, writer.open_snapshot() as snapshot:
            names = [] if snapshot is None else sorted(snapshot.find_stored_sources(below=paths))
        if names:
            with self._store.open_writer(self.name) as writer:
                writer.delete_sources(names)

    def _list_returning(self, ids: Sequence[str]) -> list[str]:
        """Return those of some documents whose files are still there."""
        with self._store.open_snapshot(self.name) as snapshot:
            stored = {} if snapshot is None else snapshot.find_stored_documents(ids)
        sources = {document.source for document in stored.values()} - {None}
        present = {path for path in sources if path and os.path.lexists(to_absolute_path(self._store.source_root, path))}
        return [key for key in ids if key in stored and stored[key].source in present]

    def _list_gone_roots(self, paths: Sequence[Path]) -> list[str]:
        """Return the roots at or below some paths that are gone from the disk."""
        roots = ((root.path, Path(parse_path(root.path))) for root in self.roots())
        return [
            shown for shown, path in roots
            if not os.path.lexists(path) and any(path.is_relative_to(place) for place in paths)
        ]  # fmt: skip

    def update(
        self,
        id: str,
        *,
        text: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, object] | None = None,
        payload: object = None,
    ) -> Document:
        """Change a document; returns it as it is then. See `update_many`."""
        text, title = list_values([text, title], "text and title")
        change = _make_change(text, title, metadata, payload)
        with self._store.open_writer(self.name):
            keys = self._select_ids([id], None, None)
            self._change_documents(dict.fromkeys(keys, change))
            return self.get(keys)[0]

    def update_many(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        texts: Iterable[str | None] | None = None,
        titles: Iterable[str | None] | None = None,
        metadatas: Iterable[Mapping[str, object] | None] | None = None,
        payloads: Iterable[object] | None = None,
        metadata: Mapping[str, object] | None = None,
        vectors: object = None,
        missing: AnyOnMissing = OnMissing.ERROR,
    ) -> list[str]:
        """Change documents; returns the ids of those that were changed. On bad input none is.

        `texts`, `titles`, `metadatas`, `payloads` and `vectors`, shape (len(ids), dimension), have one for each of the `ids`;
        None leaves what is there. `metadata` goes to each of the `ids`, or to all documents that `where` selects. Metadata is
        merged key by key, None removes a key; metadata and payloads alone are changed without encoding. A document that gets a
        vector becomes one chunk; one without a vector stays so until it gets one, any other that gets text or a title is encoded.

        Raises DocumentNotFoundError for an id that is not there, unless `missing` is "skip"; InputError for a file's document
        whose text, title or vector is to change; DimensionMismatchError, DatabaseLockedError, DiskFullError.
        """
        policy = check_choice(OnMissing, missing, "missing")
        condition = arguments.parse_changing_where(where)
        columns = {"texts": texts, "titles": titles, "metadatas": metadatas, "payloads": payloads, "vectors": vectors}
        _check_selection(ids, where, columns, metadata)
        if ids is not None:
            changes = _align_changes(ids, columns, metadata)
        with self._store.open_writer(self.name):
            keys = self._select_ids(None if ids is None else list(changes), condition, None, policy)
            if ids is None:
                changes = dict.fromkeys(keys, _make_change(None, None, metadata))
            self._change_documents({key: changes[key] for key in keys})
        return keys

    def set_metadata(self, metadata: Mapping[str, object]) -> None:
        """Replace the collection's own metadata by a JSON object of yours. Raises InputError, CollectionNotFoundError."""
        from vecsearch.documents.validation import validate_metadata

        checked = validate_metadata(arguments.to_plain_json(metadata, "metadata"))
        with self._store.open_writer(self.name) as writer:
            if writer.info is None:
                raise CollectionNotFoundError(self.name, self._store.list_names())
            writer.set_collection_metadata(checked)

    def _change_documents(self, changes: Mapping[str, _Change]) -> None:
        """Change documents that are there, inside of a write."""
        rewritten = [key for key, change in changes.items() if change.is_of_content]
        self._find_existing_ids(rewritten, OnConflict.REPLACE)
        with self._open_snapshot() as snapshot:
            stored = snapshot.find_stored_documents(list(changes))
            old = snapshot.load_documents(rewritten)
        metadatas = {key: _merge_metadata(stored[key].metadata, change.metadata) for key, change in changes.items()}
        documents = [_rewrite(document, changes[document.id], metadatas.pop(document.id)) for document in old]
        whole: list[ParsedDocument] = []
        encoded: list[ParsedDocument] = []
        for document in documents:
            vectorless = stored[document.id].vector_origin is VectorOrigin.NONE
            (whole if vectorless or changes[document.id].vector is not None else encoded).append(document)
        if whole:
            self._add_vectors(whole, join_vectors([changes[document.id].vector for document in whole]))
        batches = self._make_batch_writer()
        for key, metadata in metadatas.items():
            batches.set_metadata(key, metadata, source=stored[key].source)
            if changes[key].payload is not None:
                batches.set_payload(key, changes[key].payload)
        self._write_texts(batches, encoded)

    def _add_documents(
        self, documents: Sequence[ParsedDocument], policy: OnConflict, brought: BroughtVectors | None
    ) -> AddReport:
        """Store checked documents, with the vectors that were brought for them, if any."""
        self._store.check_open()
        if not documents:
            return AddReport()
        if brought is None:
            self._store.upgrade()
            self._load_encoder()  # before the lock: that may take as long as a download
        with self._store.open_writer(self.name):
            stored = self._find_existing_ids([document.id for document in documents], policy)
            positions = [n for n, document in enumerate(documents) if not (document.id in stored and policy is OnConflict.SKIP)]
            if brought is None:
                self._write_texts(self._make_batch_writer(), [documents[n] for n in positions])
            else:
                self._add_vectors([documents[n] for n in positions], brought.select(positions))
        counts = {"replaced" if policy is OnConflict.REPLACE else "skipped": len(stored)}
        return AddReport([document.id for document in documents], added=len(documents) - len(stored), **counts)

    def _find_existing_ids(self, ids: Sequence[str], policy: OnConflict) -> set[str]:
        with self._store.open_snapshot(self.name) as snapshot:
            stored = {} if snapshot is None else snapshot.find_stored_documents(ids)
        if stored and policy is OnConflict.ERROR:
            taken = [key for key in dict.fromkeys(ids) if key in stored]
            names = f"the id {taken[0]!r} is" if len(taken) == 1 else f"the ids {format_names(list(map(repr, taken)))} are"
            raise DocumentExistsError(f"{names} there already; use on_conflict='skip' or 'replace'", taken)
        for document in stored.values():
            if document.source is not None and policy is OnConflict.REPLACE:
                raise InputError(f"{document.id!r} belongs to the file {document.source}; change the file and index it again")
        return set(stored)

    def _make_batch_writer(self) -> BatchWriter:
        from vecsearch.indexing.batch_writer import BatchWriter
        from vecsearch.indexing.write_target import CollectionTarget

        target = CollectionTarget(self._store, self.name)
        return BatchWriter(target, get_encoder=self._load_encoder, spec=self._spec)

    def _write_texts(self, batches: BatchWriter, documents: Sequence[ParsedDocument]) -> None:
        """Store texts, encoded, and all else that the batches hold."""
        from vecsearch.indexing.stages import chunk

        if not documents:
            batches.flush()
            return
        encoder = self._load_encoder()
        languages = None if self._has_told_languages else self._count_languages(documents, read_name(encoder))
        for document in documents:
            batches.add(chunk(document, Split.TOKENS, encoder))
        batches.flush()
        if languages is not None:  # who adds one by one is told once: from then on nothing is looked for
            self._has_told_languages = languages().warn(read_name(encoder), self.name)

    @staticmethod
    def _count_languages(documents: Sequence[ParsedDocument], model: str) -> Callable[[], LanguageCounter]:
        """Begin to count the documents in languages that the model does not know; beside their encoding, where they are many."""
        from vecsearch.indexing.language_counter import LanguageCounter
        from vecsearch.text.language import free_model

        def count() -> LanguageCounter:
            languages = LanguageCounter()
            languages.add_some(documents, model)
            if len(documents) > 1:  # else the next one needs it again
                free_model()
            return languages

        return start(count) if len(documents) > BATCH_CHUNKS else cache(count)

    def _add_vectors(self, documents: Sequence[ParsedDocument], vectors: BroughtVectors) -> None:
        """Store documents of one chunk, with the vectors that were brought for them, or without."""
        from vecsearch.indexing.batch_writer import choose_stemmer

        self._check_requested_model(self._read_info())  # which may be another by now
        batches = self._make_batch_writer()
        with self._store.open_writer(self.name) as writer:
            info = writer.info
            if info is None:  # its model is named, not loaded, but for its dimension; what made the vectors is taken as float32
                encoder = registry.load(self._requested_model, ComputePrecision.FLOAT32)
                spec = EncoderSpec(read_name(encoder), read_fingerprint(encoder), vectors.dimension or read_dimension(encoder))
                stemmer = choose_stemmer(self._spec, (document.text for document in documents))
                info = batches.create(writer, spec, precision=self._spec.precision, stemmer=stemmer)
            if vectors.dimension not in (None, info.encoder.dimension):
                raise DimensionMismatchError(info.encoder.dimension, vectors.dimension)
            batches.commit_with_vectors(documents, vectors.rows, vectors.are_given.tolist())


def _check_selection(ids: Any, where: Where | None, columns: Mapping[str, Any], metadata: Any) -> None:
    """Raise UsageError for arguments that contradict each other."""
    given = [name for name, column in columns.items() if column is not None]
    if (ids is None) == (where is None):
        raise UsageError("update_many takes ids or where: exactly one of them")
    if ids is None and given:
        raise UsageError(f"{given[0]} go with ids, one for each; with where goes metadata, for all")
    if metadata is not None and "metadatas" in given:
        raise UsageError("update_many takes metadata, for all, or metadatas, one for each: not both")


def _align_changes(ids: Iterable[str], columns: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> dict[str, _Change]:
    """Return the change of each id. Raises InputError."""
    keys = list_values(ids, "ids", one_value="update(id)")
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise InputError(f"the id {shorten_repr(twice[0])} is given twice")
    none = [None] * len(keys)
    texts, titles, metadatas, payloads = (
        arguments.list_column(columns[name], name, len(keys), beside="id") or none
        for name in ("texts", "titles", "metadatas", "payloads")
    )
    rows = none if columns["vectors"] is None else list(parse_vectors(columns["vectors"], len(keys), beside="id"))
    return {
        key: _make_change(text, title, metadata if own is None else own, payload, row)
        for key, text, title, own, payload, row in zip(keys, texts, titles, metadatas, payloads, rows, strict=True)
    }


def _make_change(
    text: str | None, title: str | None, metadata: Mapping[str, Any] | None, payload: JSON = None, vector: Vector | None = None
) -> _Change:
    from vecsearch.documents.validation import validate_payload

    changes = {} if metadata is None else arguments.to_plain_json(metadata, "metadata")
    if not isinstance(changes, dict):
        raise InputError(f"metadata must be a mapping with string keys, got {shorten_repr(metadata)}")
    return _Change(text, title, changes, validate_payload(arguments.to_plain_json(payload, "the payload")), vector)


def _merge_metadata(old: Metadata, changes: Metadata) -> Metadata:
    """Return the metadata after a change. Raises InputError."""
    from vecsearch.documents.validation import validate_metadata

    both = {**old, **changes}
    return validate_metadata({key: value for key, value in both.items() if value is not None or key not in changes})


def _rewrite(old: Document, change: _Change, metadata: Metadata) -> ParsedDocument:
    """Return a document after a change. Raises InputError."""
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.validation import validate_document

    text, title = old.text if change.text is None else change.text, old.title if change.title is None else change.title
    payload = old.payload if change.payload is None else change.payload
    return validate_document(ParsedDocument(old.id, text, title, metadata, payload=payload), has_vector=change.vector is not None)
