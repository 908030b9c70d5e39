"""Time questions in words, one after another in a warm process: each kind of question, each way of answering it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.corpus import FILTERS, Matrix, RowFilter
from benchmarks.measuring import summarize_times, time_calls
from benchmarks.peers import PeerHit, Vector
from benchmarks.questions import Question, load_questions
from benchmarks.text_peers import TextMode, TextPeer, encode_question

FILTER = FILTERS["some"]  # leaves 19 % of the rows


class TextSeries(NamedTuple):
    """One kind of question, answered in one way."""

    mode: TextMode
    questions: str = "short"
    row_filter: RowFilter | None = None

    def is_answered_by(self, peer: type[TextPeer] | TextPeer) -> bool:
        """Return whether a peer can do it."""
        has_syntax = peer.understands_syntax or self.questions in ("short", "long")
        return self.mode in peer.modes and has_syntax and (peer.filters or self.row_filter is None)


SERIES: dict[str, TextSeries] = {
    "hybrid": TextSeries(TextMode.HYBRID),
    "hybrid_given": TextSeries(TextMode.HYBRID_GIVEN),
    "hybrid_filtered": TextSeries(TextMode.HYBRID, row_filter=FILTER),
    "lexical": TextSeries(TextMode.LEXICAL),
    "lexical_filtered": TextSeries(TextMode.LEXICAL, row_filter=FILTER),
    "lexical_long": TextSeries(TextMode.LEXICAL, "long"),
    "beginnings": TextSeries(TextMode.LEXICAL, "beginnings"),
    "phrases": TextSeries(TextMode.LEXICAL, "phrases"),
    "dense": TextSeries(TextMode.DENSE),
}


def measure_questions(peer: TextPeer, data: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Measure every series that a peer can answer; each ends after so many seconds.

    The peer is opened anew for each, and warmed by other questions: no series profits from the same words asked before.
    """
    sets, result = load_questions(data), {}
    for name, series in SERIES.items():
        if series.is_answered_by(peer):
            peer.open(folder)
            result[name] = _measure_series(peer, series, sets, seconds)
            peer.close()
    if peer.uses_float32 and any(mode is not TextMode.LEXICAL for mode in peer.modes):
        result["encoding"] = _measure_encoding(sets["short"], seconds)
    return result


def _measure_series(peer: TextPeer, series: TextSeries, sets: dict[str, list[Question]], seconds: float) -> dict[str, Any]:
    def ask(asked: tuple[Question, Vector | None]) -> list[PeerHit]:
        return peer.ask(series.mode, asked[0].text, asked[1], series.row_filter)

    time_calls(ask, _attach_vectors(sets["warm_up"], series), seconds / 4)
    times, answers = time_calls(ask, _attach_vectors(sets[series.questions], series), seconds)
    return summarize_times(times) | {"found": [[hit.id for hit in hits] for hits in answers]}


def _attach_vectors(questions: Sequence[Question], series: TextSeries) -> list[tuple[Question, Vector | None]]:
    """Pair each question with its vector, where the series brings them along."""
    is_given = series.mode is TextMode.HYBRID_GIVEN
    return [(question, encode_question(question.text) if is_given else None) for question in questions]


def _measure_encoding(questions: Sequence[Question], seconds: float) -> dict[str, Any]:
    times, _ = time_calls(encode_question, [question.text for question in questions], seconds)
    return summarize_times(times)


def rehearse_questions(peer: TextPeer, data: Path) -> None:
    """Ask an opened small collection in every way, so that imports and first calls count for nobody."""
    sets = load_questions(data)
    for series in SERIES.values():
        if series.is_answered_by(peer):
            for question, vector in _attach_vectors(sets[series.questions][:2], series):
                peer.ask(series.mode, question.text, vector, series.row_filter)


def encode_short_questions(data: Path) -> Matrix:
    """Encode the short questions; shape (questions, dimension)."""
    return np.array([encode_question(question.text) for question in load_questions(data)["short"]])


def compute_found_share(questions: Sequence[Question], found_ids: Sequence[Sequence[int]]) -> float | None:
    """Return the share of the questions made of one row's words whose row was found; None where there are none."""
    hits = [
        question.sought_id in ids for question, ids in zip(questions, found_ids, strict=False) if question.sought_id is not None
    ]
    return sum(hits) / len(hits) if hits else None
