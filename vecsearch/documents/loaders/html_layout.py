"""A page's elements, entered and left in order, to words as a reader sees them, and to where its headings and tables lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import Final

from selectolax.lexbor import LexborNode

from vecsearch.documents.loaders.headings import Heading, Table
from vecsearch.documents.loaders.html_marks import LIST_TAGS, ListNumbers, SymbolFonts
from vecsearch.documents.loaders.table_header import is_key_value


def split_tags(names: str) -> frozenset[str]:
    """Split the names of several tags."""
    return frozenset(names.split())


_PARAGRAPHS: Final = split_tags(
    "p div section article header footer main aside h1 h2 h3 h4 h5 h6 ul ol dl menu dir table pre blockquote figure form "
    "fieldset address hr details dialog center body hgroup search listing xmp frameset"
)
_LINES: Final = split_tags("li dt dd tr br caption legend figcaption summary option optgroup thead tbody tfoot")
_CELLS: Final = split_tags("td th")
_PRE: Final = split_tags("pre listing xmp textarea")
_LINKS: Final = split_tags("a button")
_HEADINGS: Final = split_tags("h1 h2 h3 h4 h5 h6")
_DRAWN_LINES: Final = split_tags("text title desc")  # of a drawing

# What may stand between two words; where several meet, the widest counts.
_NO_GAP, _SPACE, _CELL, _KEY, _LINE, _PARAGRAPH = range(6)
_GAPS: Final = ("", " ", " | ", ": ", "\n", "\n\n")
_KEY_END: Final = (":", "：")
_KEY_ROWS_MAX: Final = 100  # a longer table is no list of keys and their values


class Layout:
    """The text so far, and the gap that the next word is due."""

    def __init__(self, fonts: SymbolFonts | None = None) -> None:
        self._words = _WordBuffer()
        self._fonts = fonts
        self._numbers = ListNumbers()
        self._structure = _StructureTracker(self._words)
        self._nesting = {"cell": 0, "item": 0, "pre": 0, "drawing": 0}
        self._is_drawing_worded = False  # the outermost open one; one without words is an icon in its line
        self._cells: list[bool] = []  # of the open ones, whether each is a value in a row

    @property
    def full_text(self) -> str:
        """Return all the words."""
        return "".join(self._words.parts).rstrip()

    @property
    def is_in_drawing(self) -> bool:
        """Return whether an SVG drawing is open."""
        return self._nesting["drawing"] > 0

    def find_headings_and_tables(self) -> tuple[list[Heading], list[Table]]:
        """Return the headings, and the tables that have a header, on the characters of the text."""
        return self._structure.compute_positions()

    def enter(self, node: LexborNode, tag: str) -> None:
        """Enter an element."""
        if tag in _CELLS:
            self._cells.append(_is_grid_cell(node, tag))
        elif tag == "svg" and not self._nesting["drawing"]:
            self._is_drawing_worded = node.css_first("text, foreignObject") is not None
        self._widen(tag)
        if tag in LIST_TAGS:
            self._numbers.enter(node, tag)
        if self._fonts:
            self._fonts.enter(node)
        if tag == "td" and self._cells[-1] and not self._structure.has_header and _is_value_of_key(node):
            self._words.widen(_KEY)
        elif tag == "tspan" and _is_moved(node):
            self._words.widen(_SPACE)
        elif tag == "img":
            self._words.add(self._numbers.add_label(f" {node.attributes.get('alt') or ''} "))
        self._structure.enter(tag)
        self._count(tag, 1)

    def leave(self, node: LexborNode, tag: str) -> None:
        """Leave an element."""
        self._count(tag, -1)
        self._widen(tag)
        if tag in LIST_TAGS:
            self._numbers.leave(tag)
        if self._fonts:
            self._fonts.leave()
        self._structure.leave(node, tag)
        if tag in _CELLS:
            self._cells.pop()
        if tag in _PRE:
            self._words.end_lines()
        elif tag in _LINKS and node.next is not None and node.next.tag in _LINKS:
            self._words.widen(_SPACE)  # a style sheet keeps the entries of a menu apart

    def add_text(self, text: str) -> None:
        """Add text, white space as in the source."""
        text = text.replace("\xad", "")  # a hyphen that only shows where a line breaks
        if self._fonts:
            text = self._fonts.decode(text)
        if self._numbers.label:
            text = self._numbers.add_label(text)
        if self._nesting["pre"] and not self._nesting["cell"]:
            self._words.add_as_is(text)
        else:
            self._words.add(text)

    def _widen(self, tag: str) -> None:
        """Widen the gap to a block's, kept within the line of a table cell and, but for line breaks, of a list item."""
        gap = _PARAGRAPH if tag in _PARAGRAPHS else _LINE if tag in _LINES else _NO_GAP
        if tag == "svg" or (tag in _DRAWN_LINES and self._nesting["drawing"]):
            gap = _SPACE if not self._is_drawing_worded else _PARAGRAPH if tag == "svg" else _LINE
        elif tag in _CELLS:
            gap = _CELL if self._cells[-1] else _PARAGRAPH
        if gap > _KEY and self._nesting["cell"]:
            gap = _SPACE
        elif gap > _LINE and self._nesting["item"]:
            gap = _LINE
        self._words.widen(gap)

    def _count(self, tag: str, step: int) -> None:
        if tag in _CELLS and self._cells[-1]:
            self._nesting["cell"] += step
        elif tag == "li":
            self._nesting["item"] += step
        elif tag in _PRE:
            self._nesting["pre"] += step
        elif tag == "svg":
            self._nesting["drawing"] += step


