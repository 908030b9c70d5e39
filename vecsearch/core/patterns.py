"""Regular expressions of users, bounded in time: some take longer than anybody waits, on a text of a few dozen characters."""

from __future__ import annotations

from time import monotonic
from typing import Any

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import FilterError
from vecsearch.core.settings import PATTERN_LENGTH_MAX, PATTERN_SECONDS_MAX, PATTERN_TEXT_SECONDS_MAX


def compile_pattern(pattern: str) -> Any:
    """Compile a regular expression of the package `regex`. Raises FilterError for one that is none, or is too long."""
    import regex  # slow to import, and few filters have a pattern

    if len(pattern) > PATTERN_LENGTH_MAX:
        raise FilterError(f"where: $regex takes a pattern of at most {PATTERN_LENGTH_MAX:,} characters, got {len(pattern):,}")
    try:
        return regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise FilterError(f"where: $regex {shorten_repr(pattern)} is no regular expression: {error}") from error


class PatternSearcher:
    """Looks for a pattern in one text after another, for PATTERN_TEXT_SECONDS_MAX in each and PATTERN_SECONDS_MAX in all."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._compiled, self._seconds_left = pattern, compile_pattern(pattern), PATTERN_SECONDS_MAX

    def matches(self, text: str) -> bool:
        """Return whether some part of a text matches. Raises FilterError where that takes too long."""
        began = monotonic()
        try:
            seconds = min(PATTERN_TEXT_SECONDS_MAX, max(self._seconds_left, 0))
            found = self._compiled.search(text, timeout=seconds) is not None
        except TimeoutError as error:
            raise FilterError(
                f"where: $regex {shorten_repr(self._pattern)} took more than {PATTERN_TEXT_SECONDS_MAX:g} s in a text, or "
                f"{PATTERN_SECONDS_MAX:g} s in all; repeat less inside of what is repeated, or filter by another key too"
            ) from error
        self._seconds_left -= monotonic() - began
        return found
