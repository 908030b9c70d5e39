"""What a search returns, always frozen: hits, and how they were found. Positions count characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from vecsearch.core.attribution import Explanation
from vecsearch.core.lazy_value import LazyValue
from vecsearch.core.optional_packages import import_optional
from vecsearch.core.previews import build_html_table, format_fields, shorten_text
from vecsearch.core.types import JSON, Location, Metadata, Span

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ChunkWindow:
    """A chunk with its neighbours, or its whole document: characters [start, end) of it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Snippet:
    """What of a chunk shows best why it was found: characters [start, end) of the document, and the words of the query in them.

    It begins with the sentence that holds most of the query, or with the one before it where both are short. `line` is that of
    the sentence in the source, or its row, where lines or rows are known.
    """

    text: str
    start: int
    end: int
    line: int | None = None
    matches: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One answer: the chunk `text[start:end]` of document `id`, best first in any list.

    `score` is the cosine (dense), BM25 (lexical), the fused value (hybrid) or the reranker's, which compares within one answer
    only; `similarity` is the cosine in [-1, 1], None in lexical mode and for a chunk without a vector. `location` is where the
    chunk stands in its source, as far as that is known: page, box, slide, sheet, rows, heading, cell, lines,
    message, time, member.
    `payload` is what was stored with the document beside its metadata, None for nothing.
    `group_size` is how many further chunks the hit stands for: of its document, or near-duplicates, ranked no lower than the last
    hit of the answer. `word` is where the word that the question is about stands, in the sense that is meant, as far as that was
    looked at. `weak`: whether the similarity lies below the collection's noise floor, among that of unrelated texts; None
    where there is no similarity, or there are too few documents to know the floor. `window`, `explanation` and `snippet` are
    there when requested.
    """

    id: str
    chunk_index: int
    score: float
    similarity: float | None
    text: str
    title: str | None
    source: str | None
    start: int
    end: int
    metadata: Metadata
    location: Location = field(default_factory=dict)
    payload: JSON = None
    group_size: int = 0
    weak: bool | None = None
    window: ChunkWindow | None = None
    explanation: Explanation | None = None
    snippet: Snippet | None = None
    word: Span | None = None

    def __repr__(self) -> str:
        """Return the id, the score and the beginning of the text."""
        chunk = {"chunk_index": self.chunk_index} if self.chunk_index else {}
        return format_fields("Hit", id=self.id, **chunk, score=round(self.score, 3), text=shorten_text(self.text))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order; what was not requested, or is not there, is left out."""
        values = asdict(replace(self, explanation=None)) | {"explanation": self.explanation and self.explanation.to_dict()}
        optional = {
            "payload": self.payload is not None, "group_size": self.group_size, "weak": self.weak is not None,
            "window": self.window, "explanation": self.explanation, "snippet": self.snippet, "word": self.word,
        }  # fmt: skip
        return {key: value for key, value in values.items() if optional.get(key, True)}


class VectorAccess(StrEnum):
    """How vectors were searched: all of them through the index, or row by row those that a selective filter lets through."""

    INDEX = "index"
    ROWS = "rows"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class QueryProfile:
    """How an answer was found.

    `matching` of all `chunks` fit the filter; `candidates` were ranked; `min_similarity` is the bound that was applied (that of
    "auto" as it was learned); `timings_ms` are milliseconds, in order. `noise_floor` is the similarity below which hits are weak,
    None where it is not known, or was not needed.
    """

    access: VectorAccess
    chunks: int
    matching: int
    candidates: int
    min_similarity: float | None
    timings_ms: Mapping[str, float]
    noise_floor: float | None = None


