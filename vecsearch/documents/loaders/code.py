"""Source code, unchanged: each stretch knows the lines that enclose it, by indentation, and where definitions begin.

The model is that of an editor that keeps the heads of the scopes in view: of the lines above, the nearest of each smaller
indentation. It knows no language's grammar, only what comments, brackets and long strings look like in most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Final, NamedTuple

from vecsearch.core.types import Item, Section
from vecsearch.documents.loaders.raw import Raw, one
from vecsearch.documents.text import decode

_LEVELS_MAX: Final = 4  # enclosing lines told, the outermost
_WIDTH_MAX: Final = 120  # characters of each
_TAB: Final = 4  # columns
_SECTIONS_MAX: Final = 200_000  # a file with more is data in the form of code, and has no scopes
_WHOLE: Final = Section(0, {"lines": 1})

_LINE: Final = re.compile(r"^([^\S\n]*)(\S.*)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"//|--|;[;\s]|%|<!--|#(?![\w-]+[^{]*\{)|/\*(?:.*\*/$|(?!.*\*/))")
_DECORATION: Final = re.compile(r"@\w(?!.*[\w)]\s?\{$)|\[.*\]$")
_ASIDE: Final = re.compile(  # lines that stand at the margin whatever they are in: a preprocessor's, and labels of access
    r"#(?:if|ifdef|ifndef|else|elif|endif|define|undef|include|import|pragma|error|warning|line|region|endregion)\b"
    r"|(?:public|private|protected|internal|published|signals)(?:\s\w+)?\s*:$"
)
_CLOSING: Final = re.compile(r"[)\]]|\}(?!.*[{:]$)|[^\w\"'@#]+$|(?i:(?:end\w*|fi|done|esac|begin)\b[\w \t.]*;?$)")
_CONTROL: Final = re.compile(
    r"\}|(?:if|elif|else|elsif|for|foreach|while|until|unless|do|loop|repeat|switch|case|match|when|select|default|try|except|"
    r"catch|rescue|ensure|finally|with|using|return|yield|await|throw|raise|assert|print)\b"
)
_HALF: Final = re.compile(r"[\w\s*&:<>,]+$")  # of a head in two lines: a type alone
_LONG_QUOTES: Final = ('"""', "'''")
_LONG_STRING: Final = re.compile(r"""[A-Za-z]{0,2}(?:\"{3}|'{3})""")
_STRING: Final = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|#.*""")


class _Line(NamedTuple):
    """A line of code. `start` is the place of the comments and decorations right above it, where there are any.

    `fresh`: an empty line or the end of something deeper is before it; `joined`: a line of code is.
    """

    start: int
    indent: int
    text: str
    fresh: bool
    joined: bool


def code(raw: Raw) -> Iterator[Item]:
    """The text unchanged, its sections by scope. Definitions are the places to cut: of the top level first, then those inside."""
    text = decode(raw.data)
    sections = list(islice(_sections(text), _SECTIONS_MAX + 1))
    return one(raw, text, sections=sections if len(sections) <= _SECTIONS_MAX else [_WHOLE])


def _sections(text: str) -> Iterator[Section]:
    """One where the enclosing lines change or a definition begins."""
    pending = _WHOLE
    last, number = 0, 1
    for start, context, level in _scopes(text):
        if level is None and context == pending.context:
            continue
        if start > pending.start:
            yield pending
        number, last = number + text.count("\n", last, start), start
        pending = Section(start, {"lines": number}, context, level=level)
    yield pending


def _scopes(text: str) -> Iterator[tuple[int, str, int | None]]:
    """For each line of code: where it begins, the lines around it, and how good a place to cut it is."""
    around: list[_Line] = []
    half: _Line | None = None
    end = _Line(len(text), 0, "", True, False)
    for each, following in pairwise(chain(_lines(text), [end])):
        line = each
        if half and each.joined and each.indent == half.indent:
            line = each._replace(start=half.start, fresh=True)
        half = line if line.fresh and _HALF.match(line.text) else None
        while around and around[-1].indent >= line.indent:
            around.pop()
        opens = line.fresh and following.indent > line.indent
        level = len(around) + 1 if opens and len(around) < 2 and not (around and _CONTROL.match(line.text)) else None
        yield line.start, "\n".join(above.text for above in around[:_LEVELS_MAX]), level
        around.append(line)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that can enclose others, or be enclosed."""
    reader = _Reader()
    for match in _LINE.finditer(text):
        line = reader.read(match.start(), len(match[1].expandtabs(_TAB)), match[2].rstrip())
        reader.end = match.end()
        if line:
            yield line
            reader.code_end = match.end()


@dataclass(slots=True)
class _Lead:
    """Comments and decorations right above a line; `open` brackets of a decoration."""

    start: int
    indent: int
    fresh: bool
    open: int = 0


class _Reader:
    """What the lines so far say about the next."""

    def __init__(self) -> None:
        self.end = -2  # of the last line that is not empty
        self.code_end = -2  # of the last line of code
        self._indent = 0  # of that line, one more when it closes something
        self._until = ""  # what ends the long comment or string that we are in
        self._lead: _Lead | None = None

    def read(self, start: int, indent: int, line: str) -> _Line | None:
        """The line where it is code, None for what stands beside the code: comments, decorations, brackets, long strings."""
        if self._until:
            self._until = _until(line, self._until)
            return None
        fresh = start > self.end + 1 or indent < self._indent
        lead, self._lead, self._indent = self._lead_above(start, indent), None, indent
        if _ASIDE.match(line):
            return None
        if (lead and lead.open > 0) or _COMMENT.match(line) or _DECORATION.match(line):
            self._extend(lead or _Lead(start, indent, fresh), line)
            return None
        if _CLOSING.match(line):
            self._indent = indent + 1
            return None
        self._until = _until(line)
        joined = start == self.code_end + 1
        if lead:
            start, fresh = lead.start, lead.fresh
        return None if _LONG_STRING.match(line) else _Line(start, indent, line[:_WIDTH_MAX], fresh, joined)

    def _lead_above(self, start: int, indent: int) -> _Lead | None:
        """What belongs to a line that begins here."""
        lead = self._lead
        if lead is None or start > self.end + 1:
            return None
        return lead if indent == lead.indent or (lead.open > 0 and indent > lead.indent) else None

    def _extend(self, lead: _Lead, line: str) -> None:
        self._lead = lead
        if line.startswith("/*") and "*/" not in line:
            self._until = "*/"
        elif lead.open or not _COMMENT.match(line):
            lead.open += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))


def _until(line: str, until: str = "") -> str:
    """What ends the long string or comment open at the end of a line, as `until` does at its beginning; empty for none."""
    at = 0
    while True:
        if until:
            at = line.find(until, at)
            if at < 0:
                return until
            at += len(until)
        if not any(quotes in line for quotes in _LONG_QUOTES):
            return ""
        opening = next((token for token in _STRING.finditer(line, at) if token[0] in _LONG_QUOTES), None)
        if opening is None:
            return ""
        at, until = opening.end(), opening[0]
