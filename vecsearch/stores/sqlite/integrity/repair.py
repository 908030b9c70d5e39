"""Derive again what follows from texts, vectors and metadata, and say of the rest that a backup brings it back.

Here it is decided what to repair, in which order; `repair_steps` does it. The truth itself is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.errors import DatabaseCorruptedError, DatabaseLockedError, DiskFullError, StorageIOError, VecsearchError
from vecsearch.core.parsed import ChunkSpan, ParsedDocument, get_media_kind
from vecsearch.core.settings import BATCH_CHUNKS, ENCODER_BATCH_SIZE
from vecsearch.core.types import Check, CheckReport, Finding, Severity
from vecsearch.documents.chunk_inputs import format_encoder_input, refit_chunks
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.stores.base import RESTORE_HINT, RepairReport
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity import examination, repair_steps
from vecsearch.stores.sqlite.integrity.model_checks import ModelChoice, check_models, load_encoder
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, describe_error
from vecsearch.stores.sqlite.integrity.repair_steps import UnencodedChunk
from vecsearch.stores.sqlite.write.replacement import drop_leftovers

_ProblemKey: TypeAlias = tuple[ProblemKind | None, int | None]  # what is wrong, in which collection

_ROUNDS_MAX: Final = 4  # what one repair sets right, another may have hidden


def collect_findings(database: DatabaseFolder, model: ModelChoice = None) -> CheckReport:
    """Return all there is to know of a database. Changes nothing."""
    return CheckReport(
        Check(what, tuple(problem.finding for problem in problems)) for what, problems in _examine(database, model)
    )


def repair_database(database: DatabaseFolder, model: ModelChoice = None) -> RepairReport:
    """Repair what can be derived, after a backup, and look again. Only inside the write lock.

    Raises DatabaseLockedError, DiskFullError.
    """
    return _RepairRun(database, model).run()


class _RepairRun:
    """One run."""

    def __init__(self, database: DatabaseFolder, model: ModelChoice) -> None:
        self._database, self._model = database, model
        self._attempted: dict[_ProblemKey, str] = {}
        self._failures: dict[_ProblemKey, str] = {}  # why a step could not be done
        self._backup: Path | None = None

    def run(self) -> RepairReport:
        with suppress(DatabaseCorruptedError):  # which is found in a moment
            drop_leftovers(self._database)
        problems = list(_find_problems(self._database, self._model))
        for _ in range(_ROUNDS_MAX):
            due = [problem for problem in problems if self._can_repair(problem)]
            if not due or any(problem.kind is ProblemKind.BROKEN for problem in problems):
                break
            self._run_round(due)
            before, problems = set(map(_get_key, due)), list(_find_problems(self._database, self._model))
            if before <= set(map(_get_key, problems)):  # nothing of it helped
                break
        remaining = set(map(_get_key, problems))
        repaired = tuple(f"{what}: {key[0]}" for key, what in self._attempted.items() if key not in remaining)
        findings = _sort_findings(self._describe_remaining(problem) for problem in problems)
        return RepairReport(tuple(findings), repaired, self._backup)

    def _run_round(self, due: Sequence[Problem]) -> None:
        in_sqlite = any(problem.kind is not None and problem.kind.is_in_sqlite for problem in due)
        if in_sqlite and self._backup is None:
            self._backup = repair_steps.back_up(self._database)
        self._failures.clear()
        for problem in due:
            self._attempted.setdefault(_get_key(problem), problem.finding.what)
        for kind in ProblemKind:
            keys = list(dict.fromkeys(_get_key(problem) for problem in due if problem.kind is kind))
            states = list({problem.state.id: problem.state for problem in due if problem.kind is kind and problem.state}.values())
            if kind is ProblemKind.VECTORS:
                for state in states:
                    self._try_step([(kind, state.id)], partial(self._reencode_vectors, state))
            elif keys:
                self._try_step(keys, partial(repair_steps.STEPS[kind], self._database, states))
        if in_sqlite:
            self._try_step([(ProblemKind.OUTDATED_INDEX, None)], partial(repair_steps.publish_all, self._database))

    def _try_step(self, keys: Sequence[_ProblemKey], step: Callable[[], None]) -> None:
        """Note why a step cannot be done.

        Raises DatabaseLockedError, DiskFullError, StorageIOError: no other step would do better.
        """
        try:
            step()
        except (DatabaseLockedError, DiskFullError, StorageIOError):
            raise
        except (VecsearchError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self._failures.update(dict.fromkeys(keys, describe_error(error)))

    def _can_repair(self, problem: Problem) -> bool:
        if problem.kind is None or problem.kind is ProblemKind.BROKEN:
            return False
        if problem.kind is ProblemKind.VECTORS:
            return problem.state is not None and self._explain_missing_encoder(problem.state) is None
        return True

    def _explain_missing_encoder(self, state: CollectionState) -> str | None:
        """Return why the collection's encoder is not to be had; None where it is."""
        try:
            encoder = load_encoder(state, self._model)
        except (VecsearchError, OSError, ValueError) as error:
            return str(error)
        return None if encoder.dimension == state.dimension else f"it makes vectors of {encoder.dimension:,} dimensions"

    def _describe_remaining(self, problem: Problem) -> Finding:
        """Return the finding of what is left: repairing it again would not help; with the reason, if known."""
        finding, kind = problem.finding, problem.kind
        if kind is None or kind is ProblemKind.BROKEN:
            return finding
        missing = self._explain_missing_encoder(problem.state) if kind is ProblemKind.VECTORS and problem.state else None
        if missing is not None and problem.state is not None:
            return replace(
                finding, fix=f"make its model {problem.state.model} available and run this again, or {RESTORE_HINT} ({missing})"
            )
        reason = self._failures.get(_get_key(problem)) or self._failures.get((kind, None))
        fix = RESTORE_HINT if finding.severity is Severity.ERROR else finding.fix
        return replace(finding, fix=f"{fix} (repairing it failed: {reason})" if reason else fix)

    def _reencode_vectors(self, state: CollectionState) -> None:
        encoder = load_encoder(state, self._model)
        unencoded = repair_steps.list_unencoded_chunks(self._database, state)
        media = [chunk.row for chunk in unencoded if get_media_kind(chunk.location) is not None]
        if media:
            repair_steps.mark_pending(self._database, state, media)
        for batch in batched((chunk for chunk in unencoded if get_media_kind(chunk.location) is None), BATCH_CHUNKS):
            texts = [_build_encoder_input(encoder, chunk) for chunk in batch]
            parts = [encode_documents(encoder, part) for part in batched(texts, ENCODER_BATCH_SIZE)]
            repair_steps.replace_vectors(self._database, state, [chunk.row for chunk in batch], np.concatenate(parts))


def _find_problems(database: DatabaseFolder, model: ModelChoice) -> Iterator[Problem]:
    for _, problems in _examine(database, model):
        yield from problems


def _examine(database: DatabaseFolder, model: ModelChoice) -> Iterator[examination.Examined]:
    is_broken = False
    for what, problems in examination.examine(database):
        is_broken = is_broken or any(problem.kind in (ProblemKind.BROKEN, ProblemKind.SCHEMA) for problem in problems)
        yield what, problems
    if not is_broken:
        yield "models", list(check_models(database, model))


def _build_encoder_input(encoder: TextEncoder, chunk: UnencodedChunk) -> str:
    """Build what the encoder saw of a chunk when it was first encoded."""
    if not chunk.text.strip():
        return format_encoder_input(chunk.title, chunk.context, chunk.text)
    document = ParsedDocument(chunk.document, chunk.text, chunk.title)
    _, texts = refit_chunks(document, [ChunkSpan(0, len(chunk.text), {}, chunk.context)], encoder)
    return texts[0] if len(texts) == 1 else format_encoder_input(chunk.title, chunk.context, chunk.text)


def _get_key(problem: Problem) -> _ProblemKey:
    return problem.kind, None if problem.state is None else problem.state.id


def _sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