class _WordBuffer:
    """The text in parts, each after its gap."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.gaps: list[int] = []  # characters of a part before its first word
        self._gap = _NO_GAP

    def widen(self, gap: int) -> None:
        self._gap = max(self._gap, gap)

    def add(self, text: str) -> None:
        """Add text with its white space collapsed; a gap like a word's stands for white space at an end."""
        if text[:1].isspace():
            self.widen(_SPACE)
        if words := " ".join(text.split()):
            self._append(words)
            if text[-1].isspace():
                self._gap = _SPACE

    def add_as_is(self, text: str) -> None:
        self._append(text.lstrip("\n") if self._gap >= _LINE else text)

    def end_lines(self) -> None:
        """Drop the empty lines at the end: the gap that follows says it."""
        while self.parts and not self.parts[-1].strip("\n"):
            self.parts.pop()
            self.gaps.pop()
        if self.parts:
            self.parts[-1] = self.parts[-1].rstrip("\n")

    def find_end(self, start: int) -> int:
        """Return the number of parts, those without a word at the end not counted, at least `start`."""
        end = len(self.parts)
        while end > start and not self.parts[end - 1].strip():
            end -= 1
        return end

    def join_parts(self, start: int, end: int) -> str:
        """Return the text of some parts, at least one."""
        return self.parts[start][self.gaps[start] :] + "".join(self.parts[start + 1 : end])

    def replace_cell_gap(self, start: int) -> None:
        """Put the gap behind a key before a part that follows it as a cell."""
        if self.gaps[start] == len(_GAPS[_CELL]):
            self.parts[start] = _GAPS[_KEY] + self.parts[start][self.gaps[start] :]
            self.gaps[start] = len(_GAPS[_KEY])

    def _append(self, text: str) -> None:
        if text:
            gap = _GAPS[self._gap] if self.parts else ""
            if self._gap in (_CELL, _KEY) and self.parts and self.parts[-1].endswith(_KEY_END):
                gap = " "
            self.parts.append(gap + text)
            self.gaps.append(len(gap))
            self._gap = _NO_GAP


@dataclass(slots=True)
class _OpenTable:
    """A table being read; one with a table inside it is a piece of layout."""

    header: list[str] = field(default_factory=list)
    body_start: int | None = None
    row_start: int = 0
    cell_start: int = 0
    cell_tags: set[str] = field(default_factory=set)
    rows: list[list[tuple[int, int]]] = field(default_factory=list)  # the parts of each cell, of the first rows
    is_layout: bool = False


