"""Check what callers pass to the Python API, and convert it to the types that the package works with."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from vecsearch.api.brought_vectors import BroughtVectors, parse_rows
from vecsearch.api.columns import is_missing, is_numbers, list_optional_values, list_values, to_matrix, to_plain_string
from vecsearch.core.checks import check_limit, check_offset, check_query, check_whole_number, shorten_repr
from vecsearch.core.encoder_fields import read_dimension, read_max_tokens, read_token_spans
from vecsearch.core.errors import DimensionMismatchError, FilterError, InputError, UsageError, VecsearchWarning
from vecsearch.core.parallel import start
from vecsearch.core.plain_values import to_plain_value
from vecsearch.core.settings import WINDOW_MAX
from vecsearch.core.types import AnyPath, Fusion, Mode, Threshold, Where
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.unit_vectors import encode_all, normalize_vectors
from vecsearch.search.diversify import DiversityOptions
from vecsearch.stores.base import Snapshot
from vecsearch.stores.noise_floor import get_noise_floor
from vecsearch.text.analyzer import STEMMERS, UNSTEMMED, is_known_stemmer

if TYPE_CHECKING:  # what a plain search needs nothing of
    from vecsearch.core.filters import Filter
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.loaders.raw_file import RawFile

Vector: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What every kind of search takes, checked; see `CollectionReader.search`."""

    diversity: DiversityOptions
    where: Filter | None
    min_similarity: Threshold | None
    offset: int
    window: int
    whole_documents: bool
    explain: bool


AUTO: Final = "auto"
WHOLE_DOCUMENT: Final = "document"  # as a window
_EXAMPLES: Final = "recommend takes a list of positive examples, at least one, and a list of negative ones"
_QUERY: Final = "a query (a text, a vector, or a list of either)"
Example: TypeAlias = str | Mapping[str, str]


def parse_where(where: Where | None) -> Filter | None:
    """Return the condition of a filter; see `search.where_parser`. Raises FilterError."""
    if where is None:
        return None
    from vecsearch.search import where_parser  # most questions have no filter

    return where_parser.parse_where(where)


def parse_changing_where(where: Where | None) -> Filter | None:
    """Return the condition by which documents are changed or deleted, None for None: read once, as it may hold iterators.

    Raises FilterError, also for a filter that is empty or has a part that says nothing, which would change everything.
    """
    from vecsearch.search.empty_conditions import DELETE_ALL, refuse_empty_conditions

    condition = parse_where(where)
    if condition is not None:
        refuse_empty_conditions(condition)
    elif where is not None:
        raise FilterError(
            f"where is empty, which holds for every document; expected a condition such as {{'lang': 'en'}}; {DELETE_ALL}"
        )
    return condition


def parse_search_options(
    *,
    limit: Any,
    offset: Any,
    where: Where | None,
    min_similarity: Threshold | None,
    group_by: str | None,
    dedupe: bool,
    mmr: float | None,
    window: Any,
    explain: bool,
) -> SearchOptions:
    """Return the options, checked. Raises InputError, FilterError."""
    if group_by not in (None, "document"):
        raise InputError(f"group_by must be 'document' or None, got {shorten_repr(group_by)}")
    if mmr is not None and not (is_number(mmr) and 0 <= mmr <= 1):
        raise InputError(f"mmr must be a number from 0 (variety) to 1 (similarity), got {shorten_repr(mmr)}")
    if not (min_similarity is None or min_similarity == AUTO or is_number(min_similarity)):
        raise InputError(f"min_similarity must be a number or 'auto', got {shorten_repr(min_similarity)}")
    if offset and mmr is not None:
        raise UsageError("mmr chooses among what it looks at, and has no further page: leave offset or mmr out")
    limit, offset = check_limit(limit), check_offset(offset)
    diversity = DiversityOptions(limit + offset, group_by is not None, bool(dedupe), None if mmr is None else float(mmr))
    whole = isinstance(window, str) and window == WHOLE_DOCUMENT
    if isinstance(window, str) and not whole:
        raise InputError(f"window must be a number of chunks or {WHOLE_DOCUMENT!r}, got {shorten_repr(window)}")
    neighbours = 0 if whole else check_whole_number(window, "window", minimum=0, maximum=WINDOW_MAX)
    return SearchOptions(diversity, parse_where(where), min_similarity, offset, neighbours, whole, bool(explain))


def check_mode(mode: Mode, options: SearchOptions, fusion: Fusion, *, has_vector: bool) -> None:
    """Raise UsageError for what needs a similarity where none is computed, and for a further page of what has none."""
    if has_vector and mode is Mode.LEXICAL:
        raise UsageError("lexical mode compares no vectors: leave vector or the mode out")
    if options.offset and mode is Mode.HYBRID and fusion is not Fusion.TMM:
        raise UsageError(f"the fusion {fusion.value} ranks what it looks at, and has no further page: leave offset or fusion out")
    if mode is Mode.LEXICAL and options.min_similarity is not None:
        raise UsageError("min_similarity tests the similarity, which lexical mode does not compute; use mode hybrid or dense")


