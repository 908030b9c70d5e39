"""Queries, judgements and corpora in BEIR's layout (Thakur et al., NeurIPS 2021), packed with gzip or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final, Self

from vecsearch.api.open import open as open_collection
from vecsearch.core.checks import GRADE_MAX, check_query
from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.nesting import load_json
from vecsearch.core.types import AnyPath

_QUERY: Final = '{"_id": "1", "text": "…"}'
_JUDGEMENT: Final = "query-id, corpus-id and score, separated by tabs"


@dataclass(frozen=True, slots=True)
class Qrels:
    """`queries`: id → text. `qrels`: query id → document id → grade: above 0 the document is relevant, the higher the more."""

    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder with corpus.jsonl, queries.jsonl and qrels.tsv, or BEIR's own qrels/test.tsv; each may end in .gz."""

    name: str
    corpus: Path
    queries: Path
    qrels: Path

    @classmethod
    def from_folder(cls, folder: AnyPath) -> Self:
        """Find the files of a data set. Raises InputError where one of them is not there."""
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise InputError(f"{place} is no folder; expected one with corpus.jsonl, queries.jsonl and qrels.tsv")
        corpus, queries = _find_file(place, "corpus.jsonl"), _find_file(place, "queries.jsonl")
        return cls(place.resolve().name, corpus, queries, _find_file(place, "qrels.tsv", "qrels/test.tsv"))


def read_judgements(queries: AnyPath, qrels: AnyPath) -> Qrels:
    """Read both files. Raises UnreadableFileError; InputError for a bad line, with its number, and where no query is judged."""
    judgements = Qrels(read_queries(Path(queries).expanduser()), read_qrels(Path(qrels).expanduser()))
    if not judgements.queries.keys() & judgements.qrels.keys():
        some_query, some_judged = next(iter(judgements.queries)), next(iter(judgements.qrels))
        raise InputError(
            f"{qrels} names no query of {queries}: expected query ids such as {some_query!r}, got such as {some_judged!r}"
        )
    return judgements


def read_queries(path: Path) -> dict[str, str]:
    """Read query id → text, of JSON lines with "_id" or "id", and "text". Raises InputError, UnreadableFileError."""
    texts: dict[str, str] = {}
    for number, line in read_lines(path):
        try:
            identifier, text = _query(line)
            if identifier in texts:
                raise InputError(f"the id {identifier!r} was given before")
        except InputError as error:
            raise InputError(f"{path}, line {number:,}: {error}") from error
        texts[identifier] = text
    if not texts:
        raise InputError(f"{path} holds no query; expected lines such as {_QUERY}")
    return texts


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read query id → document id → grade, from lines with tabs; a first line with no digit in place of the grade is a header.

    Raises InputError, UnreadableFileError.
    """
    grades: dict[str, dict[str, int]] = {}
    for number, line in read_lines(path):
        fields = [field.strip() for field in line.split("\t")]
        if number == 1 and len(fields) == 3 and not any(map(str.isdigit, fields[2])):
            continue
        try:
            query, document, grade = _parse_judgement(fields)
            if grades.get(query, {}).get(document, grade) != grade:
                raise InputError(f"{document!r} has another grade for query {query!r} on a line before")
        except InputError as error:
            raise InputError(f"{path}, line {number:,}: {error}") from error
        grades.setdefault(query, {})[document] = grade
    if not grades:
        raise InputError(f"{path} holds no judgement; expected lines of {_JUDGEMENT}")
    return grades


def find_absent(folder: Path, collection: str, ids: Sequence[str]) -> list[str]:
    """Return those of the document ids that a collection of the database at `folder` does not hold."""
    with open_collection(folder, collection=collection, readonly=True) as opened_collection:
        stored = set(opened_collection)
    return [key for key in ids if key not in stored]


def open_packed(path: Path) -> BufferedIOBase:
    """Open the bytes of a file, unpacked where its name ends in .gz. Raises OSError."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


# -- inside


def _find_file(folder: Path, *names: str) -> Path:
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise InputError(f"{folder} has no {' and no '.join(names)}, packed (.gz) or not; expected a folder in BEIR's layout")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbers from 1, and lines that are not blank. Raises UnreadableFileError."""
    number = 0
    try:
        with open_packed(path) as file:
            for number, line in enumerate(file, start=1):
                if text := line.decode("utf-8-sig").rstrip("\r\n"):
                    yield number, text
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}, line {number:,}: expected UTF-8, got other bytes") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _query(line: str) -> tuple[str, str]:
    try:
        value: Any = load_json(line)
    except ValueError as error:
        raise InputError(f"expected an object such as {_QUERY}, got {line[:80]!r} ({error})") from error
    identifier = next((value[key] for key in ("_id", "id") if key in value), None) if isinstance(value, dict) else None
    if not isinstance(identifier, str | int) or isinstance(identifier, bool) or not isinstance(value.get("text"), str):
        raise InputError(f"expected an object such as {_QUERY}, got {line[:80]!r}")
    return str(identifier), check_query(value["text"])


def _parse_judgement(fields: Sequence[str]) -> tuple[str, str, int]:
    if len(fields) != 3 or not all(fields):
        raise InputError(f"expected {_JUDGEMENT}, got {len(fields)} fields: {' | '.join(fields)[:80]!r}")
    query, document, score = fields
    try:
        grade = int(score)
    except ValueError:
        grade = GRADE_MAX + 1
    if grade > GRADE_MAX:
        raise InputError(f"expected a whole number of at most {GRADE_MAX:,} as the score, got {score[:80]!r}")
    return query, document, grade
