"""Looking a database through and mending it: what follows from texts, vectors and metadata is made anew, the rest is said.

What SQLite and the index files hold is mended by `persistence.mend`; here it is decided what to mend, in which order, and texts
are encoded again where a vector is lost. The truth itself, texts and metadata, is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.errors import (
    DatabaseLockedError,
    DiskFullError,
    ModelMismatchError,
    StorageError,
    StorageIOError,
    UnavailableError,
    VecsearchError,
)
from vecsearch.core.settings import BATCH_CHUNKS, ENCODER_BATCH_SIZE
from vecsearch.core.types import ChunkSpan, CollectionSpec, Finding, ParsedDocument, Severity, Split
from vecsearch.documents.chunk_inputs import format_encoder_input, refit_chunks
from vecsearch.encoders import model_files, registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.unit_vectors import normalize_vectors
from vecsearch.indexing.batch_writer import BatchWriter, CollectionTarget
from vecsearch.indexing.stages import chunk
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_visible_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity import examine
from vecsearch.stores.sqlite.integrity import repair as menders
from vecsearch.stores.sqlite.integrity.problems import RESTORE, Kind, Trouble, error, note
from vecsearch.stores.sqlite.integrity.repair import Silenced

ModelChoice: TypeAlias = str | TextEncoder | None  # by whom texts are encoded, where the collection's own encoder has no name
_ProblemKey: TypeAlias = tuple[Kind | None, int | None]  # what is wrong, in which collection

_ROUNDS_MAX: Final = 4  # what one mends, another may have hidden
_NEEDS_ENCODER: Final = (Kind.VECTORS, Kind.DOCUMENTS)


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What is still to be found, the worst first; what was mended, a line each; the copy of the database as it was before, None
    where nothing that needs one was changed."""

    findings: tuple[Finding, ...]
    repaired: tuple[str, ...] = ()
    backup: Path | None = None


def collect_findings(store: Any, model: ModelChoice = None) -> list[Finding]:
    """All there is to know of a database, the worst first. Changes nothing."""
    return _sort_findings(each.finding for each in _find_problems(store.database, model))


def repair_database(store: Any, model: ModelChoice = None) -> RepairReport:
    """Mend what can be, after a backup, and look again. Raises Locked, ReadOnly, StorageFull."""
    with store.hold_lock():
        return _RepairRun(store, model).run()


class _RepairRun:
    """One run, inside the lock."""

    def __init__(self, store: Any, model: ModelChoice) -> None:
        self._store, self._database, self._model = store, store.database, model
        self._problems: dict[_ProblemKey, str] = {}
        self._backup: Path | None = None

    def run(self) -> RepairReport:
        troubles = list(_find_problems(self._database, self._model))
        for _ in range(_ROUNDS_MAX):
            due = [each for each in troubles if self._can_repair(each)]
            if not due or any(each.kind is Kind.BROKEN for each in troubles):
                break
            self._run_round(due)
            before, troubles = set(map(_get_problem_key, due)), list(_find_problems(self._database, self._model))
            if before <= set(map(_get_problem_key, troubles)):  # nothing of it helped
                break
        left = set(map(_get_problem_key, troubles))
        done = tuple(f"{what}: {place[0]}" for place, what in self._problems.items() if place not in left)
        return RepairReport(tuple(_sort_findings(self._describe_remaining(each) for each in troubles)), done, self._backup)

    def _run_round(self, due: Sequence[Trouble]) -> None:
        in_sqlite = any(each.kind is not None and each.kind.is_in_sqlite for each in due)
        if in_sqlite and self._backup is None:
            self._backup = menders.back_up(self._database)
        for each in due:
            self._problems.setdefault(_get_problem_key(each), each.finding.what)
        for kind in Kind:
            of_kind = [each for each in due if each.kind is kind]
            if of_kind:
                self._repair_kind(kind, [each.state for each in of_kind if each.state is not None])
        if in_sqlite:
            _try_repair(partial(menders.publish_all, self._database))

    def _repair_kind(self, kind: Kind, states: Sequence[CollectionState]) -> None:
        each_once = list({state.id: state for state in states}.values())
        match kind:
            case Kind.VECTORS:
                for state in each_once:
                    _try_repair(partial(self._reencode_vectors, state))
            case Kind.DOCUMENTS:
                for state in each_once:
                    _try_repair(partial(self._rechunk_documents, state))
            case _:
                _try_repair(partial(menders.MENDERS[kind], self._database, each_once))

    def _can_repair(self, problem: Trouble) -> bool:
        if problem.kind is None or problem.kind is Kind.BROKEN:
            return False
        if problem.kind in _NEEDS_ENCODER:
            return problem.state is not None and _load_encoder(problem.state, self._model) is not None
        return True

    def _describe_remaining(self, problem: Trouble) -> Finding:
        """What is left after mending is not to be mended by mending again."""
        if problem.kind is None or problem.kind is Kind.BROKEN or problem.finding.severity is not Severity.ERROR:
            return problem.finding
        fix = RESTORE
        if problem.kind in _NEEDS_ENCODER and problem.state is not None and not self._can_repair(problem):
            fix = f"make its encoder {problem.state.model} available and run this again, or {RESTORE}"
        return replace(problem.finding, fix=fix)

    def _reencode_vectors(self, state: CollectionState) -> None:
        encoder = _load_encoder(state, self._model)
        assert encoder is not None
        for some in batched(menders.silenced(self._database, state), BATCH_CHUNKS):
            texts = [_build_encoded_text(encoder, each) for each in some]
            parts = [normalize_vectors(encoder.encode_documents(few)) for few in batched(texts, ENCODER_BATCH_SIZE)]
            menders.put_vectors(self._database, state, [each.row for each in some], np.concatenate(parts))

    def _rechunk_documents(self, state: CollectionState) -> None:
        encoder = _load_encoder(state, self._model)
        assert encoder is not None
        broken = menders.uncut(self._database, state)
        making = CollectionSpec(state.precision, state.stemmer)
        target = CollectionTarget(self._store, state.name)
        batches = BatchWriter(target, get_encoder=lambda: encoder, spec=making, may_replace=lambda source: True)
        for each in broken:
            split = Split(each.split or Split.TOKENS)  # a file that was never read through has none
            draft = ParsedDocument(each.key, each.text, each.title)
            batches.add(replace(chunk(draft, split, encoder, source=each.source), preserved=each.kept))
        batches.flush()
        menders.expect_again(self._database, broken)


