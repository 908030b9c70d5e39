"""Which parts of a filter say nothing: an empty variable of a script must not change or delete every document.

Searching with them is harmless, and stays as it is. What holds for no document, such as an empty `$in`, is harmless here too,
unless it is negated.
"""

from __future__ import annotations

import re
from typing import Final

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import FilterError
from vecsearch.core.filters import And, Compare, Comparison, Contains, DocumentField, Exists, Filter, Not, Or, RegexMatch
from vecsearch.search.where_parser import show_key

_EMPTY_PATTERN: Final = re.compile(r"(?:\(\?\w+\))*(?:\^|\\A|\$|\\Z)?")  # nothing, with the flags and the anchor of a program's
DELETE_ALL: Final = "to delete all documents: delete_all(), in the shell: vecsearch delete --all"


def refuse_empty_conditions(condition: Filter) -> None:
    """Raise FilterError for a part, however deep, that leaves out no document for what it compares with."""
    _fold(condition)


def _fold(term: Filter) -> bool | None:
    """Return False of what holds for no document, None of what says something. Raises FilterError for what says nothing."""
    match term:
        case And(terms):
            return False if False in [_fold(part) for part in terms] else None
        case Or(terms):
            return None if None in [_fold(part) for part in terms] else False
        case Not(inner):
            if _fold(inner) is False:
                _refuse("a negation ($nin, $ne, $not) of what holds for no document, such as an empty list")
        case Contains(key, ""):
            _refuse(f"an empty {'$icontains' if term.ignores_case else '$contains'} on {show_key(key)}")
        case RegexMatch(key, pattern) if _EMPTY_PATTERN.fullmatch(pattern):
            _refuse(f"the $regex {shorten_repr(pattern)} on {show_key(key)}")
        case Compare(key, Comparison.AT_LEAST, "") | Compare(DocumentField.ID as key, Comparison.GREATER, ""):
            _refuse(f"an empty {term.comparison.value} on {show_key(key)}")
        case Exists(DocumentField.ID):
            _refuse("$exists on $id")
        case Compare(DocumentField.ID, _, ""):
            return False
    return None


def _refuse(what: str) -> None:
    raise FilterError(f"where: {what} says nothing, and would change every document or all that have a text there; {DELETE_ALL}")
