"""Make the texts that a tuned encoder is held against, of the sample data: python -m tests.training.make_general_texts"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Final

from tests.conftest import PROJECT
from vecsearch.text.sentences import split_sentences
from vecsearch.training.general_texts import GENERAL_TEXTS_FILE

PASSAGE_CHARACTERS: Final = 500


def make_lines() -> Iterator[str]:
    """Yield the questions, and the whole sentences that a document begins with, up to PASSAGE_CHARACTERS."""
    for name in ("queries", "corpus"):
        with gzip.open(PROJECT / "sample_data" / "eval" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                text = row["text"] if name == "queries" else f"{row['title']}. {row['text']}"
                ends = [sentence.end for sentence in split_sentences(text) if sentence.end <= PASSAGE_CHARACTERS]
                yield " ".join(text[: max(ends, default=PASSAGE_CHARACTERS)].split())


if __name__ == "__main__":
    GENERAL_TEXTS_FILE.write_text("".join(f"{line}\n" for line in make_lines()), encoding="utf-8")
