"""Why an answer is empty, in one line: the collection, the filter, the least similarity, or the terms of the query.

It is looked for only when somebody asks: what a filter missed takes a look at all metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import VecsearchError
from vecsearch.core.filters import (
    And,
    Compare,
    Comparison,
    Contains,
    DocumentField,
    Exists,
    Filter,
    FilterKey,
    Not,
    Or,
    RegexMatch,
    SourceWithin,
)
from vecsearch.core.json_values import is_number
from vecsearch.core.patterns import find_pattern_name
from vecsearch.core.results import KeySummary
from vecsearch.core.types import Mode, format_count
from vecsearch.search.facets import count_values, summarize_keys
from vecsearch.search.where_shell import ISO_TIME_PATTERN

if TYPE_CHECKING:
    from vecsearch.stores.base import Snapshot

_Keys: TypeAlias = dict[str, KeySummary]
_NAMES_MAX: Final = 8
_CONDITIONS_MAX: Final = 3
_EMPTY: Final = "the collection is empty; add documents: vecsearch index PATH"


@dataclass(frozen=True, slots=True)
class EmptyAnswer:
    """What is known of an answer without a hit.

    So many of all `chunks` were `matching` the filter `where`; `most_similar` is the highest cosine of those that were compared,
    None where none was; `left_out` are the hits before the offset.
    """

    mode: Mode
    where: Filter | None
    chunks: int
    matching: int
    min_similarity: float | None
    most_similar: float | None
    pending_vectors: int
    left_out: int
    has_excluded: bool


def explain_empty_answer(answer: EmptyAnswer, open_snapshot: Callable[[], AbstractContextManager[Snapshot]]) -> str:
    """Return why it is empty. The collection is opened again where the reason is the filter."""
    if not answer.chunks:
        return _EMPTY
    if answer.matching or answer.where is None:
        return _explain_matching(answer)
    try:
        with open_snapshot() as snapshot:
            return explain_filter(snapshot, answer.where)
    except VecsearchError:  # it was closed, or is gone by now
        return "the filter matches no document"


def _explain_matching(answer: EmptyAnswer) -> str:
    """Return why none of the chunks that match is a hit."""
    among = format_count(answer.matching, "chunk") + ("" if answer.where is None else " that pass the filter")
    if answer.left_out:
        return f"the offset leaves out all there is: {format_count(answer.left_out, 'hit')}"
    if answer.min_similarity is not None and answer.most_similar is not None:
        least, best = answer.min_similarity, answer.most_similar
        return f"none of {among} reaches the least similarity {least:.3f}; the most similar has {best:.3f}"
    if answer.mode is Mode.LEXICAL:
        return f"none of {among} holds a term of the query; to search by meaning too: --mode hybrid"
    if answer.pending_vectors:
        waiting = f"the vectors of {format_count(answer.pending_vectors, 'chunk')} are still to be made"
        return f"{waiting}, which are found by their words alone: vecsearch index --vectors-only"
    return "there is no other document to find" if answer.has_excluded else f"none of {among} has a vector or a term of the query"


def explain_filter(snapshot: Snapshot, where: Filter) -> str:
    """Return why a filter matches no document: keys that are not there, types that never compare, values that nobody has."""
    if not snapshot.count_documents():
        return _EMPTY
    keys = {summary.key: summary for summary in summarize_keys(snapshot.count_metadata())}
    terms = where.terms if isinstance(where, And) else (where,)
    reasons = dict.fromkeys(reason for term in terms if (reason := _explain_term(snapshot, term, keys)))
    if not reasons:
        return "each condition of the filter holds for some documents, but no document meets all of them"
    return "; ".join(list(reasons)[:_CONDITIONS_MAX])


def _explain_term(snapshot: Snapshot, term: Filter, keys: _Keys) -> str | None:
    """Return why a condition holds for no document; None where it holds for some."""
    if snapshot.list_document_ids(where=term, limit=1):
        return None
    match term:
        case And(terms=terms):
            reason = next(filter(None, (_explain_term(snapshot, part, keys) for part in terms)), None)
            return reason or "no document meets all conditions of the filter"
        case Or(terms=terms):
            fitting = [part for part in terms if _find_misfit(part, keys) is None] or terms[:1]
            return _describe_any(snapshot, fitting, keys) or "an empty list holds for no document"
        case Not():
            return "what the filter excludes holds for every document"
        case SourceWithin(paths=paths):
            return f"nothing was indexed from {paths[0]}; see `vecsearch ls --sources`"
    return _find_misfit(term, keys) or _describe_values(snapshot, term, keys)


def _describe_any(snapshot: Snapshot, terms: Sequence[Filter], keys: _Keys) -> str:
    reasons = dict.fromkeys(reason for part in terms[:_CONDITIONS_MAX] if (reason := _explain_term(snapshot, part, keys)))
    return "; ".join(reasons)


# -- one condition


def _find_misfit(term: Filter, keys: _Keys) -> str | None:
    """Return which key is not there, or holds another type than the condition asks for; None where both fit."""
    match term:
        case And(terms=terms):
            return next(filter(None, (_find_misfit(part, keys) for part in terms)), None)
        case Compare(key=str(key)) | Contains(key=str(key)) | RegexMatch(key=str(key)) | Exists(key=str(key)) if key not in keys:
            return _describe_unknown_key(key, keys)
        case Compare(key=str(key), value=value) if (kind := _get_type(value)) not in keys[key].types:
            return f"`{key}` holds {_join_types(keys[key])}; you compared it with {_ARTICLES[kind]}"
        case Contains(key=str(key)) | RegexMatch(key=str(key)) if not {"text", "list"} & keys[key].types.keys():
            return f"`{key}` holds {_join_types(keys[key])}; you looked for a part of a text"
    return None


def _describe_unknown_key(key: str, keys: _Keys) -> str:
    if not keys:
        return f"no document has the key `{key}`: none has metadata"
    near = get_close_matches(key, keys, n=1)
    meant = f" (did you mean `{near[0]}`?)" if near else ""
    return f"no document has the key `{key}`{meant}; keys: {_join_names(keys)}"


def _describe_values(snapshot: Snapshot, term: Filter, keys: _Keys) -> str:
    """Return that no document has such a value, and which ones there are."""
    assert isinstance(term, Compare | Contains | RegexMatch | Exists)
    if isinstance(term, RegexMatch) and term.pattern == ISO_TIME_PATTERN:
        return f"{_show_key(term.key)} holds text that is no time in ISO 8601; you compared it with one"
    if isinstance(term, RegexMatch) and (glob := find_pattern_name(term.pattern)) is not None:
        return f"no document comes from a file that matches {_show(glob)}"
    match term.key:
        case DocumentField.TYPE:
            suffixes = {PurePath(source.source).suffix[1:].lower() for source in snapshot.list_sources() if source.documents}
            values = f"types: {_join_names(sorted(filter(None, suffixes)))}"
        case DocumentField.LANGUAGE if "language" not in keys:
            values = "none states its language"
        case DocumentField.LANGUAGE:
            values = f"languages: {_join_values(snapshot, 'language')}"
        case str(key) if isinstance(term, Compare) and term.comparison is not Comparison.EQUAL:
            values = f"`{key}` goes from {_show(keys[key].min)} to {_show(keys[key].max)}"
        case str(key):
            values = f"its values: {_join_values(snapshot, key)}"
        case _:
            values = ""
    return "; ".join(filter(None, (f"no document has {_format_condition(term)}", values)))


def _format_condition(term: Compare | Contains | RegexMatch | Exists) -> str:
    key = _show_key(term.key)
    match term:
        case Compare(comparison=comparison, value=value):
            return f"{key} {_SIGNS[comparison.value]} {_show(value)}"
        case Contains(value=value):
            return f"{key} with {_show(value)} in it"
        case RegexMatch(pattern=pattern):
            return f"{key} that matches {_show(pattern)}"
    return key


def _join_values(snapshot: Snapshot, key: str) -> str:
    facets = count_values(snapshot.count_metadata(), key, _NAMES_MAX)
    more = facets.distinct - len(facets.values)
    return ", ".join(_show(value.value) for value in facets.values) + (f" and {more:,} more" if more > 0 else "")


def _join_names(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMES_MAX
    return ", ".join(listed[:_NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _join_types(summary: KeySummary) -> str:
    return " and ".join(_PLURALS[kind] for kind in summary.types)


def _show_key(key: FilterKey) -> str:
    return f"`{key}`" if isinstance(key, str) else key.value


def _show(value: Any) -> str:
    return shorten_repr(value, limit=40)


def _get_type(value: Any) -> str:
    """Return the type of a value as `KeySummary.types` names it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "text"
        case list():
            return "list"
    return "number" if is_number(value) else "object"


_SIGNS: Final = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_PLURALS: Final = {
    "text": "text", "number": "numbers", "boolean": "true or false", "null": "null", "list": "lists", "object": "objects",
}  # fmt: skip
_ARTICLES: Final = {
    "text": "a text", "number": "a number", "boolean": "true or false", "null": "null", "list": "a list", "object": "an object",
}  # fmt: skip
