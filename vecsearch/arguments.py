"""What callers pass to the Python API, checked and in the form that the house works with."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, TypedDict
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import checked_limit, checked_query, shown
from vecsearch.core.conditions import Condition
from vecsearch.core.errors import InputError, UnreadableFile, UsageError, VecsearchWarning, WrongDimension
from vecsearch.core.settings import EXPAND_MAX, LIMIT_DEFAULT
from vecsearch.core.types import Draft, Metadata, Mode, Where
from vecsearch.encoding.forms import checked_rows
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence.analysis import LANGUAGES, UNSTEMMED, is_known
from vecsearch.persistence.reader import Snapshot
from vecsearch.search.arranging import Arrangement
from vecsearch.search.filters import parse_where

if TYPE_CHECKING:
    from vecsearch.documents.loaders.raw import Raw
    from vecsearch.documents.parsing import Reading

Vector: TypeAlias = NDArray[np.float32]
AnyPath: TypeAlias = str | PathLike[str]


class Options(TypedDict, total=False):
    """What every way of asking takes.

    `limit` hits at most (10). `where` filters by metadata before anything is counted. `min_score` is a least similarity, or
    "auto": the collection's own noise floor, below which a chunk is an answer only if it says half of the question.
    `group_by="document"` keeps a document's best chunk, `collapse` the best of near-duplicates and word forms; either counts the
    others in `more`. `mmr` in [0, 1] trades nearness (1) for variety (0). `expand` adds so many neighbour chunks on each side
    as `around`, `explain` the `reasons`.
    """

    limit: int
    where: Where | None
    min_score: float | str | None
    group_by: str | None
    collapse: bool
    mmr: float | None
    expand: int
    explain: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Options, checked."""

    arrangement: Arrangement
    condition: Condition | None
    min_score: float | str | None
    expand: int
    explain: bool


AUTO: Final = "auto"
Example: TypeAlias = str | Mapping[str, str]


def asked(options: Options) -> Asked:
    """The options, defaults filled in. Raises InputError, FilterError, and TypeError for a name that is none of them."""
    if unknown := options.keys() - Options.__annotations__.keys():
        raise TypeError(f"unknown option {min(unknown)!r}; expected {', '.join(Options.__annotations__)}")
    group, mmr, least = options.get("group_by"), options.get("mmr"), options.get("min_score")
    expand = options.get("expand") or 0
    if group not in (None, "document"):
        raise InputError(f"group_by must be 'document' or None, got {shown(group)}")
    if mmr is not None and not (_is_number(mmr) and 0 <= mmr <= 1):
        raise InputError(f"mmr must be a number from 0 (variety) to 1 (nearness), got {shown(mmr)}")
    if isinstance(expand, bool) or not isinstance(expand, int) or not 0 <= expand <= EXPAND_MAX:
        raise InputError(f"expand must be a whole number from 0 to {EXPAND_MAX:,}, got {shown(expand)}")
    if not (least is None or least == AUTO or _is_number(least)):
        raise InputError(f"min_score must be a number or 'auto', got {shown(least)}")
    limit = checked_limit(options.get("limit", LIMIT_DEFAULT))
    arrangement = Arrangement(limit, group is not None, bool(options.get("collapse")), mmr)
    return Asked(arrangement, parse_where(options.get("where")), least, expand, bool(options.get("explain")))


def check_mode(mode: Mode, asked: Asked) -> None:
    """Raises UsageError for options that need a similarity where none is computed."""
    if mode is Mode.LEXICAL and asked.min_score is not None:
        raise UsageError("min_score tests the similarity, which lexical mode does not compute; use mode hybrid or dense")


def least(snapshot: Snapshot, asked: Asked) -> tuple[float | None, bool]:
    """The similarity below which a chunk is no answer, and whether one that says half of the question is one all the same."""
    if asked.min_score != AUTO:
        return None if asked.min_score is None else float(asked.min_score), False
    floor = snapshot.noise_floor()
    if floor is None:
        warnings.warn(
            "min_score='auto' has too few documents to learn from, so nothing is left out; give a number", VecsearchWarning,
            stacklevel=3,
        )  # fmt: skip
    return floor, True


def language(code: Any) -> str | None:
    """A language whose stems can be had, or None for none asked for. Raises InputError."""
    if code is None or (isinstance(code, str) and is_known(code)):
        return code
    raise InputError(f"language must be one of {', '.join(sorted(LANGUAGES))}, or {UNSTEMMED!r} for no stems, got {shown(code)}")


