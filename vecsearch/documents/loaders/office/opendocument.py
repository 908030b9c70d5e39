"""OpenDocument text and slides: the text under its headings, each slide apart, in reading order.

Notes and comments follow their paragraph. Tables are a line a row. Headers and footers stand at the end. What was deleted with
changes tracked is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.types import Metadata
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.office.encryption import decrypt_opendocument
from vecsearch.documents.loaders.office.mathml import format_mathml
from vecsearch.documents.loaders.office.numbering import parse_small_int
from vecsearch.documents.loaders.office.opendocument_objects import EmbeddedObjects, format_chart
from vecsearch.documents.loaders.office.opendocument_shapes import sort_shapes
from vecsearch.documents.loaders.office.opendocument_styles import RunningLists, read_opendocument_styles
from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    find_child,
    get_attribute,
    get_local_name,
    iter_descendants,
    open_package,
)
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.office.table_look import count_opendocument_header
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.symbol_fonts import decode_symbols
from vecsearch.documents.loaders.table import format_cell_text, format_table

_SKIPPED_TAGS: Final = frozenset(
    ["tracked-changes", "forms", "sequence-decls", "note-citation", "creator", "date", "date-string", "creator-initials"]
)
_FLOATING_TAGS: Final = frozenset(["frame", "annotation", "note-body", "custom-shape", "rect", "text-box"])
_REPEAT_MAX: Final = 64  # times a cell is repeated: more fill a page with nothing


def load_odt(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .odt or .ott file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    return _load_document(raw, "an OpenDocument text")


def load_odp(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .odp, .otp or .odg file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    return _load_document(raw, "an OpenDocument presentation")


def _load_document(raw: RawFile, kind: str) -> Iterator[LoaderItem]:
    document = open_package(decrypt_opendocument(raw, kind), kind)
    if (content := document.parse_part("content.xml")) is None:
        raise UnreadableFileError(f"{kind} is damaged: it has no text part")
    shared = list(styles) if (styles := document.parse_part("styles.xml")) is not None else []
    common = [group for group in shared if get_local_name(group) != "automatic-styles"]
    writer = _OpenDocumentWriter(EmbeddedObjects(document), RunningLists(read_opendocument_styles(common, content)))
    writer.write_blocks(element for element in content if get_local_name(element) == "body")
    if find_child(content, "body", "text") is not None:
        writer.lists = RunningLists(read_opendocument_styles(shared))
        for master in iter_descendants(styles, "master-page"):
            writer.write_margins(master)
    title, metadata = read_opendocument_metadata(document)
    title, nothing = title or writer.builder.first_heading, "no text in it: pictures, perhaps"
    yield from finish_document(raw, writer.builder, title, metadata, document.problems, empty_message=nothing)


def read_opendocument_metadata(document: Package) -> tuple[str | None, Metadata]:
    """Return its title, None where it has none worth the name, and its metadata."""
    values: dict[str, str] = {}
    root = document.parse_part("meta.xml")
    for child in root.iter() if root is not None else ():
        values.setdefault(get_local_name(child), " ".join((child.text or "").split()))
    return normalize_title(values.get("title")), build_metadata(
        author=[values.get("initial-creator") or values.get("creator", "")], created=values.get("creation-date"),
        modified=values.get("date"), language=values.get("language"),
    )  # fmt: skip


@dataclass(slots=True)
class _OpenDocumentWriter:
    objects: EmbeddedObjects
    lists: RunningLists
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    _floating: list[XmlElement] = field(default_factory=list)  # met in a paragraph, written after it
    _slide_count: int = 0
    _margin_texts: set[str] = field(default_factory=set)
    _label: str = ""  # of the list item whose first paragraph comes next
    _is_in_list: bool = False

    def write_blocks(self, elements: Iterable[XmlElement]) -> None:
        """Write everything in a body, a section, a slide, a text box."""
        for block in elements:
            match get_local_name(block):
                case "h" | "p":
                    self._write_paragraph(block)
                case "list":
                    self._write_list(block)
                case "table":
                    self.builder.add_block(format_table(self._read_rows(block), count_opendocument_header(block)))
                case "page":
                    self._write_slide(block)
                case "notes":  # of a slide: beside the text they hold a picture of it, and fields
                    self.write_blocks(frame for frame in block if get_attribute(frame, "class") == "notes")
                case "title" | "desc":
                    self.builder.add_block(block.text or "")
                case "object":
                    self.builder.add_block(self._extract_object(block))
                case name if name not in _SKIPPED_TAGS:
                    self.write_blocks(sort_shapes(block) if name == "g" else block)

    def write_margins(self, master: XmlElement) -> None:
        """Write headers and footers, each different one once, page numbers alone left out."""
        for margin in master:
            if get_local_name(margin).startswith(("header", "footer")):
                text = self._extract_text(margin)
                if text not in self._margin_texts and any(map(str.isalpha, text)):
                    self._margin_texts.add(text)
                    self.builder.add_block(text)

    def _write_slide(self, page: XmlElement) -> None:
        self._slide_count += 1
        self.builder.start_part({"slide": self._slide_count})
        title = next((frame for frame in page if get_attribute(frame, "class") == "title"), None)
        if title is not None:
            self.builder.add_heading(1, self._extract_text(title))
        self.write_blocks(sort_shapes(shape for shape in page if shape is not title and get_local_name(shape) != "notes"))
        self.write_blocks(shape for shape in page if get_local_name(shape) == "notes")

    def _write_paragraph(self, element: XmlElement) -> None:
        text = self._extract_inline_text(element, self.lists.styles.find_font(element, "paragraph", ""))
        level = max(parse_small_int(get_attribute(element, "outline-level"), 1), 1) if get_local_name(element) == "h" else 0
        label, self._label = self._label, ""
        if level and not self._is_in_list:
            label = self.lists.count_heading(element, level - 1)
        stated = find_child(element, "number")  # what the file itself holds of it
        label = (stated.text or "").strip() if stated is not None else label
        if label and text.strip():
            text = f"{label} {text.lstrip()}"
        if level:
            self.builder.add_heading(level, text)
        else:
            self.builder.add_block(text)
        waiting, self._floating = self._floating, []
        self.write_blocks(waiting)

    def _write_list(self, element: XmlElement) -> None:
        """Write a list's items, a line each; a heading may stand in one that numbers it."""
        has_headings = any(get_local_name(child) == "h" for child in element.iter())
        outer, self._is_in_list = self._is_in_list, True
        items = self._iter_items(element, *self.lists.start_list(element))
        if has_headings:
            for label, item in items:
                self._label = label
                self.write_blocks(child for child in item if get_local_name(child) != "list")
                self._label = ""
        else:
            texts = (
                self._extract_text((child for child in item if get_local_name(child) != "list"), label) for label, item in items
            )
            self.builder.add_block("\n".join(filter(None, texts)))
        self._is_in_list = outer

    def _iter_items(
        self, element: XmlElement, style: str, numbers: dict[int, int], depth: int = 0
    ) -> Iterator[tuple[str, XmlElement]]:
        """Yield the items of a list and of those inside it, each with what stands before it."""
        for item in element:
            if get_local_name(item) not in ("list-item", "list-header"):
                continue
            if any(get_local_name(child) != "list" for child in item):
                yield self.lists.count_item(item, style, numbers, depth), item
            for child in item:
                if get_local_name(child) == "list":
                    yield from self._iter_items(child, get_attribute(child, "style-name") or style, numbers, depth + 1)

    def _extract_inline_text(self, element: XmlElement, font: str) -> str:
        pieces = [decode_symbols(font, element.text or "")]
        for child in element:
            match get_local_name(child):
                case "s":
                    pieces.append(" " * min(parse_small_int(get_attribute(child, "c"), 1), 100))
                case "tab":
                    pieces.append("\t")
                case "line-break":
                    pieces.append("\n")
                case "frame" if formula := self._extract_formula(child):
                    pieces.append(formula)
                case name if name in _FLOATING_TAGS:
                    self._floating.append(child)
                case name if name not in ("note-citation", "number", "ruby-text"):
                    pieces.append(self._extract_inline_text(child, self.lists.styles.find_font(child, "text", font)))
            pieces.append(decode_symbols(font, child.tail or ""))
        return "".join(pieces)

    def _extract_formula(self, frame: XmlElement) -> str:
        """Return the formula that a frame holds, nothing for any other frame."""
        target = find_child(frame, "object")
        root = self.objects.read(target) if target is not None else None
        return format_mathml(root) if root is not None and get_local_name(root) == "math" else ""

    def _extract_object(self, element: XmlElement) -> str:
        """Return what a formula, a chart, or a document of its own says that stands for itself."""
        root = self.objects.read(element)
        if root is not None and get_local_name(root) == "math":
            return format_mathml(root)
        chart = find_child(root, "body", "chart", "chart")
        if chart is not None:
            return format_chart(chart, self._read_rows)
        body = find_child(root, "body")
        if root is None or body is None or (objects := self.objects.enter(element)) is None:
            return ""
        writer = _OpenDocumentWriter(objects, RunningLists(read_opendocument_styles(root)))
        writer.write_blocks(body)
        return writer.builder.text

    def _extract_text(self, elements: Iterable[XmlElement], label: str = "") -> str:
        """Return the text of some elements by itself, a label before its first paragraph."""
        writer = _OpenDocumentWriter(self.objects, self.lists, _label=label, _is_in_list=self._is_in_list)
        writer.write_blocks(elements)
        return writer.builder.text

    def _read_rows(self, table: XmlElement) -> Iterator[list[str]]:
        for row in table:
            if get_local_name(row) == "table-row":
                texts: list[str] = []
                for cell in row:
                    if get_local_name(cell) in ("table-cell", "covered-table-cell"):
                        times = min(parse_small_int(get_attribute(cell, "number-columns-repeated"), 1), _REPEAT_MAX)
                        has_table = any(get_local_name(part) == "table" for part in cell.iter())
                        text = format_cell_text(self._extract_text(cell), has_table=has_table) or _get_value(cell)
                        texts.extend([text] * times)
                yield texts
            elif get_local_name(row).startswith("table-"):  # header rows, row groups
                yield from self._read_rows(row)


def _get_value(cell: XmlElement) -> str:
    """Return the value of a cell without a text, as some programs write it."""
    return get_attribute(cell, "string-value") or get_attribute(cell, "value")
