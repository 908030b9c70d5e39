"""A Word document: its text in reading order, under its headings. Text boxes, notes, comments and charts follow their paragraph.

Tables are a line a row. Headers and footers stand at the end, once each. What was deleted with changes tracked is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.office.charts import extract_drawing_text, extract_paragraph_text
from vecsearch.documents.loaders.office.core_properties import read_core_properties
from vecsearch.documents.loaders.office.formula import format_formula
from vecsearch.documents.loaders.office.numbering import ListNumbering, read_numbering
from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    choose_alternative,
    find_child,
    get_attribute,
    get_local_name,
    open_package,
)
from vecsearch.documents.loaders.office.styles import ParagraphStyle, ParagraphStyles, read_styles
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_table

_SKIPPED_TAGS: Final = frozenset(
    [
        "del",
        "moveFrom",
        "instrText",
        "delText",
        "delInstrText",
        "pPr",
        "rPr",
        "sdtPr",
        "sdtEndPr",
        "rubyPr",
        "rt",
        "fldChar",
        "proofErr",
        "sectPr",
        "tblPr",
        "tblGrid",
        "trPr",
        "tcPr",
    ]
)
_SPACE_TAGS: Final = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTE_KINDS: Final = ("footnote", "endnote", "comment")
_LAYOUT_CELL_CHARS: Final = 1_500  # characters in a cell: a table with such a one lays a page out


def load_docx(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .docx, .docm, .dotx or .dotm file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    document = open_package(raw, "a Word document")
    main = next(iter(document.find_related("", "/officeDocument").values()), "word/document.xml")
    if (root := document.parse_part(main)) is None:
        raise UnreadableFileError("a Word document is damaged: it has no text part")
    title, metadata = read_core_properties(document)
    story = _create_writer(document, main)
    story.write_blocks(find_child(root, "body") if get_local_name(root) == "document" else root)
    story.write_margins(main)
    yield from finish_document(
        raw,
        story.builder,
        title or story.title or story.builder.first_heading,
        metadata,
        document.problems,
        empty_message="no text in it: pictures, perhaps",
    )


def _create_writer(document: Package, main: str) -> _DocxWriter:
    """Create the writer of a document: its styles, lists and notes are read."""
    parts = document.find_related(main)
    notes = {}
    for kind in _NOTE_KINDS:
        for part in document.find_related(main, f"/{kind}s").values():
            root = document.parse_part(part)
            for note in root if root is not None else ():
                if get_attribute(note, "type") not in ("separator", "continuationSeparator", "continuationNotice"):
                    notes[kind, get_attribute(note, "id")] = note
    by_kind = {kind: next(iter(document.find_related(main, f"/{kind}").values()), "") for kind in ("styles", "numbering")}
    return _DocxWriter(
        document,
        parts,
        notes,
        read_styles(document.parse_part(by_kind["styles"])),
        read_numbering(document.parse_part(by_kind["numbering"])),
    )


@dataclass(slots=True)
class _DocxWriter:
    package: Package
    parts: dict[str, str]
    notes: dict[tuple[str, str], XmlElement]
    styles: ParagraphStyles
    numbering: ListNumbering
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    title: str | None = None
    _floating: list[XmlElement] = field(default_factory=list)  # met in a paragraph, written after it
    _in_list: bool = False

    # -- blocks

    def write_blocks(self, element: XmlElement | None) -> None:
        """Write everything in the body, a cell, a text box, a note."""
        for block in element if element is not None else ():
            match get_local_name(block):
                case "p":
                    self._write_paragraph(block)
                case "tbl":
                    self._write_table(block)
                case "AlternateContent":
                    self.write_blocks(choose_alternative(block))
                case name if name not in _SKIPPED_TAGS:
                    self.write_blocks(block)

    def write_margins(self, main: str) -> None:
        """Write headers and footers, each different one once, page numbers alone left out."""
        seen = set()
        for kind in ("header", "footer"):
            for part in self.package.find_related(main, f"/{kind}").values():
                self.parts = self.package.find_related(part)
                with self._redirect_output() as outline:
                    self.write_blocks(self.package.parse_part(part))
                if outline.text not in seen and any(map(str.isalpha, outline.text)):
                    seen.add(outline.text)
                    self.builder.add_block(outline.text)

    def _write_paragraph(self, element: XmlElement) -> None:
        properties = find_child(element, "pPr")
        style = self.styles.resolve(properties)
        text = self._extract_inline_text(element).strip("\n")
        label = self._format_label(properties, style) if text.strip() else ""
        listed = bool(style.number or find_child(properties, "numPr") is not None)
        if style.is_title and self.title is None:
            self.title = " ".join(text.split()) or None
        if label:
            text = f"{label} {text.lstrip()}"
        if style.outline_level is not None:
            self.builder.add_heading(style.outline_level + 1, text)
        elif listed and self._in_list:
            self.builder.add_line(text)
        else:
            self.builder.add_block(text)
        if text.strip():
            self._in_list = listed and style.outline_level is None
        self._write_floating()

    def _format_label(self, properties: XmlElement | None, style: ParagraphStyle) -> str:
        own = find_child(properties, "numPr")
        number = get_attribute(find_child(own, "numId"), "val") or style.number
        if not number or number == "0":
            return ""
        level = get_attribute(find_child(own, "ilvl"), "val") or style.level
        depth = int(level) if level in list("012345678") else self.numbering.find_level(number, style.id)
        return self.numbering.format_next_label(number, depth)

    def _write_table(self, element: XmlElement) -> None:
        rows = [list(_iter_cells(row)) for row in _iter_children(element, "tr")]
        self._in_list = False
        if all(len(row) == 1 for row in rows) or any(map(self._is_layout_cell, (cell for row in rows for cell in row))):
            for cell in (cell for row in rows for cell in row):
                self.write_blocks(cell)
                self._in_list = False
            return
        self.builder.add_block(format_table(self._read_rows(rows)))

    def _read_rows(self, rows: list[list[XmlElement]]) -> Iterator[list[str]]:
        """Yield the texts of the cells; what spans several rows stands in each, what spans columns in the first."""
        above: list[str] = []
        for row in rows:
            texts: list[str] = []
            for cell in row:
                merged = find_child(cell, "tcPr", "vMerge")
                column = len(texts)
                if merged is not None and get_attribute(merged, "val") != "restart" and column < len(above):
                    texts.append(above[column])
                else:
                    with self._redirect_output() as outline:
                        self.write_blocks(cell)
                    texts.append(" ".join(outline.text.split()))
                span = get_attribute(find_child(cell, "tcPr", "gridSpan"), "val")
                texts.extend([""] * (min(int(span), 64) - 1 if span.isdecimal() and len(span) < 4 else 0))
            above = texts
            yield texts

    def _is_layout_cell(self, cell: XmlElement) -> bool:
        """Return whether a cell is no value but a part of the page's layout."""
        texts = sum(len(child.text or "") for child in cell.iter() if get_local_name(child) == "t")
        return texts > _LAYOUT_CELL_CHARS or any(
            self.styles.resolve(find_child(child, "pPr")).outline_level is not None
            for child in cell
            if get_local_name(child) == "p"
        )

    # -- inside a paragraph

    def _extract_inline_text(self, element: XmlElement) -> str:
        return "".join(map(self._extract_piece, element))

    def _extract_piece(self, element: XmlElement) -> str:
        match get_local_name(element):
            case "t":
                return element.text or ""
            case "drawing" | "pict" | "object":
                self._floating.append(element)
            case "oMath" | "oMathPara":
                return f"{format_formula(element)} "
            case "AlternateContent":
                return self._extract_inline_text(choose_alternative(element))
            case name if name.endswith("Reference"):
                note = self.notes.pop((name.removesuffix("Reference"), get_attribute(element, "id")), None)
                self._floating.extend([note] if note is not None else [])
            case name if name not in _SKIPPED_TAGS:
                return _SPACE_TAGS.get(name) or self._extract_inline_text(element)
        return ""

    # -- beside a paragraph

    def _write_floating(self) -> None:
        """Write what floats beside the last paragraph."""
        waiting, self._floating = self._floating, []
        for floating_element in waiting:
            if get_local_name(floating_element) in _NOTE_KINDS:
                with self._redirect_output() as outline:
                    self.write_blocks(floating_element)
                author = get_attribute(floating_element, "author")
                self.builder.add_block(f"[{author}: {outline.text}]" if author and outline.text else outline.text)
            else:
                self._write_drawing(floating_element)
            self._in_list = False

    def _write_drawing(self, element: XmlElement) -> None:
        lines = []
        for child in element:
            if get_local_name(child) == "txbxContent":
                self.write_blocks(child)
            elif get_local_name(child) == "p":
                lines.append(extract_paragraph_text(child))
            else:
                lines.append(extract_drawing_text(self.package, self.parts, child))
                self._write_drawing(choose_alternative(child) if get_local_name(child) == "AlternateContent" else child)
        self.builder.add_block("\n".join(filter(None, lines)))

    @contextmanager
    def _redirect_output(self) -> Iterator[DocumentBuilder]:
        """Write into an outline of its own for a while."""
        outer_builder, self.builder = self.builder, DocumentBuilder()
        state, self._in_list, floating, self._floating = self._in_list, False, self._floating, []
        try:
            yield self.builder
        finally:
            self.builder, self._in_list, self._floating = outer_builder, state, floating


def _iter_children(element: XmlElement, name: str) -> Iterable[XmlElement]:
    """Yield the children of a name, also those wrapped in a content control or a tracked insertion."""
    for child in element:
        if get_local_name(child) == name:
            yield child
        elif get_local_name(child) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _iter_children(child, name)


def _iter_cells(row: XmlElement) -> Iterable[XmlElement]:
    return _iter_children(row, "tc")
