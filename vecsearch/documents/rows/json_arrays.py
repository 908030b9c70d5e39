"""The values of a JSON array one after the other, in the memory that the largest of them takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.nesting import is_json_nested_too_deeply

_BLANKS: Final = re.compile(r"\s*")
_DECODER: Final = json.JSONDecoder()
_VALUE_MAX: Final = 32_000_000  # characters of one value


def iterate_array(blocks: Iterable[str]) -> Iterator[Any]:
    """Yield the values of an array whose text comes in blocks. Raises UnreadableFileError, with the number of a broken value."""
    text = _ArrayText(blocks)
    if text.take_mark("[") is None:
        raise UnreadableFileError("no JSON array: it does not begin with [")
    if text.take_mark("]"):
        return
    number = 0
    while True:
        number += 1
        yield text.take_value(number)
        if text.take_mark("]"):
            return
        if text.take_mark(",") is None:
            raise UnreadableFileError(f"no JSON array: no comma after record {number:,}")


class _ArrayText:
    """Text of which what was taken is forgotten."""

    def __init__(self, blocks: Iterable[str]) -> None:
        self._blocks = iter(blocks)
        self._text, self._start = "", 0

    def take_mark(self, mark: str) -> str | None:
        """Take a character if it comes next, white space aside."""
        self._skip_blanks()
        if self._text[self._start : self._start + 1] != mark:
            return None
        self._start += 1
        return mark

    def take_value(self, number: int) -> Any:
        self._skip_blanks()
        wanted = 1  # characters; doubled, so that a long value is not decoded anew with each block
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._start)
            except ValueError as error:
                value, end, reason = None, len(self._text), str(error).partition(":")[0]
            else:
                reason = ""
            if end < len(self._text):  # a number may go on in the next block
                break
            wanted = max(wanted, 2 * (len(self._text) - self._start))
            if len(self._text) - self._start > _VALUE_MAX or not self._read(wanted):
                if reason:
                    raise UnreadableFileError(f"no JSON array: record {number:,}: {reason}")
                break
        if is_json_nested_too_deeply(self._text[self._start : end]):
            raise UnreadableFileError(f"no JSON array: record {number:,} is nested too deeply")
        self._start = end
        return value

    def _skip_blanks(self) -> None:
        while True:
            blanks = _BLANKS.match(self._text, self._start)
            self._start = blanks.end() if blanks else self._start
            if self._start < len(self._text) or not self._read(1):
                return

    def _read(self, characters: int) -> bool:
        """Read until there are so many characters behind the start, if they come; returns whether anything came."""
        parts, size = [self._text[self._start :]], len(self._text) - self._start
        before = size
        while size < characters and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            size += len(block)
        self._text, self._start = "".join(parts), 0
        return size > before
