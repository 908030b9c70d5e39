"""A Word document: its text in reading order, under its headings. Text boxes, notes, comments and charts follow their paragraph.

Tables are a line a row. Headers and footers stand at the end, once each. What was deleted with changes tracked is left out.
Pages are known where Word noted them when it last laid the document out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.documents.loaders import find_loader
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.office.charts import extract_drawing_text, extract_paragraph_text
from vecsearch.documents.loaders.office.core_properties import read_core_properties
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
from vecsearch.documents.loaders.office.styles import ParagraphStyle, read_styles
from vecsearch.documents.loaders.office.table_look import count_docx_header, read_header_styles
from vecsearch.documents.loaders.office.word_inline import NOTE_KINDS, PAGE_START, SKIPPED_TAGS, InlineReader
from vecsearch.documents.loaders.raw_file import Container, RawFile
from vecsearch.documents.loaders.table import format_cell_text, format_table

_PAGE_START_TAG: Final = "lastRenderedPageBreak"
_PAGE_MARK: Final = re.compile(
    rf"^([^\n{PAGE_START}]*){PAGE_START}(\d+){PAGE_START}", re.MULTILINE
)  # in a row that begins a page
_CHUNK_DEPTH_MAX: Final = 2  # documents inside each other
_LAYOUT_CELL_CHARS: Final = 1_500  # characters in a cell: a table with such a one lays a page out


def load_docx(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .docx, .docm, .dotx or .dotm file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    yield from _load_document(raw, depth=0)


def _load_document(raw: RawFile, *, depth: int) -> Iterator[LoaderItem]:
    """Yield the items of a document that lies inside so many others."""
    document = open_package(raw, "a Word document")
    main = next(iter(document.find_related("", "/officeDocument").values()), "word/document.xml")
    if (root := document.parse_part(main)) is None:
        raise UnreadableFileError("a Word document is damaged: it has no text part")
    title, metadata = read_core_properties(document)
    story = _create_writer(document, main)
    story.depth = depth
    if any(get_local_name(element) == _PAGE_START_TAG for element in root.iter()):
        story.start_page(1)
    story.write_blocks(root)
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
    for kind in NOTE_KINDS:
        for part in document.find_related(main, f"/{kind}s").values():
            root = document.parse_part(part)
            for note in root if root is not None else ():
                if get_attribute(note, "type") not in ("separator", "continuationSeparator", "continuationNotice"):
                    notes[kind, get_attribute(note, "id")] = note
    by_kind = {kind: next(iter(document.find_related(main, f"/{kind}").values()), "") for kind in ("styles", "numbering")}
    return _DocxWriter(
        document,
        parts,
        InlineReader(read_styles(document.parse_part(by_kind["styles"])), notes),
        read_numbering(document.parse_part(by_kind["numbering"])),
        header_styles=read_header_styles(document.parse_part(by_kind["styles"])),
    )


@dataclass(slots=True)
class _DocxWriter:
    package: Package
    parts: dict[str, str]
    inline: InlineReader
    numbering: ListNumbering
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    title: str | None = None
    depth: int = 0  # documents around this one
    header_styles: frozenset[str] = frozenset()  # of tables, that set their first row apart
    _in_list: bool = False
    _carried: str = ""  # what the next paragraph begins with: a drop cap, one whose end was deleted with changes tracked
    _page: int = 0  # 0 where pages are not known

    # -- blocks

    def start_page(self, page: int) -> None:
        """Put what follows on a page."""
        self._page = page
        self.builder.at({"page": page} if page else {})

    def write_blocks(self, element: XmlElement | None) -> None:
        """Write everything in the body, a cell, a text box, a note."""
        for block in element if element is not None else ():
            match get_local_name(block):
                case "p":
                    self._write_paragraph(block)
                case "tbl":
                    self._write_table(block)
                case "altChunk":
                    self._write_chunk(get_attribute(block, "id"))
                case "AlternateContent":
                    self.write_blocks(choose_alternative(block))
                case name if name not in SKIPPED_TAGS:
                    self.write_blocks(block)
        self._write_carried()

    def write_margins(self, main: str) -> None:
        """Write headers and footers, each different one once, page numbers alone left out."""
        if self._page:
            self.start_page(0)
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
        style = self.inline.styles.resolve(properties)
        text = self.inline.extract_text(element, style.font)
        following = self._start_first_page(text)
        text, self._carried = self._carried + text.replace(PAGE_START, "").strip("\n"), ""
        if _is_continued(properties):  # what floats beside it, and the pages that begin in it, come with the rest
            self._carried = text
            self._page += following
            return
        label = self._format_label(properties, style)
        listed = bool(style.number or find_child(properties, "numPr") is not None)
        if style.is_title and self.title is None:
            self.title = " ".join(text.split()) or None
        if label and text.strip():
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
        if following:
            self.start_page(self._page + following)

    def _write_carried(self) -> None:
        """Write what no paragraph followed."""
        text, self._carried = self._carried, ""
        if text:
            self.builder.add_block(text)
            self._write_floating()

    def _start_first_page(self, text: str) -> int:
        """Start the page that a paragraph's text begins on, and return how many others begin inside it."""
        before = text[: len(text) - len(text.lstrip())].count(PAGE_START)
        if before:
            self.start_page(self._page + before)
        return text.count(PAGE_START) - before

    def _format_label(self, properties: XmlElement | None, style: ParagraphStyle) -> str:
        own = find_child(properties, "numPr")
        number = get_attribute(find_child(own, "numId"), "val") or style.number
        if not number or number == "0":
            return ""
        level = get_attribute(find_child(own, "ilvl"), "val") or style.level
        depth = int(level) if level in list("012345678") else self.numbering.find_level(number, style.id)
        return self.numbering.format_next_label(number, depth)

    def _write_table(self, element: XmlElement) -> None:
        self._write_carried()
        rows = [list(_iter_cells(row)) for row in _iter_children(element, "tr")]
        self._in_list = False
        if all(len(row) == 1 for row in rows) or any(map(self._is_layout_cell, (cell for row in rows for cell in row))):
            for cell in (cell for row in rows for cell in row):
                self.write_blocks(cell)
                self._in_list = False
            return
        page = self._page
        header_rows = count_docx_header(element, self.header_styles)
        lines, *others = _PAGE_MARK.split(format_table(self._read_rows(rows), header_rows))
        self.builder.add_block(lines)
        for name, number, lines in zip(others[::3], others[1::3], others[2::3], strict=True):
            self.builder.at({"page": int(number)})
            self.builder.add_line(name + lines)
        if self._page > page:
            self.start_page(self._page)

    def _read_rows(self, rows: list[list[XmlElement]]) -> Iterator[list[str]]:
        """Yield the texts of the cells; what spans several rows stands in each, what spans columns in the first.

        A row that begins a page has a mark in front of its first value, the first row apart.
        """
        above, shown = list[str](), self._page
        for number, row in enumerate(rows):
            texts: list[str] = []
            pages, ends = list[int](), [self._page]
            for cell in row:
                merged = find_child(cell, "tcPr", "vMerge")
                column = len(texts)
                if merged is not None and get_attribute(merged, "val") != "restart" and column < len(above):
                    texts.append(above[column])
                else:
                    text, page = self._read_cell(cell)
                    texts.append(text)
                    pages.extend([page] if text else [])
                    ends.append(self._page)
                    self._page = ends[0]  # where the next cell of the row begins
                span = get_attribute(find_child(cell, "tcPr", "gridSpan"), "val")
                texts.extend([""] * (min(int(span), 64) - 1 if span.isdecimal() and len(span) < 4 else 0))
            above, self._page = texts, max(ends)
            yield self._mark_page(texts, pages[0], is_first=number == 0) if pages and pages[0] > shown else texts
            shown = max(pages[:1] or [shown])

    def _read_cell(self, cell: XmlElement) -> tuple[str, int]:
        """Return the text of a cell on a line, and the page that it begins on."""
        with self._redirect_output() as outline:
            self.start_page(self._page)
            self.write_blocks(cell)
        begin = next(outline.build_sections(None), None)
        page = begin.location.get("page", 0) if begin else 0
        has_table = any(get_local_name(part) == "tbl" for part in cell.iter())
        return format_cell_text(outline.text, has_table=has_table), page if isinstance(page, int) else 0

    def _mark_page(self, texts: list[str], page: int, *, is_first: bool) -> list[str]:
        """Return the texts of a row with the mark of the page that it begins; the first row takes the table with it."""
        if is_first:
            self.builder.at({"page": page})
            return texts
        place = next(place for place, text in enumerate(texts) if text)
        return [*texts[:place], f"{PAGE_START}{page}{PAGE_START}{texts[place]}", *texts[place + 1 :]]

    def _is_layout_cell(self, cell: XmlElement) -> bool:
        """Return whether a cell is no value but a part of the page's layout."""
        texts = sum(len(child.text or "") for child in cell.iter() if get_local_name(child) == "t")
        return texts > _LAYOUT_CELL_CHARS or any(
            self.inline.styles.resolve(find_child(child, "pPr")).outline_level is not None
            for child in cell
            if get_local_name(child) == "p"
        )

    def _write_chunk(self, identifier: str) -> None:
        """Write a file of another format that stands in the place of blocks, once."""
        part = self.parts.pop(identifier, "")
        if not part:
            return
        if self.depth >= _CHUNK_DEPTH_MAX:
            self.package.problems.append(ParseWarning(f"{part} in it lies too deep"))
            return
        try:
            chunk = RawFile(
                part, PurePosixPath(part).suffix.lower(), content=self.package.read_part(part), within=(Container.OFFICE,)
            )
            loader = find_loader(chunk)
            items = list(_load_document(chunk, depth=self.depth + 1) if loader is load_docx else loader(chunk))
        except UnreadableFileError as error:
            items = [ParseWarning(f"{part} in it: {error}")]
        for item in items:
            if isinstance(item, ParsedDocument):
                self.builder.add_document(item)
            elif isinstance(item, ParseWarning):
                self.package.problems.append(item)
        self._in_list = False

    # -- beside a paragraph

    def _write_floating(self) -> None:
        """Write what floats beside the last paragraph."""
        waiting, self.inline.floating = self.inline.floating, []
        for floating_element in waiting:
            if get_local_name(floating_element) in NOTE_KINDS:
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
        state, self._in_list = self._in_list, False
        floating, self.inline.floating = self.inline.floating, []
        try:
            yield self.builder
        finally:
            self.builder, self._in_list, self.inline.floating = outer_builder, state, floating


def _iter_children(element: XmlElement, name: str) -> Iterable[XmlElement]:
    """Yield the children of a name, also those wrapped in a content control or a tracked insertion."""
    for child in element:
        if get_local_name(child) == name:
            yield child
        elif get_local_name(child) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _iter_children(child, name)


def _is_continued(properties: XmlElement | None) -> bool:
    """Return whether a paragraph with these properties goes on in the next one."""
    is_drop_cap = get_attribute(find_child(properties, "framePr"), "dropCap") in ("drop", "margin")
    return is_drop_cap or any(find_child(properties, "rPr", change) is not None for change in ("del", "moveFrom"))


def _iter_cells(row: XmlElement) -> Iterable[XmlElement]:
    return _iter_children(row, "tc")
