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

from vecsearch.core.checks import check_limit, check_query, shorten_repr
from vecsearch.core.errors import DimensionMismatchError, InputError, UnreadableFileError, UsageError, VecsearchWarning
from vecsearch.core.filters import Filter
from vecsearch.core.settings import LIMIT_DEFAULT, WINDOW_MAX
from vecsearch.core.types import Metadata, Mode, ParsedDocument, Where
from vecsearch.encoders.base import Encoder
from vecsearch.encoders.unit_vectors import normalize_vectors
from vecsearch.search.diversify import DiversityOptions
from vecsearch.search.where_parser import parse_where
from vecsearch.stores.sqlite.read.reader import Snapshot
from vecsearch.text.analyzer import STEMMERS, UNSTEMMED, is_known_stemmer

if TYPE_CHECKING:
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.documents.parser_process import ParseResult

Vector: TypeAlias = NDArray[np.float32]
AnyPath: TypeAlias = str | PathLike[str]


class Options(TypedDict, total=False):
    """What every way of asking takes.

    `limit` hits at most (10). `where` filters by metadata before anything is counted. `min_similarity` is a least similarity, or
    "auto": the collection's own noise floor, below which a chunk is an answer only if it says half of the question.
    `group_by="document"` keeps a document's best chunk, `dedupe` the best of near-duplicates and word forms; either counts the
    others in `group_size`. `mmr` in [0, 1] trades nearness (1) for variety (0). `window` adds so many neighbour chunks on each side
    as `window`, `explain` the `explanation`.
    """

    limit: int
    where: Where | None
    min_similarity: float | str | None
    group_by: str | None
    dedupe: bool
    mmr: float | None
    window: int
    explain: bool


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options, checked."""

    diversity: DiversityOptions
    condition: Filter | None
    min_similarity: float | str | None
    window: int
    explain: bool


AUTO: Final = "auto"
Example: TypeAlias = str | Mapping[str, str]


def parse_search_options(options: Options) -> SearchOptions:
    """The options, defaults filled in. Raises InputError, FilterError, and TypeError for a name that is none of them."""
    if unknown := options.keys() - Options.__annotations__.keys():
        raise TypeError(f"unknown option {min(unknown)!r}; expected {', '.join(Options.__annotations__)}")
    group, mmr, least = options.get("group_by"), options.get("mmr"), options.get("min_similarity")
    window = options.get("window") or 0
    if group not in (None, "document"):
        raise InputError(f"group_by must be 'document' or None, got {shorten_repr(group)}")
    if mmr is not None and not (_is_number(mmr) and 0 <= mmr <= 1):
        raise InputError(f"mmr must be a number from 0 (variety) to 1 (nearness), got {shorten_repr(mmr)}")
    if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window <= WINDOW_MAX:
        raise InputError(f"window must be a whole number from 0 to {WINDOW_MAX:,}, got {shorten_repr(window)}")
    if not (least is None or least == AUTO or _is_number(least)):
        raise InputError(f"min_similarity must be a number or 'auto', got {shorten_repr(least)}")
    limit = check_limit(options.get("limit", LIMIT_DEFAULT))
    arrangement = DiversityOptions(limit, group is not None, bool(options.get("dedupe")), mmr)
    return SearchOptions(arrangement, parse_where(options.get("where")), least, window, bool(options.get("explain")))


def check_mode(mode: Mode, options: SearchOptions) -> None:
    """Raises UsageError for options that need a similarity where none is computed."""
    if mode is Mode.LEXICAL and options.min_similarity is not None:
        raise UsageError("min_similarity tests the similarity, which lexical mode does not compute; use mode hybrid or dense")


def resolve_min_similarity(snapshot: Snapshot, options: SearchOptions) -> tuple[float | None, bool]:
    """The similarity below which a chunk is no answer, and whether one that says half of the question is one all the same."""
    if options.min_similarity != AUTO:
        return None if options.min_similarity is None else float(options.min_similarity), False
    floor = snapshot.estimate_noise_floor()
    if floor is None:
        warnings.warn(
            "min_similarity='auto' has too few documents to learn from, so nothing is left out; give a number", VecsearchWarning,
            stacklevel=3,
        )  # fmt: skip
    return floor, True


def parse_stemmer(code: Any) -> str | None:
    """A language whose stems can be had, or None for none asked for. Raises InputError."""
    if code is None or (isinstance(code, str) and is_known_stemmer(code)):
        return code
    raise InputError(
        f"stemmer must be one of {', '.join(sorted(STEMMERS))}, or {UNSTEMMED!r} for no stems, got {shorten_repr(code)}"
    )


def parse_example(value: Any) -> str | ParsedDocument:
    """An example of `recommend`: a document's id, or a text. Raises InputError."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and set(value) == {"text"}:
        return ParsedDocument("text", check_query(value["text"]))
    raise InputError(f"an example is a document's id or {{'text': …}}, got {shorten_repr(value)}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def list_paths(paths: Sequence[AnyPath] | AnyPath) -> list[AnyPath]:
    """One path or many, as a list."""
    return [paths] if isinstance(paths, str | PathLike) else list(paths)


def parse_documents(
    texts: Sequence[str],
    ids: Sequence[str] | None,
    metadatas: Sequence[Metadata | None] | None,
    titles: Sequence[str | None] | None,
) -> list[ParsedDocument]:
    """What `add` was given, one checked draft a text; ids are made up where not given. Raises InputError."""
    if isinstance(texts, str):
        raise InputError("add takes a list of texts; for one text: add([text])")
    for what, values in (("ids", ids), ("metadatas", metadatas), ("titles", titles)):
        if values is not None and (isinstance(values, str | Mapping) or len(values) != len(texts)):
            raise InputError(f"{what} must be a list of {len(texts)}, one for each text")
    from vecsearch.documents.validation import validate_document

    found = [
        validate_document(
            ParsedDocument(
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


def parse_vectors(vectors: Any, count: int) -> Vector:
    """`vectors` of `add` as unit rows, shape (count, dimension). Raises InputError."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinity, which is refused below
            matrix = np.asarray(vectors, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"vectors must be a matrix of numbers, one row for each text: {error}") from error
    if matrix.ndim != 2 or len(matrix) != count or not matrix.shape[1]:
        raise InputError(f"vectors must have the shape ({count}, dimension), got {matrix.shape}")
    return normalize_vectors(matrix)


def parse_queries(query: Any) -> tuple[list[str] | None, Any, bool]:
    """(texts or None, matrix or None, whether many were asked)."""
    if isinstance(query, str):
        return [check_query(query)], None, False
    if isinstance(query, Sequence) and query and all(isinstance(each, str) for each in query):
        return [check_query(each) for each in query], None, True
    try:
        matrix = np.asarray(query, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a query is a text, a vector, or a list of either, got {shorten_repr(query)}") from error
    if matrix.ndim not in (1, 2) or not matrix.size:
        raise InputError(f"a query vector has the shape (dimension,) or (queries, dimension), got {matrix.shape}")
    return None, np.atleast_2d(matrix), matrix.ndim == 2


def embed_queries(
    texts: list[str] | None, matrix: Any, mode: Mode, *, dimension: int, get_encoder: Callable[[], Encoder]
) -> Sequence[Vector | None]:
    """A unit vector for each query, None where the mode needs none. Warns of a text that is longer than the encoder's window."""
    if texts is None:
        if matrix.shape[1] != dimension:
            raise DimensionMismatchError(dimension, matrix.shape[1])
        return list(normalize_vectors(matrix))
    if mode is Mode.LEXICAL:
        return [None] * len(texts)
    encoder = get_encoder()
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
        raise DimensionMismatchError(dimension, rows.shape[1])
    return list(rows)


def read_document(path: Path) -> ParsedDocument:
    """A file as one draft, for `similar`. Raises InputError, UnreadableFile."""
    from vecsearch.documents.parser_process import ParseRequest, ParserProcess

    with ParserProcess() as parser:
        (drafts,) = (_read_documents(reading) for reading in parser.read([ParseRequest(path.absolute(), path.name)]))
    text = "\n\n".join(draft.text for draft in drafts)
    return ParsedDocument(path.name, text, drafts[0].title if len(drafts) == 1 else None)


def _read_documents(reading: ParseResult) -> list[ParsedDocument]:
    try:
        return [item for item in reading.read_items() if isinstance(item, ParsedDocument)]
    except UnreadableFileError as error:
        raise UnreadableFileError(f"cannot read {reading.request.path}: {error}") from error


@contextmanager
def spool_json_lines(stream: BinaryIO, name: str) -> Iterator[RawFile]:
    """JSON lines that come through a pipe, as a file, which can be read more than once."""
    from vecsearch.documents.loaders.raw_file import RawFile

    with NamedTemporaryFile(prefix="vecsearch-", suffix=".jsonl") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield RawFile(name, ".jsonl", path=Path(copy.name))
