"""Where the sentences of a text lie, in any language: exact character offsets from one regular expression and a short rule.

A full stop ends a sentence where white space follows and what comes next does not begin in lower case, unless an abbreviation,
an initial or an ordinal stands before it. In doubt two sentences stay one. A line break ends one only where the lines say so:
a blank line, a heading, a list item, a table's row, a line of code. Knows no language and loads no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vecsearch.core.types import Span

_CLOSING_MARKS: Final = r"(?:[\"'”’“‘»«›‹)\]}」』）】》〉*_`]|\[\d{1,3}\])*+"
# a run of marks is one stop, spaced or not; each match takes all that it has tried, so the time stays linear
_STOP: Final = re.compile(
    rf"(?P<wide>[。！？｡।॥።။។]++{_CLOSING_MARKS})|[.!?…؟۔]++{_CLOSING_MARKS}(?:[ ]{{1,2}}[.!?…]++{_CLOSING_MARKS})*+"
)
_NEXT_LETTER: Final = re.compile(r"\s*+[^\w\s]*+(\w?)")
_SENTENCE_END: Final = re.compile(rf"[.!?…؟۔:。！？｡।॥።။።]{_CLOSING_MARKS}\s*\Z")
_LINE: Final = re.compile(r"[^\n\f\u2029]*+[\n\f\u2029]?")
_ITEM: Final = re.compile(r"[^\S\n]*+(?:[-*+•‣◦▪–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z]\)|>)\s")
_STANDALONE_LINE: Final = re.compile(r"[^\S\n]*+(?:#{1,6}\s|[|]|```|~~~)")
_CODE_LINE_ENDS: Final = ("{", "}", ";")
_INDENT: Final = re.compile(r"(?: {4}|\t)")
_CONTINUATION_MARKS: Final = ("-", ",", "–", "(", "/")

# before these a sentence does not end, whatever follows
_ABBREVIATIONS: Final = frozenset(
    "dr drs mr mrs ms prof st sr sra jr hon rev gen col lt capt sgt gov sen rep pres hr hrn fr mme mlle sig ing dipl "
    "vs cf viz ca approx bzw ggf vgl inkl exkl evtl sog bspw resp hrsg geb gest mio mrd ed eds transl".split()
)
_NUMBER_ABBREVIATIONS: Final = frozenset(  # before these it does not where a number follows
    "fig figs abb nr no nos núm num vol vols p pp s sec sect ch chap kap art abs bd tab tbl eq eqs ref refs al anm teil max min "
    "jan feb mar mär apr jun jul aug sep sept oct okt nov dec dez".split()
)
_ORDINAL_PREFIXES: Final = frozenset("am vom zum beim im ins der die das dem den des bis ab seit und".split())
_CLOCK: Final = frozenset(("a.m", "p.m"))


def split_sentences(text: str) -> list[Span]:
    """The sentences of a text, ascending, without the white space around them; all else lies in exactly one of them.

    A heading, a list item, a row and a line of code are sentences, too. None where the text is white space.
    """
    cased = text != text.lower()  # else small letters at the beginning of a sentence say nothing
    return [span for block in _split_blocks(text) for span in _split_block(text, block, cased)]


def has_sentence_end(text: str) -> bool:
    """Whether a text closes with the end of a sentence: a full stop, a question mark … or the colon before a list."""
    return _SENTENCE_END.search(text[-20:]) is not None


def _split_blocks(text: str) -> Iterator[Span]:
    """What no sentence runs across: paragraphs, headings, list items, rows, lines of code."""
    start, item, before = 0, False, ""
    for match in _LINE.finditer(text):
        line = match[0]
        if match.start() > start and _is_block_start(before, line, item):
            yield Span(start, match.start())
            start = match.start()
        if start == match.start():
            item = _ITEM.match(line) is not None
        before = line
    yield Span(start, len(text))


def _is_block_start(previous_line: str, line: str, in_list_item: bool) -> bool:
    """Whether a line begins something new; `item`: the line before belongs to a list item, whose lines may be indented."""
    shown, following = previous_line.strip(), line.strip()
    if not (shown and following) or previous_line.endswith(("\f", "\u2029")):
        return True
    if (
        _ITEM.match(line)
        or _STANDALONE_LINE.match(previous_line)
        or _STANDALONE_LINE.match(line)
        or shown.endswith(_CODE_LINE_ENDS)
        or following.endswith(_CODE_LINE_ENDS)
    ):
        return True
    if _INDENT.match(line) and not in_list_item:
        return True
    # a wrapped line would have taken more of what follows
    return len(shown) * 2 < len(following) and not following[0].islower() and not shown.endswith(_CONTINUATION_MARKS)


def _split_block(text: str, block: Span, has_case: bool) -> Iterator[Span]:
    start = block.start
    for match in _STOP.finditer(text, block.start, block.end):
        if _is_sentence_boundary(text, start, match, has_case):
            yield from _trim_span(text, start, match.end())
            start = match.end()
    yield from _trim_span(text, start, block.end)


def _trim_span(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if inner := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield Span(start, start + len(inner))


def _is_sentence_boundary(text: str, start: int, match: re.Match[str], has_case: bool) -> bool:
    """Whether the sentence that began at `start` ends with a stop."""
    follower = text[match.end() : match.end() + 1]
    if match["wide"]:  # a closing bracket with a particle behind it: the sentence goes on around the quotation
        return match["wide"][-1] in "。！？｡।॥።။។" or not "\u3040" <= follower <= "\u309f"
    if follower and not follower.isspace():
        return match[0][0] in "!?" and "\u3040" <= follower <= "\u9fff"  # between Chinese or Japanese
    found = _NEXT_LETTER.match(text, match.end())
    letter = found[1] if found else ""
    if has_case and letter.islower():
        return False
    return match[0].rstrip("*_`") != "." or not _is_abbreviation(text[max(start, match.start() - 40) : match.start()], letter)


def _is_abbreviation(preceding_text: str, next_letter: str) -> bool:
    """Whether a full stop belongs to the word before it: Dr. e.g. J. 3. Nr.; `letter` begins what follows."""
    words = preceding_text.split()
    if not words or preceding_text[-1].isspace():
        return False
    written = words[-1].lstrip("(['\"„“‚‘«»*_")
    word = written.casefold()
    previous = words[-2].casefold() if len(words) > 1 else ""
    if word.isdecimal():  # 1. at the beginning of an item, or a German ordinal
        return len(word) < 3 and (len(words) == 1 or previous in _ORDINAL_PREFIXES)
    if len(word) == 1:
        return word.isalpha() and (word in "nv" or not previous[-1:].isdigit())  # 20 n. Chr., but: 20 m.
    if "." in word:
        return word not in _CLOCK and all(len(part) < 3 and part.isalpha() for part in word.split("."))
    return not written.isupper() and (word in _ABBREVIATIONS or (word in _NUMBER_ABBREVIATIONS and next_letter.isdigit()))
