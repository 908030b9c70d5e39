"""Count the documents of a run whose language the collection's model was not trained on, and say so once.

Such a document is found by its words alone; its vector says little. A document's language is the one that it states, else the one
that it is plainly written in: what is mostly numbers, code or names is in none.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Final

from vecsearch.core.errors import VecsearchWarning
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.types import format_count
from vecsearch.encoders.known_models import MULTILINGUAL_MODEL, find_known_model
from vecsearch.text.language import detect_plain_language

_STATED: Final = re.compile(r"([A-Za-z]{2,3})(?![A-Za-z])")
_SHOWN_MAX: Final = 4
_SAMPLE_DOCUMENTS: Final = 100  # of one call of `add`
_LOOKED_AT_ALL: Final = 500  # documents of a run, of which each is looked at …
_STEP: Final = 20  # … and of those after them one for so many


class LanguageCounter:
    """The languages of one run's new and changed documents."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._counts: Counter[str] = Counter()
        self._given = 0
        self._is_estimate = False

    def add(self, document: ParsedDocument, model: str) -> None:
        """Count a document, unless its language is one of the model's, or cannot be told; after many, one stands for others."""
        self._given += 1
        if self._given <= _LOOKED_AT_ALL:
            self._look_at(document, model)
        elif self._given % _STEP == 0:
            self._is_estimate = True
            self._look_at(document, model, count=_STEP)

    def _look_at(self, document: ParsedDocument, model: str, *, count: int = 1) -> None:
        known = find_known_model(model)
        if known is None:
            return
        language = _read_stated_language(document) or detect_plain_language(document.text)
        if language is not None and language not in known.languages:
            self._counts[language] += count

    def add_some(self, documents: Sequence[ParsedDocument], model: str) -> None:
        """Count documents, of many a hundred that stand for all: so it costs little beside their vectors."""
        step = -(-len(documents) // _SAMPLE_DOCUMENTS) or 1
        self._is_estimate |= step > 1
        for document in documents[::step]:
            self._look_at(document, model, count=step)

    def warn(self, model: str, collection: str) -> bool:
        """Warn of the documents that were counted since the last warning, with what to do; returns whether there were any."""
        if not self._counts:
            return False
        total, shown = self._counts.total(), _join_counts(self._counts.most_common())
        know = find_known_model(MULTILINGUAL_MODEL)
        size = "" if know is None else f" ({know.description}, {know.megabytes} MB)"
        self._counts.clear()
        about = "about " if self._is_estimate else ""
        warnings.warn(
            f"{about}{format_count(total, 'document')} in languages that the model {model} does not know ({shown}): found by "
            f"words, hardly by meaning; to change the model: vecsearch reembed --model {MULTILINGUAL_MODEL} -c {collection}"
            f"{size}; see `vecsearch models`",
            VecsearchWarning,
            stacklevel=2,
        )
        return True


def _read_stated_language(document: ParsedDocument) -> str | None:
    stated = document.metadata.get("language")
    match = _STATED.match(stated) if isinstance(stated, str) else None
    return None if match is None else match[1].lower()


def _join_counts(counts: Sequence[tuple[str, int]]) -> str:
    more = sum(count for _, count in counts[_SHOWN_MAX:])
    shown = ", ".join(f"{count:,} {language}" for language, count in counts[:_SHOWN_MAX])
    return f"{shown}, {more:,} others" if more else shown
