"""Texts of many subjects, on which what was tuned is held against what it was before.

They are the beginnings of the 64 documents of the sample data, on twenty subjects, the questions about them, and each sentence
by itself: texts of three lengths, some of which are about the same and most of which are not. They are made by
`python -m tests.training.make_general_texts`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from vecsearch.text.sentences import split_sentences

GENERAL_TEXTS_FILE: Final = Path(__file__).with_name("general_texts.txt")  # a text a line


@cache
def load_general_texts() -> tuple[str, ...]:
    """Return the texts, each once."""
    lines = GENERAL_TEXTS_FILE.read_text(encoding="utf-8").splitlines()
    sentences = (line[sentence.start : sentence.end] for line in lines for sentence in split_sentences(line))
    return tuple(dict.fromkeys((*lines, *sentences)))