@dataclass(frozen=True, slots=True)
class KeySummary:
    """A metadata key, or a path below one: in how many `documents` it stands, how often as each type, its least and greatest
    number, or text where it has no numbers."""

    key: str
    documents: int
    types: Mapping[str, int]
    min: Any = None
    max: Any = None


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value of a key, and how many documents have it."""

    value: Any
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values of a metadata key: `distinct` ones, of which `values` are the most frequent, the most frequent first.

    Each element of a list is a value. So many `documents` have the key, `missing` ones have not; for the rest see KeySummary.
    """

    key: str
    documents: int
    missing: int
    types: Mapping[str, int]
    min: Any
    max: Any
    distinct: int
    values: tuple[ValueCount, ...]


class AddReport(list[str]):
    """The ids of the documents that `add` was given, in order, and what became of them.

    So many were `added`, `replaced` (there was a document under the id), or `skipped` (what was there stayed).
    """

    def __init__(self, ids: Iterable[str] = (), *, added: int = 0, replaced: int = 0, skipped: int = 0) -> None:
        super().__init__(ids)
        self.added, self.replaced, self.skipped = added, replaced, skipped


class DeleteReport(list[str]):
    """The ids of the documents that were deleted, or would be.

    Those in `returning` come back with the next `index`, as their files are still there. `forgotten` are roots that are no more:
    they are gone from the disk, and what came from them was deleted.
    """

    def __init__(self, ids: Iterable[str] = (), returning: Iterable[str] = (), forgotten: Iterable[str] = ()) -> None:
        super().__init__(ids)
        self.returning, self.forgotten = tuple(returning), tuple(forgotten)


class Hits(list[Hit]):
    """A list of hits, best first, with the `profile` of how they were found (None where there is no collection yet).

    `pending_vectors` chunks were found by their words alone, if at all: their vectors are still to be made. As JSON:
    `json.dumps(hits.to_dicts())`.
    """

    def __init__(
        self,
        hits: Iterable[Hit] = (),
        profile: QueryProfile | None = None,
        pending_vectors: int = 0,
        find_reason: Callable[[], str] | None = None,
    ) -> None:
        """Make an answer; `find_reason` returns why it is empty, where it is."""
        super().__init__(hits)
        self.profile, self.pending_vectors = profile, pending_vectors
        self._reason = LazyValue[str | None](find_reason or (lambda: None))

    @property
    def weak(self) -> bool:
        """Return whether there are hits, and all of them are weak: nothing in the collection is about the query."""
        return bool(self) and all(hit.weak for hit in self)

    @property
    def reason(self) -> str | None:
        """Return why nothing was found, in one line; None where something was.

        It is looked for when it is first asked for: the keys and types of a filter that matched nothing, say, as they are then.
        """
        return None if self else self._reason.get()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the answer with its reason, which is found now: what finds it belongs to this process."""
        reason = self.reason
        return _rebuild_hits, (list(self), self.profile, self.pending_vectors, reason)

    def __repr__(self) -> str:
        """Return the hits, a line each."""
        return f"Hits([{','.join(f'{chr(10)}  {hit!r}' for hit in self)}{chr(10) if self else ''}])"

    def _repr_html_(self) -> str:
        """Return a table, which notebooks show."""
        rows = [(f"{hit.score:.3f}", hit.id, hit.title or "", shorten_text(hit.text, limit=200)) for hit in self]
        return build_html_table(("score", "id", "title", "text"), rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each hit's fields, as `Hit.to_dict` does: plain values that `json.dumps` takes."""
        return [hit.to_dict() for hit in self]

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row a hit, and the fields of `Hit` as columns; all of them where there are no hits, too.

        Raises UnavailableError where pandas is not installed.
        """
        columns = [field.name for field in fields(Hit)]
        rows = [[getattr(hit, name) for name in columns] for hit in self]
        frame: pd.DataFrame = import_optional("pandas").DataFrame(rows, columns=columns)
        return frame


def _rebuild_hits(hits: list[Hit], profile: QueryProfile | None, pending_vectors: int, reason: str | None) -> Hits:
    return Hits(hits, profile, pending_vectors, None if reason is None else partial(str, reason))