def resolve_min_similarity(snapshot: Snapshot, options: SearchOptions) -> tuple[float | None, bool]:
    """Return the similarity below which a chunk is no answer, and whether one with half of the best BM25 is one all the same."""
    if options.min_similarity != AUTO:
        return None if options.min_similarity is None else float(options.min_similarity), False
    floor = get_noise_floor(snapshot)
    if floor is None:
        warnings.warn(
            "min_similarity='auto' has too few documents to learn from, so nothing is left out; give a number", VecsearchWarning,
            stacklevel=3,
        )  # fmt: skip
    return floor, True


def parse_stemmer(code: Any) -> str | None:
    """Return the code of a stemmer that exists, or None as it came. Raises InputError."""
    if code is None or (isinstance(code, str) and is_known_stemmer(code)):
        return code
    raise UsageError(
        f"stemmer must be one of {', '.join(sorted(STEMMERS))}, or {UNSTEMMED!r} for no stems, got {shorten_repr(code)}"
    )


def make_text_document(text: Any) -> ParsedDocument:
    """Return a document that says this text."""
    from vecsearch.core.parsed import ParsedDocument

    return ParsedDocument("text", check_query(text))


def parse_example(value: Any) -> str | ParsedDocument:
    """Return an example of `recommend`: a document's id, or a text. Raises InputError."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and set(value) == {"text"}:
        return make_text_document(value["text"])
    raise InputError(f"an example is a document's id or {{'text': …}}, got {shorten_repr(value)}")


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, NumPy's too."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def list_paths(paths: Iterable[AnyPath] | AnyPath) -> list[AnyPath]:
    """Return one path or many as a list; a set too, as their order does not matter. Raises InputError."""
    if isinstance(paths, str | PathLike):
        return [paths]
    return list(paths) if isinstance(paths, Set) else list_values(paths, "paths")


def parse_examples(
    positive: Any, negative: Any, *, has_profile: bool = False
) -> tuple[list[str | ParsedDocument], list[str | ParsedDocument]]:
    """Return the examples of `recommend`. Raises InputError, UsageError where there is no positive one, and no profile."""
    if positive is None or isinstance(positive, str) or isinstance(negative, str):
        raise UsageError(_EXAMPLES)
    positives = [parse_example(example) for example in list_values(positive, "positive examples")]
    negatives = [parse_example(example) for example in list_values(negative, "negative examples")]
    if not positives and not has_profile:
        raise UsageError(_EXAMPLES)
    return positives, negatives


def parse_ids(ids: Any) -> list[Any] | None:
    """Return one id or many as a list, None as it came; whether they can be ids is said where they are looked up."""
    if ids is None:
        return None
    return [to_plain_string(ids)] if isinstance(ids, str) else list_values(ids, "ids")


def parse_documents(
    texts: Any, ids: Any, metadatas: Any, titles: Any, payloads: Any = None, vectors: BroughtVectors | None = None
) -> list[ParsedDocument]:
    """Return what `add` was given, one checked document a text; ids are made up where not given. Raises InputError.

    Where `vectors` come with them, a text may be None, and so may all of them.
    """
    if texts is None and vectors is not None:
        texts = [None] * len(vectors)
    all_texts = list_values(texts, "texts", one_value="add([text])")
    if vectors is not None:
        all_texts = [None if is_missing(text) else text for text in all_texts]
    count = len(all_texts)
    if vectors is not None and len(vectors) != count:
        raise InputError(f"vectors must have a row for each of the {count:,} texts, got {len(vectors):,}")
    all_ids = None if ids is None else check_length(list_values(ids, "ids"), "ids", count, beside="text")
    all_metadatas = list_column(metadatas, "metadatas", count, beside="text")
    all_titles = list_column(titles, "titles", count, beside="text")
    all_payloads = list_column(payloads, "payloads", count, beside="text")
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.validation import validate_document

    documents, ids_given = [], set()
    for n, text in enumerate(all_texts):
        key = uuid4().hex if all_ids is None else all_ids[n]
        metadata = None if all_metadatas is None else all_metadatas[n]
        title = None if all_titles is None else all_titles[n]
        has_vector = vectors is not None and bool(vectors.are_given[n])
        try:
            plain = {} if metadata is None else _parse_metadata(metadata)
            payload = None if all_payloads is None else to_plain_json(all_payloads[n], "the payload")
            words = "" if text is None and vectors is not None else text
            document = ParsedDocument(key, words, title, plain, payload=payload)
            documents.append(validate_document(document, has_vector=has_vector))
        except InputError as error:
            raise InputError(f"position {n:,}: {error}") from error
        if key in ids_given:
            raise InputError(f"the id {key!r} is given twice")
        ids_given.add(key)
    return documents


def _parse_metadata(metadata: Any) -> Any:
    """Return metadata as JSON holds it, without the keys whose value a table lacks (NaN, NaT). Raises InputError with the key."""
    if not isinstance(metadata, Mapping):
        return to_plain_json(metadata, "metadata")
    plain = {}
    for key, value in metadata.items():
        if value is None or not is_missing(value):
            try:
                plain[key] = to_plain_value(value)
            except ValueError as error:
                raise InputError(f"metadata must be JSON values: key {shorten_repr(key)}: {error}") from error
    return plain


def to_plain_json(value: Any, label: str) -> Any:
    """Return a value as JSON holds it: dates as text, say; see `core.plain_values`. Raises InputError."""
    try:
        return to_plain_value(value)
    except ValueError as error:
        raise InputError(f"{label} must be JSON values: {error}") from error


def list_column(values: Any, label: str, count: int, *, beside: str) -> list[Any] | None:
    """Return a column beside another, with None in its gaps; None where there is none. Raises InputError for another length."""
    return None if values is None else check_length(list_optional_values(values, label), label, count, beside=beside)


def check_length(column: list[Any], label: str, count: int, *, beside: str) -> list[Any]:
    """Return a column that is as long as the one beside it. Raises InputError."""
    if len(column) != count:
        raise InputError(f"{label} must be a list of {count:,}, one for each {beside}, got {len(column):,}")
    return column


def parse_queries(query: Any, vector: Any = None) -> tuple[list[str] | None, Any, bool]:
    """Return (texts or None, matrix or None, whether there are many); a `vector` is that of a text."""
    if isinstance(query, str):
        text = check_query(to_plain_string(query))
        return [text], None if vector is None else parse_rows([vector]), False
    try:
        values = query if is_numbers(query) else list_values(query, _QUERY, one_value="search(text)")
        if isinstance(values, list) and any(isinstance(text, str) for text in values):
            texts = [check_query(text) for text in values]
            return texts, None if vector is None else _parse_query_vectors(vector, len(texts)), True
        if vector is not None:
            raise UsageError("vector goes with a text, or many: a query that is a vector needs no other")
        matrix = to_matrix(values)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a query is a text, a vector, or a list of either, got {shorten_repr(query)}") from error
    if not matrix.size:
        raise InputError(f"there is no query: expected a text, a vector, or a list of either, got {shorten_repr(query)}")
    if matrix.ndim not in (1, 2):
        raise InputError(f"a query vector has the shape (dimension,) or (queries, dimension), got {matrix.shape}")
    return None, np.atleast_2d(matrix), matrix.ndim == 2


def _parse_query_vectors(vector: Any, count: int) -> Vector:
    rows = parse_rows(vector)
    if len(rows) != count:
        raise InputError(f"vector must be a matrix with {count:,} rows, one for each text, got {len(rows):,}")
    return rows


def embed_queries(
    texts: list[str] | None,
    matrix: Any,
    mode: Mode,
    *,
    dimension: int,
    get_encoder: Callable[[], TextEncoder],
    is_loaded: bool = False,
) -> Sequence[Vector | Callable[[], Vector] | None]:
    """Return a unit vector for each query, None where the mode needs none. Warns of a text that is longer than the window.

    One text for a model that `is_loaded` is encoded while the caller goes on: for its vector there is what waits for it.
    """
    if matrix is not None:
        if matrix.shape[1] != dimension:
            raise DimensionMismatchError(dimension, matrix.shape[1])
        return list(normalize_vectors(matrix))
    assert texts is not None
    if mode is Mode.LEXICAL:
        return [None] * len(texts)
    encoder = get_encoder()
    window = read_max_tokens(encoder)
    for text in texts:
        if len(text) > window and (tokens := len(read_token_spans(encoder, text))) > window:
            warnings.warn(
                f"the query has {tokens:,} tokens, {encoder.name} reads the first {window}; search a shorter text, "
                "or use `similar`, which reads all of it",
                VecsearchWarning,
                stacklevel=3,
            )

    def encode() -> list[Vector]:
        check_dimension(encoder, dimension)
        return list(encode_all(encoder, texts, encoder.encode_queries))

    return [start(lambda: encode()[0])] if is_loaded and len(texts) == 1 and mode is Mode.HYBRID else encode()


def check_dimension(encoder: TextEncoder, dimension: int) -> None:
    """Raise DimensionMismatchError where a collection holds vectors of another width, which a caller brought."""
    if (gives := read_dimension(encoder)) != dimension:
        raise DimensionMismatchError(dimension, gives)


@contextmanager
def spool_json_lines(stream: BinaryIO, name: str) -> Iterator[RawFile]:
    """Keep JSON lines that come through a pipe in a file, which can be read more than once."""
    from vecsearch.documents.loaders.raw_file import RawFile

    with NamedTemporaryFile(prefix="vecsearch-") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield RawFile(name, ".jsonl", path=Path(copy.name))
