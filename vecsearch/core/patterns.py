"""Regular expressions of users, bounded in time and memory: 40 characters, or a text of 40, are enough to take all there is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final
from urllib.parse import quote, unquote

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import FilterError
from vecsearch.core.pattern_size import has_call, measure_pattern
from vecsearch.core.settings import PATTERN_LENGTH_MAX, PATTERN_SECONDS_MAX, PATTERN_STEPS_MAX, PATTERN_TEXT_SECONDS_MAX

_NAMED: Final = re.compile(r"\(\?#([\w%/.~-]+)\)")
_TIMED_OUT = "regex timed out"  # what the package `regex` says; a signal handler's TimeoutError says something else


def check_patterns(patterns: Iterable[str]) -> None:
    """Raise FilterError for a pattern of a question that is no regular expression, or where they are too long together."""
    patterns, steps = list(patterns), 0.0
    for pattern in patterns:
        if len(pattern) > PATTERN_LENGTH_MAX:
            raise FilterError(f"where: $regex takes a pattern of at most {PATTERN_LENGTH_MAX:,} characters, got {len(pattern):,}")
        if has_call(pattern):
            raise FilterError(
                f"where: $regex {shorten_repr(pattern)} calls itself or one of its groups, as by (?R), (?1) or (?&name); write "
                "out what is called"
            )
        steps += measure_pattern(pattern)
        if steps > PATTERN_STEPS_MAX:
            raise FilterError(
                f"where: the patterns of $regex have more than {PATTERN_STEPS_MAX:,} steps together, with their repeats written "
                f"out, up to {shorten_repr(pattern)}; use smaller numbers in its repeats, or fewer patterns"
            )
    for pattern in dict.fromkeys(patterns):
        _compile_pattern(pattern)


def _compile_pattern(pattern: str) -> Any:
    import regex  # slow to import, and few filters have a pattern

    try:
        return regex.compile(pattern, cache_pattern=False)  # a cache of hundreds could hold a hundred MB for each
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise FilterError(f"where: $regex {shorten_repr(pattern)} is no regular expression: {error}") from error


def name_pattern(pattern: str, name: str) -> str:
    """Return a pattern with a comment that says what it was made of, for messages; as it is where that makes it too long."""
    named = f"(?#{quote(name, errors='replace')}){pattern}"
    return named if len(named) <= PATTERN_LENGTH_MAX else pattern


def find_pattern_name(pattern: str) -> str | None:
    """Return what `name_pattern` said that a pattern was made of; None where it said nothing."""
    named = _NAMED.match(pattern)
    return unquote(named[1]) if named else None


class PatternClock:
    """The time that all patterns of a question have together: PATTERN_SECONDS_MAX."""

    def __init__(self) -> None:
        self.seconds_left = PATTERN_SECONDS_MAX


class PatternSearcher:
    """Looks for a pattern in one text after another, for PATTERN_TEXT_SECONDS_MAX in each and as long as there is time in all."""

    def __init__(self, pattern: str, clock: PatternClock) -> None:
        """Compile a pattern that `check_patterns` lets pass."""
        self._pattern, self._compiled, self._clock = pattern, _compile_pattern(pattern), clock

    def matches(self, text: str) -> bool:
        """Return whether some part of a text matches. Raises FilterError where that takes too long, or too much memory."""
        began = monotonic()
        seconds = min(PATTERN_TEXT_SECONDS_MAX, self._clock.seconds_left)
        if seconds <= 0:
            raise self._make_time_error()
        try:
            return self._compiled.search(text, timeout=seconds) is not None
        except TimeoutError as error:
            if str(error) != _TIMED_OUT:
                raise
            raise self._make_time_error() from error
        except MemoryError as error:
            raise FilterError(
                f"where: $regex {shorten_repr(self._pattern)} took all memory; repeat less inside of what is repeated"
            ) from error
        finally:
            self._clock.seconds_left -= monotonic() - began

    def _make_time_error(self) -> FilterError:
        return FilterError(
            f"where: $regex {shorten_repr(self._pattern)} took more than {PATTERN_TEXT_SECONDS_MAX:g} s in a text, or all "
            f"patterns of the filter more than {PATTERN_SECONDS_MAX:g} s together; repeat less inside of what is repeated, or "
            "filter by another key too"
        )
