"""What `tune` did: what search was worth before and after, on questions that it did not learn from, and what became of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from vecsearch.core.types import Mode

PAIRS_MIN: Final = 50  # of a question and a document that answers it: of fewer, nothing can be proved


class TuningLevel(StrEnum):
    """What learns: a linear map of the collection's questions, or the encoder itself, whose vectors are then made anew."""

    MAP = "map"
    ENCODER = "encoder"


AnyTuningLevel: TypeAlias = TuningLevel | Literal["map", "encoder"]


@dataclass(frozen=True, slots=True)
class Gain:
    """nDCG@10 of one part of the held-out questions, before and after, in [0, 1].

    `gain` is the difference of the means, `interval` the 95 % interval of that, question by question: one that holds 0 may be
    chance.
    """

    questions: int
    before: float
    after: float
    gain: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What `tune` did. Nothing has changed where it is not `kept`, for the `reason` that is given, or on a `dry_run`.

    `asked_before`: the gain on held-out questions about documents (with a label: about labels) that other questions of the
    training were about; `new_documents`: on questions about documents, or labels, that the training never saw. None: too few
    such questions. `mode`: in which was measured. `pairs` were learned from, of `questions` in all. `similarity_kept`: the
    correlation of the similarities of texts in general with what they were before, in [-1, 1], and `own_similarity_kept` that
    of the collection's own texts; None where it was stopped before. `model`: the folder of the new encoder. `reembedded`: the
    collection has its vectors.
    """

    collection: str
    level: TuningLevel
    mode: Mode
    by_label: bool
    pairs: int
    questions: int
    asked_before: Gain | None
    new_documents: Gain | None
    similarity_kept: float | None
    own_similarity_kept: float | None
    kept: bool
    reason: str
    seed: int
    seconds: float
    dry_run: bool = False
    model: Path | None = None
    reembedded: bool = False

    @property
    def before(self) -> float | None:
        """Return nDCG@10 before, of the questions about what was asked before, where there are such, else about new documents."""
        return None if (shown := self.asked_before or self.new_documents) is None else shown.before

    @property
    def after(self) -> float | None:
        """Return nDCG@10 after, of the same questions as `before`."""
        return None if (shown := self.asked_before or self.new_documents) is None else shown.after

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        return {**asdict(self), "level": self.level.value, "mode": self.mode.value, "model": self.model and str(self.model)}
