"""What a terminal can show: its width in cells, colours, links. Wraps and shortens by cells: a Japanese character takes two."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_WIDTH_MIN: Final = 20
_PLAIN_TERMINALS: Final = frozenset(("dumb", "linux"))  # which print the address of a link
# characters between which a line may break: those of scripts without spaces, each with the marks that may not begin a line
_WIDE: Final = "\u2e80-\u2fff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003fffd"
_UNIT: Final = re.compile(
    rf"(?P<blank> +)|(?P<piece>[「『（【《〈]*[{_WIDE}][、。，．！？：；」』）】》〉ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ]*)"
    rf"|(?P<word>[^ {_WIDE}「『（【《〈]+|.)"
)
ELLIPSIS: Final = "…"


class Color(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Style(StrEnum):
    """Select Graphic Rendition codes, as ripgrep uses them."""

    PATH = "35"
    LINE = "32"
    MATCH = "1;31"
    BOLD = "1"
    DIM = "2"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What standard output leads to."""

    width: int = 80
    has_colors: bool = False
    has_links: bool = False

    @classmethod
    def detect(cls, color: Color = Color.AUTO) -> Terminal:
        """Look at standard output and at the environment: NO_COLOR, TERM, COLUMNS."""
        is_plain = os.environ.get("TERM") in _PLAIN_TERMINALS
        is_terminal = sys.stdout.isatty()
        may_color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        width = max(_WIDTH_MIN, shutil.get_terminal_size().columns)
        has_links = is_terminal and not is_plain and color is not Color.NEVER
        return cls(width, color is Color.ALWAYS or (color is Color.AUTO and may_color), has_links)

    def style(self, text: str, style: str) -> str:
        """Return a text in a style, as it is where there are no colours."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.has_colors and text else text

    def link(self, text: str, uri: str | None) -> str:
        """Return a text that leads to an address (OSC 8), as it is where there are no links."""
        return f"\x1b]8;;{uri}\x1b\\{text}\x1b]8;;\x1b\\" if self.has_links and uri else text


def measure_cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrap_cells(text: str, width: int) -> Iterator[slice]:
    """Yield the parts of a text, whose white space is single blanks, that fill a line each; only longer words are cut."""
    start = end = used = 0
    blanks = 0
    for unit in _UNIT.finditer(text):
        if unit["blank"]:
            blanks = len(unit[0])
            continue
        cells = measure_cells(unit[0])
        if used and used + blanks + cells > width:
            yield slice(start, end)
            start, used, blanks = unit.start(), 0, 0
        elif not used:
            start, blanks = unit.start(), 0
        at = unit.start()
        while cells > width:
            cut = at + max(1, len(cut_cells(text[at : unit.end()], width)))
            yield slice(at, cut)
            start = at = cut
            cells = measure_cells(text[at : unit.end()])
        used, end, blanks = used + blanks + cells, unit.end(), 0
    if used:
        yield slice(start, end)


def wrap_indented(text: str, width: int, indent: int) -> Iterator[str]:
    """Yield the lines of a text within a width, indented, the second and further ones by two cells more."""
    for number, part in enumerate(wrap_cells(text, width - indent - 2)):
        yield " " * (indent if number == 0 else indent + 2) + text[part]


def cut_cells(text: str, width: int) -> str:
    """Return the beginning of a text that takes at most so many cells."""
    if text.isascii():
        return text[:width]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure_cells(text[:middle]) <= width else (low, middle - 1)
    return text[:low]


def shorten_end(text: str, width: int) -> str:
    """Return a text that takes at most so many cells, with … after its last whole word where it is cut."""
    if measure_cells(text) <= width:
        return text
    if width < 1:
        return ""
    cut = cut_cells(text, width - 1)
    whole = cut if text[len(cut) : len(cut) + 1] == " " else cut.rpartition(" ")[0]
    return (whole if len(whole) * 2 > len(cut) else cut).rstrip() + ELLIPSIS


def shorten_middle(text: str, width: int) -> str:
    """Return a path that takes at most so many cells, with … in its middle: most of its end stays."""
    if measure_cells(text) <= width:
        return text
    if width < 3:
        return cut_cells(text, width)
    head = cut_cells(text, (width - 1) // 3)
    tail = cut_cells(text[::-1], width - 1 - measure_cells(head))[::-1]
    return head + ELLIPSIS + tail