class _StructureTracker:
    """Headings and tables, by the parts that hold them."""

    def __init__(self, words: _WordBuffer) -> None:
        self._words = words
        self._headings: list[tuple[int, int, int, str]] = []
        self._tables: list[tuple[int, int, str]] = []
        self._open_headings: list[int] = []
        self._open_tables: list[_OpenTable] = []

    def enter(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._open_headings.append(len(self._words.parts))
        elif tag == "table":
            if self._open_tables:
                self._open_tables[-1].is_layout = True
            self._open_tables.append(_OpenTable())
        elif self._open_tables and tag == "tr":
            grid = self._open_tables[-1]
            grid.row_start, grid.cell_tags = len(self._words.parts), set()
            if len(grid.rows) <= _KEY_ROWS_MAX:
                grid.rows.append([])
        elif self._open_tables and tag in _CELLS:
            self._open_tables[-1].cell_tags.add(tag)
            self._open_tables[-1].cell_start = len(self._words.parts)

    def leave(self, node: LexborNode, tag: str) -> None:
        if tag in _HEADINGS:
            self._end_heading(self._open_headings.pop(), int(tag[1]))
        elif tag == "table":
            self._end_table(self._open_tables.pop())
        elif tag in _CELLS and self._open_tables and (rows := self._open_tables[-1].rows):
            start = self._open_tables[-1].cell_start
            rows[-1].append((start, self._words.find_end(start)))
        elif tag == "tr" and self._open_tables:
            self._end_row(self._open_tables[-1], in_head=node.parent is not None and node.parent.tag == "thead")

    @property
    def has_header(self) -> bool:
        """Return whether the table that is open has rows above the others that name its columns."""
        return bool(self._open_tables and self._open_tables[-1].header)

    def compute_positions(self) -> tuple[list[Heading], list[Table]]:
        """Convert a place from parts to characters."""
        before = list(accumulate(map(len, self._words.parts), initial=0))
        starts = [at + gap for at, gap in zip(before, self._words.gaps, strict=False)]
        headings = [Heading(starts[start], before[end], level, text) for start, end, level, text in self._headings]
        return headings, [Table(starts[start], before[end], header) for start, end, header in self._tables]

    def _end_heading(self, start: int, level: int) -> None:
        end = self._words.find_end(start)
        if end > start and not self._open_headings:  # the outer one of two counts
            self._headings.append((start, end, level, _strip_anchor(self._words.join_parts(start, end))))

    def _end_row(self, grid: _OpenTable, *, in_head: bool) -> None:
        if grid.is_layout or grid.body_start is not None or (end := self._words.find_end(grid.row_start)) == grid.row_start:
            return
        if in_head or grid.cell_tags == {"th"}:
            grid.header.append(self._words.join_parts(grid.row_start, end))
        else:
            grid.body_start = grid.row_start

    def _end_table(self, grid: _OpenTable) -> None:
        if grid.header and grid.body_start is not None and not grid.is_layout:
            self._tables.append((grid.body_start, self._words.find_end(grid.body_start), "\n".join(grid.header)))
        elif not grid.header and not grid.is_layout and len(grid.rows) <= _KEY_ROWS_MAX:
            self._join_keys([row for row in grid.rows if row])

    def _join_keys(self, rows: list[list[tuple[int, int]]]) -> None:
        """Put a colon between keys and values where two columns of a table are that."""
        if all(len(row) == 2 and all(start < end for start, end in row) for row in rows) and is_key_value(
            [[self._words.join_parts(start, end) for start, end in row] for row in rows]
        ):
            for _, (start, _) in rows:
                self._words.replace_cell_gap(start)


def _strip_anchor(heading: str) -> str:
    """Return a heading on one line, without the sign that a page links to itself by."""
    return " ".join(heading.replace("\u200b", "").split()).rstrip("¶ ") or heading.strip()


def _is_moved(span: LexborNode) -> bool:
    """Return whether a stretch of a drawing's text begins at a place of its own; one on the line before is only kerned."""
    attributes, before = span.attributes, span.prev
    if "x" not in attributes or before is None:
        return False
    is_lower = (attributes.get("dy") or "0").strip() not in ("0", "0em", "0px")
    on_line = "y" in attributes and before.is_element_node and before.attributes.get("y") == attributes["y"]
    return is_lower or not on_line


def _is_grid_cell(cell: LexborNode, tag: str) -> bool:
    """Return whether a cell is one value in a row.

    With a table in it, headings, or alone with paragraphs it is a piece of layout.
    """
    if cell.css_first("table") is not None:  # asked first: what has no table in it is searched once only, however deep it lies
        return False
    layout = "h1, h2, h3, h4, h5, h6" + ", p, div, ul, ol, pre" * _is_only_element(cell)
    return tag == "th" or cell.css_first(layout) is None


def _is_value_of_key(cell: LexborNode) -> bool:
    """Return whether a cell stands behind one that names its row, and they are the only two."""
    row = cell.parent
    cells = [child.tag for child in islice(row.iter(), 3)] if row is not None else []
    return cells == ["th", "td"]


def _is_only_element(cell: LexborNode) -> bool:
    """Return whether it is the only element in its row."""
    row = cell.parent
    return row is not None and len(list(islice(row.iter(), 2))) == 1
