"""The story of `tune`: questions → split → learn → proof → kept, or nothing changed. What is learned is written last, at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from vecsearch.core.errors import CollectionChangedError, CollectionNotFoundError, InputError
from vecsearch.core.measures import Values
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.core.tuning import Gain, Tuning, TuningLevel
from vecsearch.core.types import Mode, format_count
from vecsearch.encoders.base import Matrix, TextEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.encoders.unit_vectors import encode_all
from vecsearch.search.query_maps import map_rows
from vecsearch.stores.base import CollectionInfo, QueryMap, Snapshot, Store
from vecsearch.training import proof
from vecsearch.training.general_texts import load_general_texts
from vecsearch.training.judged_questions import JudgedQuestion, check_enough
from vecsearch.training.map_learning import Examples, learn_map
from vecsearch.training.pairs import build_pairs
from vecsearch.training.question_split import QuestionSplit, split_questions
from vecsearch.training.record import build_record

OWN_TEXTS: Final = 256  # of the collection, whose similarities are compared
PARTS: Final = ("asked_before", "new_documents")
DEV_PARTS: Final = ("dev", "dev_new")
STRENGTHS: Final = (1.0, 0.5, 0.25)  # of a map, of which the dev questions choose one

QuestionReader: TypeAlias = Callable[[Snapshot], list[JudgedQuestion]]


def _tell_nobody(line: str) -> None:
    """Drop a line."""


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How to tune. `mode`: that in which the user searches; `minutes`: the most that learning takes, None for no limit."""

    level: TuningLevel = TuningLevel.MAP
    mode: Mode = Mode.HYBRID
    seed: int = 0
    minutes: float | None = None
    dry_run: bool = False
    out: Path | None = None


