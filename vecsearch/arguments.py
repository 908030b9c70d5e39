"""What callers pass to the Python API, checked and in the form that the house works with."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from vecsearch.batches import checked_rows
from vecsearch.core.checks import checked_query
from vecsearch.core.errors import InputError, UnreadableFile, VecsearchWarning, WrongDimension
from vecsearch.core.types import Draft, Metadata, Mode
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.parsing import Parser, Reading, Request
from vecsearch.documents.validate import checked
from vecsearch.encoding.protocol import Encoder

Vector: TypeAlias = NDArray[np.float32]
AnyPath: TypeAlias = str | PathLike[str]


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
        matrix = np.asarray(vectors, np.float32)
    except (TypeError, ValueError) as error:
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
    except (TypeError, ValueError) as error:
        raise InputError(f"a query is a text, a vector, or a list of either, got {query!r:.80}") from error
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
        if (tokens := len(encoder.token_spans(text))) > encoder.max_tokens:
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
    with NamedTemporaryFile(prefix="vecsearch-", suffix=".jsonl") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield Raw(name, ".jsonl", path=Path(copy.name))
