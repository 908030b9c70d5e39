"""Embed a collection again with another model: beside the live vectors, which answer until all is there; then one swap.

The replacement is a collection of its own, see `stores.base.Replacement`. Documents keep their texts, chunks, metadata and files;
a chunk that does not fit the new window is split further. Writers may come in between batches: whole passes over what the
replacement lacks follow each other until little is left, and the last of them holds the lock, up to the swap. Each pass stores
the texts, then makes the vectors that wait. What is there already is not encoded again, so that an interrupted run goes on where
it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any, Final

import numpy as np

from vecsearch.core.encoder_fields import read_dimension, read_fingerprint, read_modalities
from vecsearch.core.errors import CollectionNotFoundError, EncodingError, StorageError, UsageError
from vecsearch.core.parsed import ParsedDocument, get_media_kind
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.core.types import CollectionSpec, Precision, VectorOrigin
from vecsearch.documents.validation import has_words
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder, describe_encoder
from vecsearch.encoders.model_files import ComputePrecision, explain_modality
from vecsearch.indexing.batch_writer import BatchWriter
from vecsearch.indexing.media_vectors import list_media_kinds
from vecsearch.indexing.progress import NullProgress, Progress
from vecsearch.indexing.stages import rechunk
from vecsearch.indexing.vector_filler import VectorFiller
from vecsearch.indexing.write_target import CollectionTarget, count_stored, find_encoded
from vecsearch.stores.base import CollectionInfo, EncodedChunks, NewDocument, OutdatedDocument, Store

_FINAL_PASS_DOCUMENTS_MAX: Final = 64  # documents that may be left to the pass that holds the lock …
_PASSES_MAX: Final = 10  # … unless writers go on and on


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a run did: the collection's totals after it, and how many texts were encoded.

    `switched` is False where the vectors were this model's already, or the run was `stopped`: told to stop before the swap, so
    that the old vectors answer and the next run goes on. `tuning_dropped`: there was a map of questions, which `tune` had made
    for the old vectors; it went with them.
    """

    collection: str
    model: str
    documents: int
    chunks: int
    encoded: int
    seconds: float
    switched: bool = True
    stopped: bool = False
    tuning_dropped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON."""
        return {key: value for key, value in asdict(self).items() if key != "switched"}


@dataclass(frozen=True, slots=True)
class ReembedTarget:
    """What the vectors are to be."""

    encoder: TextEncoder
    precision: Precision

    def is_met_by(self, info: CollectionInfo) -> bool:
        """Return whether they are so already."""
        spec = describe_encoder(self.encoder)
        fits = (spec.fingerprint, spec.dimension) == (info.encoder.fingerprint, info.encoder.dimension)
        return fits and self.precision is info.precision


def resolve_target(
    store: Store, name: str, *, model: str | TextEncoder | None, own_model: str | TextEncoder | None, precision: Precision | None
) -> ReembedTarget:
    """Return the requested model; by default that of an interrupted run, else, for another precision, the collection's own.

    Raises CollectionNotFoundError, UsageError, UnavailableError.
    """
    live, begun = _read_live(store, name), store.get_replacement(name).info
    if model is None and begun is not None and precision in (None, begun.precision):
        if own_model is not None and not isinstance(own_model, str) and read_fingerprint(own_model) == begun.encoder.fingerprint:
            return ReembedTarget(own_model, begun.precision)
        same = registry.load_matching(None, collection=name, stored=begun.encoder.model, fingerprint=begun.encoder.fingerprint)
        return ReembedTarget(same, begun.precision)
    if model is None and precision is None:
        raise UsageError(f"no new vectors of {name!r} are in progress: name the model of the new ones, or another precision")
    target_precision = precision or live.precision
    by = model if model is not None else live.encoder.model if own_model is None else own_model
    return ReembedTarget(
        registry.load(by, ComputePrecision.FLOAT32 if target_precision is Precision.FLOAT32 else None), target_precision
    )


class ReembedRun:
    """One run over a collection. Takes the write lock when it needs it."""

    def __init__(
        self, store: Store, name: str, target: ReembedTarget, *, progress: Progress | None = None, stop: StopSignal = NO_STOP
    ) -> None:
        self._store, self._name, self._target, self._stop = store, name, target, stop
        self._replacement = store.get_replacement(name)
        self._progress = progress or NullProgress()

    def run(self) -> ReembedReport:
        """Make what is lacking and swap. What was committed is there for the next run, whatever ends this one.

        Raises DatabaseLockedError, DiskFullError, StorageError where another process gave the new vectors up.
        """
        started = perf_counter()
        live = _read_live(self._store, self._name)
        if self._target.is_met_by(live):
            with self._store.open_writer(self._name):  # what an earlier run left behind is cleared away
                return self._make_report(0, started, switched=False)
        encoder = self._target.encoder
        self._replacement.begin(describe_encoder(encoder), self._target.precision)
        spec = CollectionSpec(self._target.precision, live.stemmer)
        batches = BatchWriter(
            self._replacement, get_encoder=lambda: encoder, spec=spec, advance=self._progress.advance,
            may_replace=lambda source: True,  # ids are the live collection's: whatever it says is right
            vectors_follow=True,
        )  # fmt: skip
        filler = VectorFiller(
            self._replacement, get_encoder=lambda: encoder, progress=self._progress, stop=self._stop,
            source_root=self._store.source_root, marks_files=False,
        )  # fmt: skip
        is_map_outdated = self._has_map() and live.encoder.fingerprint != describe_encoder(encoder).fingerprint
        try:
            self._fill_replacement(batches, filler)
            self._finish(batches, filler)
        except RunStoppedError:
            batches.flush()
        report = self._make_report(filler.encoded_count, started, switched=not self._stop.is_set)
        return replace(report, tuning_dropped=is_map_outdated and report.switched)

    def _has_map(self) -> bool:
        with self._store.open_snapshot(self._name) as snapshot:
            return snapshot is not None and snapshot.load_query_map() is not None

    def _fill_replacement(self, batches: BatchWriter, filler: VectorFiller) -> None:
        """Make what is lacking, but for what comes meanwhile."""
        self._progress.begin(self._replacement.count_pending_characters())
        for _ in range(_PASSES_MAX):
            lacking = self._run_pass(batches)
            filler.run()
            self._stop.check()
            if lacking <= _FINAL_PASS_DOCUMENTS_MAX:
                break
        with self._replacement.open_writer() as writer:
            writer.refresh_indexes()  # so that the first search after the swap is quick

    def _run_pass(self, batches: BatchWriter) -> int:
        """Make what the replacement lacks, from the first document to the last; returns how many were lacking."""
        after = count = 0
        while pending := self._replacement.list_pending(after=after):
            encoded = self._find_encoded(pending)
            for document in self._stop.check_each(pending):
                self._add(batches, document, encoded.get(document.digest))
            after, count = pending[-1].number, count + len(pending)
        batches.flush()
        return count

    def _find_encoded(self, pending: Sequence[OutdatedDocument]) -> dict[str, EncodedChunks]:
        """Return what the replacement has of the same contents, by digest."""
        with self._replacement.open_snapshot() as snapshot:
            return {} if snapshot is None else find_encoded(snapshot, [document.digest for document in pending])

    def _add(self, batches: BatchWriter, document: OutdatedDocument, encoded: EncodedChunks | None) -> None:
        weight = float(len(document.text))
        if document.vector_origin is VectorOrigin.NONE:
            encoded = EncodedChunks(document.spans, np.empty((0, read_dimension(self._target.encoder)), np.float32))
        if encoded is not None:
            new = NewDocument(
                document.id, document.source, document.text, document.title, {}, document.digest, encoded.spans, encoded.vectors,
                vector_origin=VectorOrigin.TEXT if len(encoded.vectors) else VectorOrigin.NONE, preserved=document.preserved,
            )  # fmt: skip
            batches.add_encoded(new, weight=weight)
            return
        self._check_media(document)
        if not has_words(document.title, document.text):
            raise EncodingError(
                f"the document {document.id!r} is a vector without a text, which no other model can make again; so the old "
                f"vectors of {self._name!r} stay: delete that document, or give it a text, and run reembed again"
            )
        parsed = ParsedDocument(document.id, document.text, document.title)
        chunked = rechunk(
            parsed, document.spans, self._target.encoder, digest=document.digest, source=document.source,
            preserved=document.preserved,
        )  # fmt: skip
        batches.add(chunked, weight=weight)

    def _check_media(self, document: OutdatedDocument) -> None:
        """Raise EncodingError for a document with a picture or sound that the new model does not take."""
        kinds = {get_media_kind(span.location) for span in document.spans} - {None, *list_media_kinds(self._target.encoder)}
        if kind := next(filter(None, kinds), None):
            why = explain_modality(self._target.encoder.name, read_modalities(self._target.encoder), kind.value)
            raise EncodingError(
                f"the vector of the document {document.id!r} is made of its {kind.value}: {why}; so the old vectors of "
                f"{self._name!r} stay: choose another model, or index the files by this one into a collection of its own, "
                "vecsearch index PATH -c NAME --model MODEL"
            )

    def _finish(self, batches: BatchWriter, filler: VectorFiller) -> None:
        """Take in what came, changed and went meanwhile; then swap, and the old vectors go."""
        with self._replacement.open_writer() as writer:
            self._run_pass(batches)
            filler.run(holds_lock=True)
            self._stop.check()
            self._check_failures(filler)
            if pending := self._replacement.list_pending():
                raise StorageError(
                    f"the new vectors of {self._name!r} lack the document {pending[0].id!r}, so the old ones stay; "
                    "run reembed again, or discard what is made: vecsearch reembed --cancel"
                )
            writer.refresh_indexes()
            self._replacement.swap()

    def _check_failures(self, filler: VectorFiller) -> None:
        """Raise EncodingError where a document that is still there has a text without a new vector."""
        failures = filler.list_failures()
        if not failures:
            return
        with self._store.open_snapshot(self._name) as live:
            stored = {} if live is None else live.find_stored_documents(list(failures))
        if failure := next((error for key, error in failures.items() if key in stored), None):
            raise EncodingError(
                f"{failure}; so the old vectors of {self._name!r} stay, what was made is kept: change or delete that document "
                "and run reembed again, or discard what is made: vecsearch reembed --cancel"
            ) from failure

    def _make_report(self, encoded: int, started: float, *, switched: bool = True) -> ReembedReport:
        documents, chunks, _ = count_stored(CollectionTarget(self._store, self._name))
        seconds = round(perf_counter() - started, 3)
        return ReembedReport(
            self._name, self._target.encoder.name, documents, chunks, encoded, seconds, switched, self._stop.is_set
        )


def _read_live(store: Store, name: str) -> CollectionInfo:
    with store.open_snapshot(name) as snapshot:
        if snapshot is not None:
            return snapshot.info
    raise CollectionNotFoundError(name, store.list_names())