class TuneRun:
    """One run over a collection, whose encoder is loaded."""

    def __init__(
        self, store: Store, name: str, encoder: TextEncoder, options: TuneOptions, *,
        progress: Callable[[str], None] = _tell_nobody, stop: StopSignal = NO_STOP,
    ) -> None:  # fmt: skip
        self.store, self.name, self.encoder, self.options = store, name, encoder, options
        self.progress, self.stop, self.started = progress, stop, time.perf_counter()

    def run(self, read_questions: QuestionReader) -> Tuning:
        """Learn, and keep what is proved. Raises InputError for too few questions, CollectionNotFoundError, StorageError.

        Whatever ends it early, nothing has changed.
        """
        try:
            if self.options.level is TuningLevel.ENCODER:
                from vecsearch.training.encoder_run import tune_encoder

                return tune_encoder(self, read_questions)
            return self._tune_map(read_questions)
        except RunStoppedError:
            return Tuning(
                self.name, self.options.level, self.options.mode, False, 0, 0, None, None, None, None, False,
                "stopped before its end", self.options.seed, self.measure_seconds(), self.options.dry_run,
            )  # fmt: skip

    def measure_seconds(self) -> float:
        """Return how long it took so far."""
        return round(time.perf_counter() - self.started, 3)

    @contextmanager
    def open_snapshot(self) -> Iterator[Snapshot]:
        """Open the collection. Raises CollectionNotFoundError."""
        with self.store.open_snapshot(self.name) as snapshot:
            if snapshot is None:
                raise CollectionNotFoundError(self.name, self.store.list_names())
            yield snapshot

    def split(self, snapshot: Snapshot, read_questions: QuestionReader) -> tuple[list[JudgedQuestion], QuestionSplit]:
        """Read the questions and split them. Raises InputError for too few."""
        questions = read_questions(snapshot)
        check_enough(questions)
        split = split_questions(questions, seed=self.options.seed)
        if not split.training:
            raise InputError(
                f"{format_count(len(questions), 'question')} about the same documents: none is left to learn from where some are "
                "held out for the proof; more questions are needed, or about other documents"
            )
        self.progress(
            f"{len(questions):,} questions: {len(split.training) + len(split.dev) + len(split.dev_new):,} to learn from, "
            f"{len(split.asked_before) + len(split.new_documents):,} for the proof, {len(split.new_documents):,} of them on "
            f"{'labels' if questions[0].label else 'documents'} that the training never sees"
        )
        return questions, split

    def encode(self, questions: Sequence[JudgedQuestion], encoder: TextEncoder | None = None) -> Matrix:
        """Return a unit vector for each question."""
        by = self.encoder if encoder is None else encoder
        if not questions:
            return np.empty((0, by.dimension), np.float32)
        return encode_all(by, [question.text for question in questions], by.encode_queries)

    def measure(self, snapshot: Snapshot, split: QuestionSplit, vectors: dict[str, Matrix]) -> dict[str, Values]:
        """Return nDCG@10 of each question of some parts, whose vectors are given."""
        parts = {part: getattr(split, part) for part in vectors}
        self.progress(f"asking {sum(map(len, parts.values())):,} held-out questions, mode {self.options.mode.value}")
        return {
            part: proof.measure_questions(snapshot, questions, vectors[part], self.options.mode, self.stop.check)
            for part, questions in parts.items()
        }

    def judge(
        self, questions: Sequence[JudgedQuestion], pairs: int, before: dict[str, Values], after: dict[str, Values],
        similarities: tuple[float, float],
    ) -> Tuning:  # fmt: skip
        """Return what became of it, nothing kept yet but what shall be."""
        gains: dict[str, Gain | None] = {part: proof.compare_values(before[part], after[part]) for part in PARTS}
        kept, reason = proof.judge(gains["asked_before"], gains["new_documents"], similarities[0], self.options.level)
        return Tuning(
            self.name, self.options.level, self.options.mode, bool(questions[0].label), pairs, len(questions),
            gains["asked_before"], gains["new_documents"], *similarities, kept, reason, self.options.seed,
            self.measure_seconds(), self.options.dry_run,
        )  # fmt: skip

    def should_end(self) -> bool:
        """Return whether learning has had its minutes. Raises RunStoppedError where it is told to stop altogether."""
        self.stop.check()
        minutes = self.options.minutes
        return minutes is not None and time.perf_counter() - self.started >= 60 * minutes

    def check_same(self, info: CollectionInfo, now: CollectionInfo | None) -> None:
        """Raise CollectionChangedError where the collection has got other vectors meanwhile, or is gone."""
        if now is None or not now.is_later_state_of(info):
            raise CollectionChangedError(
                f"collection {self.name!r} was embedded by another model, or replaced, meanwhile; nothing is kept: run tune again"
            )

    # -- the map

    def _tune_map(self, read_questions: QuestionReader) -> Tuning:
        with self.open_snapshot() as snapshot:
            info = snapshot.info
            questions, split = self.split(snapshot, read_questions)
            training, dev = (self._make_examples(snapshot, part, split) for part in (split.training, split.dev))
            matrix = learn_map(
                training, dev, seed=self.options.seed, should_end=self.should_end, progress=self.progress
            )  # fmt: skip
            strength = self._choose_strength(snapshot, split, matrix)
            matrix *= strength
            vectors = {part: self.encode(getattr(split, part)) for part in PARTS}
            mapped = {part: map_rows(rows, matrix) for part, rows in vectors.items()}
            before, after = (self.measure(snapshot, split, rows) for rows in (vectors, mapped))
            tuning = self.judge(questions, len(training.pairs), before, after, self._correlate(snapshot, matrix))
        if tuning.kept and not self.options.dry_run:
            record = {**build_record(tuning, questions, split), "strength": strength}
            with self.store.open_writer(self.name) as writer:
                self.check_same(info, writer.info)
                writer.set_query_map(QueryMap(matrix, record))
        return replace(tuning, seconds=self.measure_seconds())

    def _choose_strength(self, snapshot: Snapshot, split: QuestionSplit, matrix: Matrix) -> float:
        """Return which share of a map helps the dev questions most, of those that do not harm the ones on new documents."""
        vectors = {part: self.encode(getattr(split, part)) for part in DEV_PARTS}
        plain = self.measure(snapshot, split, vectors)
        ranked = []
        for strength in STRENGTHS:
            mapped = {part: map_rows(rows, strength * matrix) for part, rows in vectors.items()}
            values = self.measure(snapshot, split, mapped)
            asked, new = (float((values[part] - plain[part]).sum() / max(len(plain[part]), 1)) for part in DEV_PARTS)
            ranked.append((min(new, -proof.LOSS_MAX), asked, strength))
        return max(ranked)[2]

    def _make_examples(self, snapshot: Snapshot, questions: Sequence[JudgedQuestion], split: QuestionSplit) -> Examples:
        vectors = self.encode(questions)
        pairs = build_pairs(snapshot, questions, vectors, held=split.list_held_documents(), seed=self.options.seed)
        self.stop.check()
        ids = np.unique(np.concatenate([pairs.positive, pairs.negatives[pairs.negatives >= 0]]))
        return Examples(pairs, vectors, ids, snapshot.load_vectors(ids.tolist()))

    def _correlate(self, snapshot: Snapshot, matrix: Matrix) -> tuple[float, float]:
        """Return how far texts in general, and the collection's, are as similar as questions as they were."""
        texts = list(load_general_texts())
        documents = encode_documents(self.encoder, texts)
        general = encode_all(self.encoder, texts, self.encoder.encode_queries)
        own = snapshot.load_vectors(snapshot.sample_chunks(OWN_TEXTS).tolist())
        return (
            proof.correlate_similarities(general @ documents.T, map_rows(general, matrix) @ documents.T),
            proof.correlate_similarities(own @ own.T, map_rows(own, matrix) @ own.T),
        )
