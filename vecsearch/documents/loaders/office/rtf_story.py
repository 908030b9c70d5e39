"""One stream of text in an RTF document: the body, a note, a header, a text box, a cell; its paragraphs and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.documents.loaders.document_builder import DocumentBuilder
from vecsearch.documents.loaders.table import format_table

_TABLE_DEPTH_MAX: Final = 20  # tables inside each other: what lies deeper is taken for as deep

FORMULA_PARTS: Final = {"mnum": "", "mden": "/", "msub": "_", "msup": "^", "md": ""}  # by control word: what stands in front


class RtfParagraph(NamedTuple):
    """What a paragraph is: `outline_level` 0 is that of the outermost headings, `table_depth` 0 outside of tables."""

    table_depth: int = 0
    outline_level: int | None = None
    is_title: bool = False


@dataclass(slots=True)
class _RtfTable:
    rows: list[list[str]] = field(default_factory=list)
    header_rows: int = 0  # the first ones, 0 where the file does not say
    cells: list[str] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)  # its paragraphs


@dataclass(slots=True, eq=False)
class Story:
    """The text as it comes. `kind` is the control word that begins it; `asides` are written after the paragraph or the table."""

    kind: str
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    asides: list[str] = field(default_factory=list)
    label: str = ""
    title: str | None = None
    _pieces: list[str] = field(default_factory=list)
    _tables: list[_RtfTable] = field(default_factory=list)
    _in_list: bool = False

    def add(self, text: str) -> None:
        """Add text to the paragraph."""
        self._pieces.append(text)

    def add_formula_part(self, kind: str, text: str) -> None:
        """Add one of FORMULA_PARTS to the paragraph, in brackets where it has parts of its own."""
        if kind == "md" or (len(text) > 1 and not text.isalnum()):
            text = f"({text})"
        is_other_number = kind == "mnum" and text[:1].isdigit() and "".join(self._pieces[-1:])[-1:].isdigit()
        self.add(FORMULA_PARTS[kind] + f"{' ' * is_other_number}{text}" if text else "")

    def end_paragraph(self, style: RtfParagraph) -> None:
        """End a paragraph, in a cell or outside of tables."""
        text, is_item = self._take_text()
        self._enter_table(style.table_depth)
        if self._tables:
            self._tables[-1].cell.append(text)
        else:
            self._write_paragraph(text, style, is_item=is_item)
            self._write_asides()

    def end_cell(self, depth: int) -> None:
        """End a cell of a table, 1 the outermost."""
        text, _ = self._take_text()
        self._enter_table(depth)
        table = self._tables[-1]
        table.cells.append(" ".join(" ".join((*table.cell, text)).split()))
        table.cell = []

    def end_row(self, depth: int, *, is_header: bool = False) -> None:
        """End a row of a table, 1 the outermost."""
        self._enter_table(depth)
        table = self._tables[-1]
        if is_header and table.header_rows == len(table.rows):
            table.header_rows += 1
        table.rows.append(table.cells)
        table.cells = []

    def finish(self) -> str:
        """End the last paragraph and return all the text."""
        self.end_paragraph(RtfParagraph())
        return self.builder.text

    def _take_text(self) -> tuple[str, bool]:
        """Return the words since the last end, those that Word put before a list's item in front, and whether it is one."""
        text, label = "".join(self._pieces), self.label
        self._pieces, self.label = [], ""
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return (f"{label} {text.lstrip()}" if label and text.strip() else text), bool(label)

    def _enter_table(self, depth: int) -> None:
        """Open the tables down to a depth, and close those below it: a table in a cell is a part of the cell's text."""
        depth = max(0, min(depth, _TABLE_DEPTH_MAX))
        while len(self._tables) < depth:
            self._tables.append(_RtfTable())
        while len(self._tables) > depth:
            table = self._tables.pop()
            text = format_table((*table.rows, [*table.cells, *table.cell]), table.header_rows or None)
            if self._tables:
                self._tables[-1].cell.append(text)
            else:
                self.builder.add_block(text)
                self._in_list = False
                self._write_asides()

    def _write_paragraph(self, text: str, style: RtfParagraph, *, is_item: bool) -> None:
        if not text.strip():
            return
        if style.is_title and self.title is None:
            self.title = " ".join(text.split())
        if style.outline_level is not None:
            self.builder.add_heading(style.outline_level + 1, text)
        elif is_item and self._in_list:
            self.builder.add_line(text)
        else:
            self.builder.add_block(text)
        self._in_list = is_item and style.outline_level is None

    def _write_asides(self) -> None:
        for text in filter(None, self.asides):
            self.builder.add_block(text)
            self._in_list = False
        self.asides = []
