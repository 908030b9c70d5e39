"""Check what `Collection.tune` is given, and read questions of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vecsearch.api.arguments import is_number
from vecsearch.api.columns import list_values
from vecsearch.core.checks import check_choice, check_grades, check_pair, check_query, check_whole_number, shorten_repr
from vecsearch.core.errors import InputError, UsageError
from vecsearch.core.tuning import AnyTuningLevel, TuningLevel
from vecsearch.core.types import AnyMode, AnyPath, Mode

if TYPE_CHECKING:
    from vecsearch.stores.base import Snapshot
    from vecsearch.training.judged_questions import JudgedQuestion
    from vecsearch.training.tune_run import TuneOptions

_SEED_MAX: Final = 2**32 - 1
_NOTHING: Final = (
    "there is nothing to learn from: give pairs of a question and what answers it, or queries with qrels, or a label; texts "
    "alone teach nothing that search does not know. To collect pairs: vecsearch log on, then search, and open what answers"
)


def parse_options(
    level: AnyTuningLevel, mode: AnyMode, seed: int, minutes: float | None, dry_run: bool, out: AnyPath | None, reembed: bool
) -> TuneOptions:
    """Return how to tune. Raises InputError, UsageError."""
    from vecsearch.training.tune_run import TuneOptions

    chosen_level, chosen_mode = check_choice(TuningLevel, level, "level"), check_choice(Mode, mode, "mode")
    if chosen_mode is Mode.LEXICAL:
        raise UsageError("lexical mode compares no vectors: there is nothing to tune; use mode hybrid or dense")
    if minutes is not None and not (is_number(minutes) and minutes > 0):
        raise InputError(f"minutes must be a number above 0, got {shorten_repr(minutes)}")
    check_whole_number(seed, "seed", minimum=0, maximum=_SEED_MAX)
    folder = None if out is None else Path(out).expanduser().absolute()
    if (folder is not None or reembed) and chosen_level is TuningLevel.MAP:
        raise UsageError("out and reembed are of a new encoder: they go with level='encoder'")
    return TuneOptions(chosen_level, chosen_mode, seed, minutes, bool(dry_run), folder)


def parse_questions(
    pairs: Iterable[tuple[str, str]] | None,
    queries: Mapping[str, str] | None,
    qrels: Mapping[str, Mapping[str, int]] | None,
    label: str | None,
) -> Callable[[Snapshot], list[JudgedQuestion]]:
    """Return what reads the questions, once the collection is open. Raises UsageError, InputError."""
    if (queries is None) != (qrels is None):
        raise UsageError("queries go with qrels: which documents answer each of them")
    if (pairs is not None) + (queries is not None) + (label is not None) != 1:
        given = [name for name, value in (("pairs", pairs), ("queries", queries), ("label", label)) if value is not None]
        raise UsageError(f"give one of {', '.join(given)}: they are alternatives" if given else _NOTHING)
    from vecsearch.training import judged_questions

    if label is not None:
        if not isinstance(label, str) or not label:
            raise InputError(f"label must be a metadata key, got {shorten_repr(label)}")
        key = label
        return lambda snapshot: judged_questions.find_labelled(key, snapshot)
    if pairs is not None:
        listed = [_parse_pair(n, pair) for n, pair in enumerate(list_values(pairs, "pairs"))]
        return lambda snapshot: judged_questions.pair_questions(listed, snapshot)
    assert queries is not None and qrels is not None
    if not isinstance(queries, Mapping):
        raise InputError(f"queries must be a mapping, query id → text, got {shorten_repr(queries)}")
    check_grades(qrels)
    texts = {str(key): check_query(text) for key, text in queries.items()}
    judged = {str(key): {str(id): int(grade) for id, grade in grades.items()} for key, grades in qrels.items()}
    return lambda snapshot: judged_questions.build_questions(texts, judged, snapshot)


def _parse_pair(number: int, pair: Any) -> tuple[str, str]:
    try:
        if isinstance(pair, str):
            raise ValueError
        question, answer = pair
    except (TypeError, ValueError):
        expected = "expected a pair of a question and the id of a document, or its text"
        raise InputError(f"position {number:,}: {expected}, got {shorten_repr(pair)}") from None
    try:
        return check_pair(question, answer)
    except InputError as error:
        raise InputError(f"position {number:,}: {error}") from error
