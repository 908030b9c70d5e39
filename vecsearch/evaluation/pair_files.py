"""Files of pairs: a question, and the document that answers it, by its id or its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from vecsearch.core.checks import check_pair
from vecsearch.core.errors import InputError
from vecsearch.core.nesting import load_json
from vecsearch.core.types import AnyPath
from vecsearch.evaluation.datasets import read_lines

_HEADER: Final = frozenset({"question", "query"})
_EXPECTED: Final = 'a question, a tab and a document\'s id or text, or an object such as {"question": "…", "id": "heron.md"}'


def read_pairs(file: AnyPath) -> list[tuple[str, str]]:
    """Read (question, id or text) of lines with a tab, after a header or none, or of JSON lines with "question" and "id" or
    "text", packed with gzip or not. Raises UnreadableFileError; InputError for a bad line, with its number, and for no pair.
    """
    path = Path(file).expanduser()
    pairs = []
    for number, line in read_lines(path):
        if number == 1 and line.partition("\t")[0].strip().lower() in _HEADER:
            continue
        try:
            question, answer = _parse_object(line) if line.lstrip().startswith("{") else _parse_columns(line)
            pairs.append(check_pair(question, answer))
        except InputError as error:
            raise InputError(f"{path}, line {number:,}: {error}") from error
    if not pairs:
        raise InputError(f"{path} holds no pair; expected lines of {_EXPECTED}")
    return pairs


def _parse_columns(line: str) -> tuple[str, str]:
    question, tab, answer = line.partition("\t")
    if not tab:
        raise InputError(f"expected {_EXPECTED}, got {line[:80]!r}")
    return question.strip(), answer.strip()


def _parse_object(line: str) -> tuple[Any, Any]:
    try:
        value: Any = load_json(line)
        return value["question"], next(value[key] for key in ("id", "text") if key in value)
    except (ValueError, KeyError, TypeError, StopIteration):
        raise InputError(f"expected {_EXPECTED}, got {line[:80]!r}") from None
