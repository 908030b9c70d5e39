"""OpenDocument text and slides: the text under its headings, each slide apart. Notes and comments follow their paragraph.

Tables are a line a row. Headers and footers stand at the end. What was deleted with changes tracked is left out.
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
from vecsearch.documents.loaders.office.numbering import parse_small_int
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
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_table

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
    writer = _OpenDocumentWriter()
    writer.write_blocks(element for element in content if get_local_name(element) == "body")
    if find_child(content, "body", "text") is not None:
        for master in iter_descendants(document.parse_part("styles.xml"), "master-page"):
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
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    _floating: list[XmlElement] = field(default_factory=list)  # met in a paragraph, written after it
    _slide_count: int = 0
    _margin_texts: set[str] = field(default_factory=set)

    def write_blocks(self, elements: Iterable[XmlElement]) -> None:
        """Write everything in a body, a section, a slide, a text box."""
        for block in elements:
            match get_local_name(block):
                case "h" | "p":
                    self._write_paragraph(block)
                case "list":
                    self._write_list(block)
                case "table":
                    self.builder.add_block(format_table(_read_rows(block)))
                case "page":
                    self._write_slide(block)
                case "notes":  # of a slide: beside the text they hold a picture of it, and fields
                    self.write_blocks(frame for frame in block if get_attribute(frame, "class") == "notes")
                case "title" | "desc":
                    self.builder.add_block(block.text or "")
                case name if name not in _SKIPPED_TAGS:
                    self.write_blocks(block)

    def write_margins(self, master: XmlElement) -> None:
        """Write headers and footers, each different one once, page numbers alone left out."""
        for margin in master:
            if get_local_name(margin).startswith(("header", "footer")):
                text = _extract_text(margin)
                if text not in self._margin_texts and any(map(str.isalpha, text)):
                    self._margin_texts.add(text)
                    self.builder.add_block(text)

    def _write_slide(self, page: XmlElement) -> None:
        self._slide_count += 1
        self.builder.start_part({"slide": self._slide_count})
        title = next((frame for frame in page if get_attribute(frame, "class") == "title"), None)
        if title is not None:
            self.builder.add_heading(1, _extract_text(title))
        self.write_blocks(frame for frame in page if frame is not title)

    def _write_paragraph(self, element: XmlElement) -> None:
        text = self._extract_inline_text(element)
        if get_local_name(element) == "h":
            self.builder.add_heading(max(parse_small_int(get_attribute(element, "outline-level"), 1), 1), text)
        else:
            self.builder.add_block(text)
        waiting, self._floating = self._floating, []
        self.write_blocks(waiting)

    def _write_list(self, element: XmlElement) -> None:
        """Write a list's items, a line each; a heading may stand in one that numbers it."""
        if any(get_local_name(child) == "h" for child in element.iter()):
            for item in element:
                self.write_blocks(item)
        else:
            self.builder.add_block("\n".join(_iter_items(element)))

    def _extract_inline_text(self, element: XmlElement) -> str:
        pieces = [element.text or ""]
        for child in element:
            match get_local_name(child):
                case "s":
                    pieces.append(" " * min(parse_small_int(get_attribute(child, "c"), 1), 100))
                case "tab":
                    pieces.append("\t")
                case "line-break":
                    pieces.append("\n")
                case name if name in _FLOATING_TAGS:
                    self._floating.append(child)
                case name if name != "note-citation":
                    pieces.append(self._extract_inline_text(child))
            pieces.append(child.tail or "")
        return "".join(pieces)


def _extract_text(elements: Iterable[XmlElement]) -> str:
    """Return the text of some elements by itself."""
    writer = _OpenDocumentWriter()
    writer.write_blocks(elements)
    return writer.builder.text


def _iter_items(element: XmlElement) -> Iterator[str]:
    for item in element:
        if get_local_name(item) in ("list-item", "list-header"):
            if text := _extract_text(child for child in item if get_local_name(child) != "list"):
                yield text
            for child in item:
                if get_local_name(child) == "list":
                    yield from _iter_items(child)


def _read_rows(table: XmlElement) -> Iterator[list[str]]:
    for row in table:
        if get_local_name(row) == "table-row":
            texts: list[str] = []
            for cell in row:
                if get_local_name(cell) in ("table-cell", "covered-table-cell"):
                    times = min(parse_small_int(get_attribute(cell, "number-columns-repeated"), 1), _REPEAT_MAX)
                    texts.extend([" ".join(_extract_text(cell).split())] * times)
            yield texts
        elif get_local_name(row).startswith("table-"):  # header rows, row groups
            yield from _read_rows(row)
