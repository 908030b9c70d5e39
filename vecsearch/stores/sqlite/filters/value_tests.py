"""What a filter says of one value, as a function: for the values that SQL cannot judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from vecsearch.core.filters import Compare, Comparison, Contains, DocumentField, Exists, KeyTest, RegexMatch
from vecsearch.core.json_values import compare_code_points, compare_values, has_part, make_text_order
from vecsearch.core.patterns import PatternClock, PatternSearcher
from vecsearch.core.types import JSON


def make_value_test(condition: KeyTest, clock: PatternClock) -> Callable[[JSON], bool]:
    """Make the test of a value that is there, for the question whose clock is given. Raises FilterError, as the test does."""
    match condition:
        case Compare(key=DocumentField(), comparison=comparison, value=value):
            return lambda stored: compare_code_points(stored, comparison, value)
        case Compare(comparison=comparison, value=str(value)) if comparison is not Comparison.EQUAL:
            is_in_order = make_text_order(comparison, value)
            return lambda stored: isinstance(stored, str) and is_in_order(stored)
        case Compare(comparison=comparison, value=value):
            return lambda stored: compare_values(stored, comparison, value)
        case Exists():
            return lambda stored: True
        case Contains(value=value, ignores_case=ignores_case):
            return lambda stored: has_part(stored, value, ignores_case=ignores_case)
        case RegexMatch(pattern=pattern):
            searcher = PatternSearcher(pattern, clock)
            return lambda stored: isinstance(stored, str) and searcher.matches(stored)
        case _:
            assert_never(condition)