def example(given: Any) -> str | Draft:
    """An example of `recommend`: a document's id, or a text. Raises InputError."""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping) and set(given) == {"text"}:
        return Draft("text", checked_query(given["text"]))
    raise InputError(f"an example is a document's id or {{'text': …}}, got {shown(given)}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def paths(paths: Sequence[AnyPath] | AnyPath) -> list[AnyPath]:
    """One path or many, as a list."""
    return [paths] if isinstance(paths, str | PathLike) else list(paths)


def drafts(
    texts: Sequence[str],
    ids: Sequence[str] | None,
    metadatas: Sequence[Metadata | None] | None,
    titles: Sequence[str | None] | None,
) -> list[Draft]:
    """What `add` was given, one checked draft a text; ids are made up where not given. Raises InputError."""
    if isinstance(texts, str):
        raise InputError("add takes a list of texts; for one text: add([text])")
    for what, values in (("ids", ids), ("metadatas", metadatas), ("titles", titles)):
        if values is not None and (isinstance(values, str | Mapping) or len(values) != len(texts)):
            raise InputError(f"{what} must be a list of {len(texts)}, one for each text")
    from vecsearch.documents.validate import checked

    found = [
        checked(
            Draft(
                uuid4().hex if ids is None else ids[n],
                text,
                titles[n] if titles else None,
                (metadatas[n] if metadatas else None) or {},
            )
        )
        for n, text in enumerate(texts)
    ]
    seen: set[str] = set()
    for draft in found:
        if draft.id in seen:
            raise InputError(f"the id {draft.id!r} is given twice")
        seen.add(draft.id)
    return found


def rows(vectors: Any, count: int) -> Vector:
    """`vectors` of `add` as unit rows, shape (count, dimension). Raises InputError."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinity, which is refused below
            matrix = np.asarray(vectors, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"vectors must be a matrix of numbers, one row for each text: {error}") from error
    if matrix.ndim != 2 or len(matrix) != count or not matrix.shape[1]:
        raise InputError(f"vectors must have the shape ({count}, dimension), got {matrix.shape}")
    return checked_rows(matrix)


def queries(query: Any) -> tuple[list[str] | None, Any, bool]:
    """(texts or None, matrix or None, whether many were asked)."""
    if isinstance(query, str):
        return [checked_query(query)], None, False
    if isinstance(query, Sequence) and query and all(isinstance(each, str) for each in query):
        return [checked_query(each) for each in query], None, True
    try:
        matrix = np.asarray(query, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a query is a text, a vector, or a list of either, got {shown(query)}") from error
    if matrix.ndim not in (1, 2) or not matrix.size:
        raise InputError(f"a query vector has the shape (dimension,) or (queries, dimension), got {matrix.shape}")
    return None, np.atleast_2d(matrix), matrix.ndim == 2


def query_rows(
    texts: list[str] | None, matrix: Any, mode: Mode, *, dimension: int, encoder_of: Callable[[], Encoder]
) -> Sequence[Vector | None]:
    """A unit vector for each query, None where the mode needs none. Warns of a text that is longer than the encoder's window."""
    if texts is None:
        if matrix.shape[1] != dimension:
            raise WrongDimension(dimension, matrix.shape[1])
        return list(checked_rows(matrix))
    if mode is Mode.LEXICAL:
        return [None] * len(texts)
    encoder = encoder_of()
    for text in texts:
        if len(text) > encoder.max_tokens and (tokens := len(encoder.token_spans(text))) > encoder.max_tokens:
            warnings.warn(
                f"the query has {tokens:,} tokens, {encoder.name} reads the first {encoder.max_tokens}; search a shorter text, "
                "or use `similar`, which reads all of it",
                VecsearchWarning,
                stacklevel=3,
            )
    rows = encoder.encode_queries(texts)
    if rows.shape[1] != dimension:  # a collection of vectors that the caller brought
        raise WrongDimension(dimension, rows.shape[1])
    return list(rows)


def text_of(path: Path) -> Draft:
    """A file as one draft, for `similar`. Raises InputError, UnreadableFile."""
    from vecsearch.documents.parsing import Parser, Request

    with Parser() as parser:
        (drafts,) = (_drafts_of(reading) for reading in parser.read([Request(path.absolute(), path.name)]))
    text = "\n\n".join(draft.text for draft in drafts)
    return Draft(path.name, text, drafts[0].title if len(drafts) == 1 else None)


def _drafts_of(reading: Reading) -> list[Draft]:
    try:
        return [item for item in reading.items() if isinstance(item, Draft)]
    except UnreadableFile as error:
        raise UnreadableFile(f"cannot read {reading.request.path}: {error}") from error


@contextmanager
def spooled(stream: BinaryIO, name: str) -> Iterator[Raw]:
    """JSON lines that come through a pipe, as a file, which can be read more than once."""
    from vecsearch.documents.loaders.raw import Raw

    with NamedTemporaryFile(prefix="vecsearch-", suffix=".jsonl") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield Raw(name, ".jsonl", path=Path(copy.name))