def _find_problems(database: DatabaseFolder, model: ModelChoice) -> Iterator[Trouble]:
    broken = False
    for each in examine(database):
        broken = broken or each.kind is Kind.BROKEN
        yield each
    if not broken:
        yield from _check_models(database, model)


def _check_models(database: DatabaseFolder, model: ModelChoice) -> Iterator[Trouble]:
    """Whether each collection's encoder is at hand, and still the one that made its vectors. Loads none."""
    with database.begin_read() as connection:
        states = list_visible_states(connection)
    for state in states:
        if _is_encoder_of(model, state):
            continue
        try:
            if not model_files.is_local(state.model):
                raise UnavailableError(f"its encoder {state.model} is not on this machine")
            registry.load_matching(None, collection=state.name, stored=state.model, fingerprint=state.fingerprint)
        except ModelMismatchError:
            what = f"the encoder {state.model} is not the one that made its vectors any more"
            fix = f"put back the model's files as they were, or run: vecsearch reembed --model {state.model} -c {state.name}"
            yield error(what, "queries cannot be compared with the vectors, and nothing can be added", fix, state=state)
        except (VecsearchError, OSError, ValueError) as why:
            meaning = "until it is given, the collection can be searched by words, not by meaning"
            fix = "install it, give it as encoder= when you open the collection, or run: vecsearch reembed --model NAME"
            yield note(str(why), meaning, fix, state=state)


def _load_encoder(state: CollectionState, model: ModelChoice) -> TextEncoder | None:
    """The encoder that made a collection's vectors, None where it is not to be had."""
    if _is_encoder_of(model, state):
        assert model is not None and not isinstance(model, str)
        return model
    try:
        if not model_files.is_local(state.model):
            return None
        found = registry.load_matching(None, collection=state.name, stored=state.model, fingerprint=state.fingerprint)
        return found if found.dimension == state.dimension else None
    except (VecsearchError, OSError, ValueError):
        return None


def _is_encoder_of(model: ModelChoice, state: CollectionState) -> bool:
    fitting = model is not None and not isinstance(model, str)
    return fitting and (model.fingerprint, model.dimension) == (state.fingerprint, state.dimension)  # type: ignore[union-attr]


def _build_encoded_text(encoder: TextEncoder, chunk: Silenced) -> str:
    """What the encoder saw of a chunk when it was first encoded."""
    draft = ParsedDocument(chunk.document, chunk.text, chunk.title)
    if not chunk.text.strip():
        return format_encoder_input(chunk.title, chunk.context, chunk.text)
    _, texts = refit_chunks(draft, [ChunkSpan(0, len(chunk.text), {}, chunk.context)], encoder)
    return texts[0] if len(texts) == 1 else format_encoder_input(chunk.title, chunk.context, chunk.text)


def _try_repair(step: Callable[[], None]) -> None:
    """A step that cannot be done leaves its trouble to be said. Raises Locked, StorageFull: no other step would do better."""
    try:
        step()
    except (DatabaseLockedError, DiskFullError, StorageIOError):
        raise
    except (StorageError, ArithmeticError, LookupError, TypeError, ValueError):
        pass


def _get_problem_key(problem: Trouble) -> _ProblemKey:
    return problem.kind, None if problem.state is None else problem.state.id


def _sort_findings(unsorted: Iterable[Finding]) -> list[Finding]:
    return sorted(unsorted, key=lambda finding: finding.severity is not Severity.ERROR)
