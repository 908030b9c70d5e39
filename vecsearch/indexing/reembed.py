"""All vectors of a collection anew, by another encoder: made beside the live ones, switched in one transaction.

The successor is a collection of its own under a hidden name (see `succession`). Documents keep their texts, chunks, metadata and
files; a chunk that does not fit the new window is split further. Writers may come in between batches: whole passes over what the
successor lacks follow each other until little is left, and the last of them holds the lock, up to the switch. What is there
already is not encoded again, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Final

from vecsearch.core.errors import CollectionNotFoundError, StorageError, UsageError
from vecsearch.core.types import CollectionSpec, ParsedDocument, Precision
from vecsearch.documents.chunk_inputs import refit_chunks
from vecsearch.encoders import registry
from vecsearch.encoders.base import Encoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.indexing.batch_writer import BatchWriter, NullProgress, PendingDocument, Progress
from vecsearch.stores.sqlite.engine.collections import CollectionState, get_replacement_name
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read.reader import Reader, list_collection_names
from vecsearch.stores.sqlite.write import compaction, replacement
from vecsearch.stores.sqlite.write.replacement import StaleDocument

_FINAL_PASS_DOCUMENTS_MAX: Final = 64  # documents that may be left to the pass that holds the lock …
_PASSES_MAX: Final = 10  # … unless writers go on and on


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a run did: the collection's totals after it, and how many texts were encoded. `switched` is False where the vectors
    were this encoder's already."""

    collection: str
    model: str
    documents: int
    chunks: int
    encoded: int
    seconds: float
    switched: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON."""
        return {key: value for key, value in asdict(self).items() if key != "switched"}


@dataclass(frozen=True, slots=True)
class ReembedTarget:
    """What the vectors are to be."""

    encoder: Encoder
    precision: Precision

    def is_met_by(self, state: CollectionState) -> bool:
        """Whether they are so already."""
        return (self.encoder.fingerprint, self.encoder.dimension, self.precision) == (
            state.fingerprint, state.dimension, state.precision,
        )  # fmt: skip


def resolve_target(
    database: Database, name: str, *, model: str | Encoder | None, own_model: str | Encoder | None, precision: Precision | None
) -> ReembedTarget:
    """The encoder asked for; by default that of an interrupted run, else, for another precision, the collection's `own`.

    Raises UnknownCollection, UsageError, UnavailableError.
    """
    live, begun = _read_live_state(database, name), replacement.find_replacement(database, name)
    if model is None and begun is not None and precision in (None, begun.precision):
        if own_model is not None and not isinstance(own_model, str) and own_model.fingerprint == begun.fingerprint:
            return ReembedTarget(own_model, begun.precision)
        same = registry.load_matching(None, collection=name, stored=begun.encoder, fingerprint=begun.fingerprint)
        return ReembedTarget(same, begun.precision)
    if model is None and precision is None:
        raise UsageError(f"no vectors of {name!r} are half made: name the encoder of the new ones, or another precision")
    wanted = precision or live.precision
    by = model if model is not None else live.encoder if own_model is None else own_model
    return ReembedTarget(registry.load(by, ComputePrecision.FLOAT32 if wanted is Precision.FLOAT32 else None), wanted)


class ReembedRun:
    """One run over a collection. Takes the write lock when it needs it."""

    def __init__(self, database: Database, name: str, target: ReembedTarget, *, progress: Progress | None = None) -> None:
        self._database, self._name, self._target = database, name, target
        self._progress = progress or NullProgress()
        self._successor: CollectionState | None = None
        self._holds_lock = False
        self._successor_reader = Reader(database, get_replacement_name(name))

    def run(self) -> ReembedReport:
        """Make what is lacking and switch. Raises Locked, StorageFull; what was committed is there for the next run."""
        started = perf_counter()
        if self._target.is_met_by(_read_live_state(self._database, self._name)):
            with self._database.hold_write_lock():
                replacement.drop_leftovers(self._database)
            return self._make_report(0, started, switched=False)
        live = self._begin()
        batches = BatchWriter(
            self._database, get_replacement_name(self._name), get_encoder=lambda: self._target.encoder,
            spec=CollectionSpec(self._target.precision, live.language), advance=self._progress.advance, hold_lock=self._hold_lock,
        )  # fmt: skip
        self._progress.begin(replacement.count_stale_characters(self._database, self._name))
        for _ in range(_PASSES_MAX):
            if self._run_pass(batches) <= _FINAL_PASS_DOCUMENTS_MAX:
                break
        self._publish()
        self._finish(batches)
        return self._make_report(batches.encoded_count, started)

    def _begin(self) -> CollectionState:
        encoder = self._target.encoder
        with self._database.hold_write_lock():
            live = _read_live_state(self._database, self._name)
            self._successor = replacement.begin_replacement(
                self._database, self._name, encoder=encoder.name, fingerprint=encoder.fingerprint, dimension=encoder.dimension,
                precision=self._target.precision,
            )  # fmt: skip
        return live

    def _run_pass(self, batches: BatchWriter) -> int:
        """Make what the successor lacks, from the first document to the last; gives how many were lacking."""
        after = count = 0
        while some := replacement.list_stale_documents(self._database, self._name, after_row=after):
            twins = self._find_twins(some)
            for each in some:
                self._add_document(batches, each, twins.get(each.digest))
            after, count = some[-1].row, count + len(some)
        batches.flush()
        return count

    def _find_twins(self, documents: Sequence[StaleDocument]) -> dict[str, int]:
        with self._successor_reader.open_snapshot() as snapshot:
            return {} if snapshot is None else snapshot.document_reader.find_duplicates([each.digest for each in documents])

    def _add_document(self, batches: BatchWriter, document: StaleDocument, twin: int | None) -> None:
        draft, weight = ParsedDocument(document.key, document.text, document.title), float(len(document.text))
        if twin is not None and batches.add_twin(
            draft, document.digest, twin, source=document.source, weight=weight, preserved=document.preserved_fields
        ):
            return
        cuts, texts = refit_chunks(draft, document.spans, self._target.encoder)
        batches.queue(
            PendingDocument(
                draft,
                document.source,
                document.digest,
                cuts,
                texts,
                weight,
                document.exists_in_replacement,
                document.preserved_fields,
            )
        )

    def _publish(self) -> None:
        """The index files, so that the first search after the switch is quick."""
        with self._hold_lock():
            compaction.publish_if_possible(self._database, get_replacement_name(self._name))

    def _finish(self, batches: BatchWriter) -> None:
        """What came, changed and went meanwhile; then the switch, and the old vectors go."""
        with self._hold_lock():
            self._holds_lock = True
            try:
                self._run_pass(batches)
                replacement.drop_surplus(self._database, self._name)
                self._publish()
                replacement.swap_in_replacement(self._database, self._name)
                replacement.drop_leftovers(self._database)
            finally:
                self._holds_lock = False

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        """The write lock, in which the successor is still the one begun."""
        if self._holds_lock:
            yield
            return
        with self._database.hold_write_lock():
            begun = replacement.find_replacement(self._database, self._name)
            if begun is None or self._successor is None or begun.id != self._successor.id:
                raise StorageError(f"the new vectors of {self._name!r} were given up or begun anew by another process")
            yield

    def _make_report(self, encoded: int, start_time: float, *, switched: bool = True) -> ReembedReport:
        with Reader(self._database, self._name).open_snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.count_documents_and_chunks()
        seconds = round(perf_counter() - start_time, 3)
        return ReembedReport(self._name, self._target.encoder.name, documents, chunks, encoded, seconds, switched)


def _read_live_state(database: Database, name: str) -> CollectionState:
    with Reader(database, name).open_snapshot() as snapshot:
        if snapshot is not None:
            return snapshot.state
    raise CollectionNotFoundError(name, list_collection_names(database))
