"""Translate the wildcards of gitignore patterns into regular expressions, for names and for paths.

They mean what they mean to git (wildmatch.c), but that `?` and `[…]` stand for a character, where git counts bytes. No library is
used: pathspec's expressions know no character classes, differ from version to version and take exponential time for a pattern
with a dozen wildcards, which anybody may write into an ignore file. Here a wildcard keeps to the first place where what follows
it up to the next one fits, which is enough for globs, so that the time grows with the length of pattern times path.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

_Segment: TypeAlias = list[str]  # of a path: expressions for one character each, and stars

_STAR: Final = "*"
_ANY: Final = "[^/]"
_CLASS: Final = re.compile(r"\[:([^\]]*):\]")  # within a bracket
_RANGE: Final = re.compile(r"-[^\]]", re.DOTALL)  # what follows its lower end
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x01-\x1f\x7f", "digit": "0-9", "graph": r"!-.0-~",
    "lower": "a-z", "print": r" -.0-~", "punct": r"!-.:-@\[-`{-~", "space": r" \t-\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip


def translate_name_glob(glob: str) -> str | None:
    """Return an expression for the whole of a name that the pattern matches; None for a pattern that is invalid."""
    segments = _parse_segments(glob)
    return None if segments is None else f"(?:{_translate_segment(segments[0])})"


def translate_path_glob(glob: str) -> str | None:
    """Return an expression for the whole of a relative path that the pattern matches; None for a pattern that is invalid."""
    segments = _parse_segments(glob)
    if segments is None:
        return None
    groups: list[list[str]] = [[]]  # what stands between the `**`
    for segment in segments:
        if len(segment) > 1 and set(segment) == {_STAR}:
            groups.append([])
        else:
            groups[-1].append(_translate_segment(segment))
    if len(groups) == 1:
        return f"(?:{'/'.join(groups[0])})"
    start = "".join(f"{segment}/" for segment in groups[0])
    middle = "".join(f"(?>(?:{_ANY}++/)*?{''.join(f'{segment}/' for segment in group)})" for group in groups[1:-1] if group)
    end = f"(?:{_ANY}++/)*{'/'.join(groups[-1])}" if groups[-1] else "(?s:.+)"
    return f"(?:{start}{middle}{end})"


def _translate_segment(segment: _Segment) -> str:
    """Return an expression for one part of a path."""
    chunks = [""]
    for token in segment:
        if token == _STAR:
            chunks.append("")
        else:
            chunks[-1] += token
    if len(chunks) == 1:
        return chunks[0]
    first, *middle, last = chunks
    return first + "".join(f"(?>{_ANY}*?{chunk})" for chunk in middle if chunk) + f"{_ANY}*{last}"


def _parse_segments(glob: str) -> list[_Segment] | None:
    """Split a pattern into the parts of a path; None where a bracket or an escape is broken."""
    segments: list[_Segment] = [[]]
    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "\\":
            if position == len(glob):
                return None
            character = glob[position]
            position += 1
        elif character == "*":
            segments[-1].append(_STAR)
            continue
        elif character == "?":
            segments[-1].append(_ANY)
            continue
        elif character == "[":
            bracket = _parse_bracket(glob, position)
            if bracket is None:
                return None
            expression, position = bracket
            segments[-1].append(expression)
            continue
        if character == "/":
            segments.append([])
        else:
            segments[-1].append(re.escape(character))
    return segments


def _parse_bracket(glob: str, position: int) -> tuple[str, int] | None:
    """Return the expression of a bracket whose content begins at a position, and where it ends.

    None where it has no end, names an unknown class or can match nothing. No bracket matches a slash.
    """
    is_negated = glob[position : position + 1] in ("!", "^")
    position += is_negated
    start, items = position, ""
    lower: str | None = None  # a range may begin with it
    while glob[position : position + 1] != "]" or position == start:
        if named := _CLASS.match(glob, position):
            if named[1] not in _CLASSES:
                return None
            items += _CLASSES[named[1]]
            position, lower = named.end(), None
        elif lower is not None and _RANGE.match(glob, position):
            upper, position = _read_character(glob, position + 1)
            items += f"{re.escape(lower)}-{re.escape(upper)}" if lower <= upper else ""
            lower = None
        else:
            lower, position = _read_character(glob, position)
            if not lower:
                return None
            items += re.escape(lower)
    if is_negated:
        return f"[^/{items}]", position + 1
    return (f"(?!/)[{items}]", position + 1) if items else None


def _read_character(glob: str, position: int) -> tuple[str, int]:
    """Return a character of a bracket, which a backslash may escape, and the position after it; an empty one at the end."""
    position += glob[position : position + 1] == "\\"
    return glob[position : position + 1], position + 1
