"""Which language a text is written in, so that its words are reduced to their stems by the right rules."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Final

LETTERS_MIN: Final = 100  # letters; less says too little
_SAMPLE_CHARACTERS_MAX: Final = 20_000


def detect_language(texts: Iterable[str]) -> str | None:
    """The ISO 639-1 code of the language that most of some texts is in; None where there is too little to tell."""
    sample = "\n".join(text[:2_000] for text in islice(texts, 256))[:_SAMPLE_CHARACTERS_MAX]
    if sum(map(str.isalpha, sample)) < LETTERS_MIN:
        return None
    import py3langid

    code: str = py3langid.classify(sample)[0]
    return code


def free_model() -> None:
    """Give back the memory, some 75 MB, of what tells languages apart; it is loaded again, in half a second, when needed."""
    if (module := sys.modules.get("py3langid.langid")) is not None:
        vars(module)["IDENTIFIER"] = None
