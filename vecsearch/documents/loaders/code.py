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

from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_LEVELS_MAX: Final = 4  # enclosing lines told, the outermost
_WIDTH_MAX: Final = 120  # characters of each
_TAB: Final = 4  # columns
_SECTIONS_MAX: Final = 200_000  # a file with more is data in the form of code, and has no scopes
_WHOLE_FILE: Final = Section(0, {"lines": 1})

_LINE: Final = re.compile(r"^([^\S\n]*)(\S.*)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"//|--|;[;\s]|%|<!--|#(?![\w-]+[^{]*\{)|/\*(?:.*\*/$|(?!.*\*/))")
_DECORATION: Final = re.compile(r"@\w(?!.*[\w)]\s?\{$)|\[.*\]$")
_MARGIN_LINE: Final = re.compile(  # lines that stand at the margin whatever they are in: a preprocessor's, and labels of access
    r"#(?:if|ifdef|ifndef|else|elif|endif|define|undef|include|import|pragma|error|warning|line|region|endregion)\b"
    r"|(?:public|private|protected|internal|published|signals)(?:\s\w+)?\s*:$"
)
_CLOSING_LINE: Final = re.compile(r"[)\]]|\}(?!.*[{:]$)|[^\w\"'@#]+$|(?i:(?:end\w*|fi|done|esac|begin)\b[\w \t.]*;?$)")
_CONTROL: Final = re.compile(
    r"\}|(?:if|elif|else|elsif|for|foreach|while|until|unless|do|loop|repeat|switch|case|match|when|select|default|try|except|"
    r"catch|rescue|ensure|finally|with|using|return|yield|await|throw|raise|assert|print)\b"
)
_PARTIAL_HEAD: Final = re.compile(r"[\w\s*&:<>,]+$")  # of a head in two lines: a type alone
_LONG_QUOTES: Final = ('"""', "'''")
_LONG_STRING: Final = re.compile(r"""[A-Za-z]{0,2}(?:\"{3}|'{3})""")
_STRING: Final = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|#.*""")


class _CodeLine(NamedTuple):
    """A line of code. `start` is the place of the comments and decorations right above it, where there are any.

    `fresh`: an empty line or the end of something deeper is before it; `joined`: a line of code is.
    """

    start: int
    indent: int
    text: str
    fresh: bool
    adjacent: bool


def load_code(raw: RawFile) -> Iterator[LoaderItem]:
    """Return the text unchanged, its sections by scope.

    Definitions are the places to cut: of the top level first, then those inside.
    """
    text = decode(raw.data)
    sections = list(islice(_find_sections(text), _SECTIONS_MAX + 1))
    return emit_document(raw, text, sections=sections if len(sections) <= _SECTIONS_MAX else [_WHOLE_FILE])


def _find_sections(text: str) -> Iterator[Section]:
    """Yield a section where the enclosing lines change or a definition begins."""
    pending = _WHOLE_FILE
    last, number = 0, 1
    for start, context, level in _find_scopes(text):
        if level is None and context == pending.context:
            continue
        if start > pending.start:
            yield pending
        number, last = number + text.count("\n", last, start), start
        pending = Section(start, {"lines": number}, context, split_priority=level)
    yield pending


def _find_scopes(text: str) -> Iterator[tuple[int, str, int | None]]:
    """Yield for each line of code where it begins, the lines around it, and how good a place to cut it is."""
    around: list[_CodeLine] = []
    half: _CodeLine | None = None
    end = _CodeLine(len(text), 0, "", True, False)
    for following_line, following in pairwise(chain(_read_lines(text), [end])):
        line = following_line
        if half and following_line.adjacent and following_line.indent == half.indent:
            line = following_line._replace(start=half.start, fresh=True)
        half = line if line.fresh and _PARTIAL_HEAD.match(line.text) else None
        while around and around[-1].indent >= line.indent:
            around.pop()
        opens = line.fresh and following.indent > line.indent
        level = len(around) + 1 if opens and len(around) < 2 and not (around and _CONTROL.match(line.text)) else None
        yield line.start, "\n".join(above.text for above in around[:_LEVELS_MAX]), level
        around.append(line)


def _read_lines(text: str) -> Iterator[_CodeLine]:
    """Yield the lines that can enclose others, or be enclosed."""
    reader = _LineClassifier()
    for match in _LINE.finditer(text):
        line = reader.read(match.start(), len(match[1].expandtabs(_TAB)), match[2].rstrip())
        reader.end = match.end()
        if line:
            yield line
            reader.code_end = match.end()


@dataclass(slots=True)
class _LeadingLines:
    """Comments and decorations right above a line; `open_brackets` of a decoration."""

    start: int
    indent: int
    fresh: bool
    open_brackets: int = 0


class _LineClassifier:
    """What the lines so far say about the next."""

    def __init__(self) -> None:
        self.end = -2  # of the last line that is not empty
        self.code_end = -2  # of the last line of code
        self._indent = 0  # of that line, one more when it closes something
        self._terminator = ""  # what ends the long comment or string that we are in
        self._lead: _LeadingLines | None = None

    def read(self, start: int, indent: int, line: str) -> _CodeLine | None:
        """Return the line where it is code, None for comments, decorations, brackets and long strings."""
        if self._terminator:
            self._terminator = _find_terminator(line, self._terminator)
            return None
        fresh = start > self.end + 1 or indent < self._indent
        lead, self._lead, self._indent = self._find_lead(start, indent), None, indent
        if _MARGIN_LINE.match(line):
            return None
        if (lead and lead.open_brackets > 0) or _COMMENT.match(line) or _DECORATION.match(line):
            self._extend(lead or _LeadingLines(start, indent, fresh), line)
            return None
        if _CLOSING_LINE.match(line):
            self._indent = indent + 1
            return None
        self._terminator = _find_terminator(line)
        joined = start == self.code_end + 1
        if lead:
            start, fresh = lead.start, lead.fresh
        return None if _LONG_STRING.match(line) else _CodeLine(start, indent, line[:_WIDTH_MAX], fresh, joined)

    def _find_lead(self, start: int, indent: int) -> _LeadingLines | None:
        """Return what belongs to a line that begins here."""
        lead = self._lead
        if lead is None or start > self.end + 1:
            return None
        return lead if indent == lead.indent or (lead.open_brackets > 0 and indent > lead.indent) else None

    def _extend(self, lead: _LeadingLines, line: str) -> None:
        self._lead = lead
        if line.startswith("/*") and "*/" not in line:
            self._terminator = "*/"
        elif lead.open_brackets or not _COMMENT.match(line):
            lead.open_brackets += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))


def _find_terminator(line: str, terminator: str = "") -> str:
    """Return what ends the string or comment open at the end of a line, as `terminator` did at its beginning; or nothing."""
    at, has_quotes = 0, any(quotes in line for quotes in _LONG_QUOTES)
    while True:
        if terminator:
            at = line.find(terminator, at)
            if at < 0:
                return terminator
            at += len(terminator)
        if not has_quotes:
            return ""
        opening = next((token for token in _STRING.finditer(line, at) if token[0] in _LONG_QUOTES), None)
        if opening is None:
            return ""
        at, terminator = opening.end(), opening[0]
