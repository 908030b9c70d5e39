"""Questions in words about the benchmarks' texts: real ones held out, a few words of a row, long ones, beginnings and phrases.

The same data gives the same questions. Where a question was made of one row's words, that row is what it seeks.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import corpus
from benchmarks.corpus import DATA_FOLDER

LONG_TEXTS: Final = DATA_FOLDER / "scale_debian/corpus.jsonl.gz"
LONG_WORDS: Final = range(60, 151)
HELD_OUT_QUESTIONS: Final = 150
WARM_UP_QUESTIONS: Final = 100  # held out too
FEW_WORDS_QUESTIONS, FEW_WORDS = 50, 4
SYNTAX_QUESTIONS: Final = 50  # beginnings, and as many phrases
LONG_QUESTIONS: Final = 50
BEGINNING_CHARS: Final = 4
PHRASE_WORDS: Final = 3
DELETED_INTERVAL: Final = 10  # every so many-th row is deleted by a peer that measures deletes; no question seeks one of these
SEED: Final = 7


class Question(NamedTuple):
    """A question, and the row that it was made of, if any."""

    text: str
    sought_id: int | None = None


QuestionSets = dict[str, list[Question]]


def make_questions(held_out_texts: Sequence[str], texts: Sequence[str], long_texts: Path = LONG_TEXTS) -> QuestionSets:
    """Make the sets of questions: "short", "long", "beginnings", "phrases", and "warm_up", which are others of the short kind."""
    draws = random.Random(SEED)
    summaries = [summary for summary in map(get_summary, held_out_texts) if len(summary.split()) > 1]
    rows = [row for row in range(len(texts)) if row % DELETED_INTERVAL and len(list_words(get_summary(texts[row]))) > FEW_WORDS]
    few_rows = draws.sample(rows, min(FEW_WORDS_QUESTIONS, len(rows)))
    phrase_rows = draws.sample(rows, min(SYNTAX_QUESTIONS, len(rows)))
    few = [Question(_draw_words(get_summary(texts[row]), draws), row) for row in few_rows]
    beginnings = dict.fromkeys(word[:BEGINNING_CHARS] for text in summaries for word in list_words(text) if len(word) > 5)
    return {
        "short": [*map(Question, summaries[:HELD_OUT_QUESTIONS]), *few],
        "long": list(islice(map(Question, iterate_long_texts(held_out_texts, long_texts)), LONG_QUESTIONS)),
        "beginnings": [Question(f"{beginning}*") for beginning in islice(beginnings, SYNTAX_QUESTIONS)],
        "warm_up": [*map(Question, summaries[HELD_OUT_QUESTIONS:][:WARM_UP_QUESTIONS] or summaries[:1])],
        "phrases": [Question(_draw_phrase(get_summary(texts[row]), draws), row) for row in phrase_rows],
    }


def get_summary(text: str) -> str:
    """Return what stands below the title; a text without a title is all summary."""
    return text.partition("\n")[2] or text


def list_words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower())


def iterate_long_texts(held_out_texts: Sequence[str], long_texts: Path) -> Iterator[str]:
    """Yield texts of 60 to 150 words: package descriptions where they are here, else held-out texts joined until they suffice."""
    if long_texts.exists():
        descriptions = (get_summary(text) for text in corpus.iterate_texts([long_texts], characters=5_000))
        yield from islice((text for text in descriptions if len(text.split()) in LONG_WORDS), 0, None, 100)
        return
    words: list[str] = []
    for text in held_out_texts:
        words += text.split()
        if len(words) >= LONG_WORDS.start:
            yield " ".join(words[: LONG_WORDS.stop - 1])
            words = []


def _draw_words(text: str, draws: random.Random) -> str:
    """Draw a few of a text's words, in their order."""
    words = list_words(text)
    return " ".join(words[place] for place in sorted(draws.sample(range(len(words)), FEW_WORDS)))


def _draw_phrase(text: str, draws: random.Random) -> str:
    """Draw a few words that follow one another, in quotes, as they are written."""
    words = text.replace('"', " ").split()
    start = draws.randrange(max(1, len(words) - PHRASE_WORDS + 1))
    return f'"{" ".join(words[start : start + PHRASE_WORDS])}"'


def write_questions(folder: Path) -> QuestionSets:
    """Make questions for the data that `write_corpus` wrote, and write them beside it."""
    sets = make_questions(corpus.load_texts(folder, name="queries.jsonl"), corpus.load_texts(folder))
    (folder / "questions.json").write_text(json.dumps(sets), encoding="utf-8")
    return sets


def load_questions(folder: Path) -> QuestionSets:
    sets = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    return {name: [Question(*question) for question in questions] for name, questions in sets.items()}
