"""What is kept with what was learned: from what, how it was split, both numbers, by which versions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.tuning import Tuning
from vecsearch.training.judged_questions import JudgedQuestion, hash_questions
from vecsearch.training.question_split import QuestionSplit


def build_record(tuning: Tuning, questions: Sequence[JudgedQuestion], split: QuestionSplit, *packages: str) -> dict[str, Any]:
    """Return all of it as JSON holds it; `packages` are those whose versions count, beside our own and NumPy's."""
    names = ("training", "dev", "dev_new", "asked_before", "new_documents")
    versions = {name: metadata.version(name) for name in ("numpy", *packages)}
    proof = {key: value for key, value in tuning.to_dict().items() if key not in ("dry_run", "reembedded", "model", "collection")}
    return {
        "at": get_timestamp(),
        **proof,
        "questions_sha256": hash_questions(questions),
        "split": {name: len(getattr(split, name)) for name in names} | {"left_out": split.left_out},
        "versions": {"vecsearch": import_module("vecsearch").__version__, "python": platform.python_version(), **versions},
    }
