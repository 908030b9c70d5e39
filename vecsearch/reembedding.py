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

from vecsearch.batches import Batches, Progress, Silent, Waiting, refitted
from vecsearch.core.errors import StorageError, UnknownCollection, UsageError
from vecsearch.core.types import Draft, Making, Precision
from vecsearch.encoding import registry
from vecsearch.encoding.identity import Arithmetic
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence import publish, succession
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader, names
from vecsearch.persistence.state import CollectionState, successor_name
from vecsearch.persistence.succession import Lacking

_FEW: Final = 64  # documents that may be left to the pass that holds the lock …
_PASSES_MAX: Final = 10  # … unless writers go on and on


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a run did: the collection's totals after it, and how many texts were encoded. `switched` is False where the vectors
    were this encoder's already."""

    collection: str
    encoder: str
    documents: int
    chunks: int
    encoded: int
    seconds: float
    switched: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON."""
        return {key: value for key, value in asdict(self).items() if key != "switched"}


@dataclass(frozen=True, slots=True)
class Aim:
    """What the vectors are to be."""

    encoder: Encoder
    precision: Precision

    def is_that_of(self, state: CollectionState) -> bool:
        """Whether they are so already."""
        return (self.encoder.fingerprint, self.encoder.dimension, self.precision) == (
            state.fingerprint, state.dimension, state.precision,
        )  # fmt: skip


def aim(
    database: Database, name: str, *, encoder: str | Encoder | None, own: str | Encoder | None, precision: Precision | None
) -> Aim:
    """The encoder asked for; by default that of an interrupted run, else, for another precision, the collection's `own`.

    Raises UnknownCollection, UsageError, UnavailableError.
    """
    live, begun = _live(database, name), succession.begun(database, name)
    if encoder is None and begun is not None and precision in (None, begun.precision):
        if own is not None and not isinstance(own, str) and own.fingerprint == begun.fingerprint:
            return Aim(own, begun.precision)
        same = registry.load_same(None, collection=name, stored=begun.encoder, fingerprint=begun.fingerprint)
        return Aim(same, begun.precision)
    if encoder is None and precision is None:
        raise UsageError(f"no vectors of {name!r} are half made: name the encoder of the new ones, or another precision")
    wanted = precision or live.precision
    by = encoder if encoder is not None else live.encoder if own is None else own
    return Aim(registry.load(by, Arithmetic.FLOAT32 if wanted is Precision.FLOAT32 else None), wanted)


class Reembedding:
    """One run over a collection. Takes the write lock when it needs it."""

    def __init__(self, database: Database, name: str, aim: Aim, *, progress: Progress | None = None) -> None:
        self._database, self._name, self._aim = database, name, aim
        self._progress = progress or Silent()
        self._made: CollectionState | None = None
        self._holds = False
        self._seen = Reader(database, successor_name(name))

    def run(self) -> ReembedReport:
        """Make what is lacking and switch. Raises Locked, StorageFull; what was committed is there for the next run."""
        started = perf_counter()
        if self._aim.is_that_of(_live(self._database, self._name)):
            with self._database.locked():
                succession.drop_leftovers(self._database)
            return self._report(0, started, switched=False)
        live = self._begin()
        batches = Batches(
            self._database, successor_name(self._name), encoder_of=lambda: self._aim.encoder,
            making=Making(self._aim.precision, live.language), advance=self._progress.advance, locked=self._locked,
        )  # fmt: skip
        self._progress.begin(succession.characters_lacking(self._database, self._name))
        for _ in range(_PASSES_MAX):
            if self._pass(batches) <= _FEW:
                break
        self._publish()
        self._finish(batches)
        return self._report(batches.encoded, started)

    def _begin(self) -> CollectionState:
        encoder = self._aim.encoder
        with self._database.locked():
            live = _live(self._database, self._name)
            self._made = succession.begin(
                self._database, self._name, encoder=encoder.name, fingerprint=encoder.fingerprint, dimension=encoder.dimension,
                precision=self._aim.precision,
            )  # fmt: skip
        return live

    def _pass(self, batches: Batches) -> int:
        """Make what the successor lacks, from the first document to the last; gives how many were lacking."""
        after = count = 0
        while some := succession.lacking(self._database, self._name, after=after):
            twins = self._twins(some)
            for each in some:
                self._take(batches, each, twins.get(each.digest))
            after, count = some[-1].row, count + len(some)
        batches.flush()
        return count

    def _twins(self, some: Sequence[Lacking]) -> dict[str, int]:
        with self._seen.snapshot() as snapshot:
            return {} if snapshot is None else snapshot.catalogue.twins([each.digest for each in some])

    def _take(self, batches: Batches, each: Lacking, twin: int | None) -> None:
        draft, weight = Draft(each.key, each.text, each.title), float(len(each.text))
        if twin is not None and batches.add_twin(draft, each.digest, twin, source=each.source, weight=weight, kept=each.kept):
            return
        cuts, texts = refitted(draft, each.cuts, self._aim.encoder)
        batches.queue(Waiting(draft, each.source, each.digest, cuts, texts, weight, each.replaces, each.kept))

    def _publish(self) -> None:
        """The index files, so that the first search after the switch is quick."""
        with self._locked():
            publish.publish_if_possible(self._database, successor_name(self._name))

    def _finish(self, batches: Batches) -> None:
        """What came, changed and went meanwhile; then the switch, and the old vectors go."""
        with self._locked():
            self._holds = True
            try:
                self._pass(batches)
                succession.drop_surplus(self._database, self._name)
                self._publish()
                succession.switch(self._database, self._name)
                succession.drop_leftovers(self._database)
            finally:
                self._holds = False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The write lock, in which the successor is still the one begun."""
        if self._holds:
            yield
            return
        with self._database.locked():
            begun = succession.begun(self._database, self._name)
            if begun is None or self._made is None or begun.id != self._made.id:
                raise StorageError(f"the new vectors of {self._name!r} were given up or begun anew by another process")
            yield

    def _report(self, encoded: int, started: float, *, switched: bool = True) -> ReembedReport:
        with Reader(self._database, self._name).snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.counts()
        seconds = round(perf_counter() - started, 3)
        return ReembedReport(self._name, self._aim.encoder.name, documents, chunks, encoded, seconds, switched)


def _live(database: Database, name: str) -> CollectionState:
    with Reader(database, name).snapshot() as snapshot:
        if snapshot is not None:
            return snapshot.state
    raise UnknownCollection(name, names(database))
