"""A PowerPoint presentation: each slide apart, its title first, then its shapes in reading order, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.office.auto_numbers import AutoNumbers
from vecsearch.documents.loaders.office.charts import extract_drawing_text, extract_run_text
from vecsearch.documents.loaders.office.core_properties import read_core_properties
from vecsearch.documents.loaders.office.formula import format_formula
from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    choose_alternative,
    find_child,
    get_attribute,
    get_local_name,
    iter_descendants,
    open_package,
)
from vecsearch.documents.loaders.office.reading_order import Box
from vecsearch.documents.loaders.office.slide_shapes import LayoutBoxes, get_placeholder, sort_shapes
from vecsearch.documents.loaders.office.table_look import count_pptx_header
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_table

_TITLE_TYPES: Final = ("title", "ctrTitle")
_SKIPPED_PLACEHOLDERS: Final = ("sldNum", "dt", "sldImg", "hdr")  # placeholders that every slide has


def load_pptx(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .pptx, .pptm, .ppsx, .ppsm, .potx or .potm file.

    Raises EncryptedFileError, EmptyFileError, UnreadableFileError.
    """
    show = open_package(raw, "a PowerPoint presentation")
    main = next(iter(show.find_related("", "/officeDocument").values()), "ppt/presentation.xml")
    slides = _list_slides(show, main)
    if not slides and not show.has_part(main):
        raise UnreadableFileError("a PowerPoint presentation is damaged: it has no list of its slides")
    title, metadata = read_core_properties(show)
    writer = _PptxWriter(show)
    for number, part in enumerate(slides, start=1):
        writer.write_slide(number, part)
    yield from finish_document(
        raw,
        writer.builder,
        title or writer.builder.first_heading,
        metadata,
        show.problems,
        empty_message="no text on its slides: pictures, perhaps",
    )


def _list_slides(show: Package, main: str) -> list[str]:
    """Return the parts of the slides in the order in which they are shown."""
    parts, listed = show.find_related(main, "/slide"), find_child(show.parse_part(main), "sldIdLst")
    entries = listed if listed is not None else ()
    order = [value for identifier in entries for key, value in identifier.attrib.items() if key.endswith("}id")]
    lost = (f"slide {place}: not in the file" for place, identifier in enumerate(order, start=1) if identifier not in parts)
    show.problems.extend(map(ParseWarning, lost))
    return [parts[identifier] for identifier in order if identifier in parts] or sorted(
        parts.values(), key=lambda name: (len(name), name)
    )


@dataclass(slots=True)
class _PptxWriter:
    package: Package
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    _parts: dict[str, str] = field(default_factory=dict)
    _footers: set[str] = field(default_factory=set)
    _layouts: LayoutBoxes = field(init=False)
    _inherited: Mapping[str, Box] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layouts = LayoutBoxes(self.package)

    def write_slide(self, number: int, part: str) -> None:
        """Write one slide with what belongs to it."""
        self.builder.start_part({"slide": number})
        self._parts, self._inherited = self.package.find_related(part), self._layouts.read(part)
        root = self.package.parse_part(part)
        shapes = find_child(root, "cSld", "spTree")
        title = next((shape for shape in iter_descendants(shapes, "sp") if _get_placeholder_type(shape) in _TITLE_TYPES), None)
        if title is not None:
            self.builder.add_heading(1, _extract_text(title))
        self._write_shapes(shapes, title)
        self._write_notes_and_comments(part)

    def _write_notes_and_comments(self, part: str) -> None:
        """Write the speaker's notes and the reviewers' comments."""
        for notes in self.package.find_related(part, "/notesSlide").values():
            for child in iter_descendants(self.package.parse_part(notes), "sp"):
                if _get_placeholder_type(child) == "body":
                    self.builder.add_block(_extract_text(child))
        for comments in self.package.find_related(part, "/comments").values():
            for comment in iter_descendants(self.package.parse_part(comments), "cm"):
                texts = (child.text or "" for child in comment.iter() if get_local_name(child) in ("t", "text"))
                self.builder.add_block("\n".join(text.strip() for text in texts if text.strip()))

    def _write_shapes(self, element: XmlElement | None, title: XmlElement | None) -> None:
        for shape in sort_shapes(element if element is not None else (), self._inherited):
            if shape is title:
                continue
            match get_local_name(shape):
                case "sp" | "cxnSp":
                    self._write_shape(shape)
                case "tbl":
                    self.builder.add_block(format_table(_read_rows(shape), count_pptx_header(shape)))
                case "AlternateContent":
                    self._write_shapes(choose_alternative(shape), title)
                case "p":  # of a text that stands outside a shape
                    self.builder.add_block(_extract_paragraph_text(shape))
                case _:
                    self.builder.add_block(extract_drawing_text(self.package, self._parts, shape))
                    self._write_shapes(shape, title)

    def _write_shape(self, element: XmlElement) -> None:
        kind, text = _get_placeholder_type(element), _extract_text(element)
        if kind in _SKIPPED_PLACEHOLDERS or (kind == "ftr" and text in self._footers):
            return
        if kind == "ftr":
            self._footers.add(text)
        self.builder.add_block(text)


def _read_rows(table: XmlElement) -> Iterator[list[str]]:
    """Yield the texts of the cells; what spans several rows stands in each."""
    above: list[str] = []
    for row in (child for child in table if get_local_name(child) == "tr"):
        cells = [child for child in row if get_local_name(child) == "tc"]
        merged = [child.get("vMerge") in ("1", "true") for child in cells]
        above = [
            above[place] if merged[place] and place < len(above) else " ".join(_extract_text(cell).split())
            for place, cell in enumerate(cells)
        ]
        yield above


def _get_placeholder_type(shape: XmlElement) -> str:
    """Return what a shape is a placeholder for, empty for none."""
    holder = get_placeholder(shape)
    return "" if holder is None else get_attribute(holder, "type") or "body"


def _extract_text(element: XmlElement) -> str:
    """Return the paragraphs of a shape or a cell, a line each."""
    body = find_child(element, "txBody")
    numbers = AutoNumbers(find_child(body, "lstStyle"))
    lines = []
    for paragraph in body if body is not None else ():
        if get_local_name(paragraph) == "p" and (text := _extract_paragraph_text(paragraph).strip()):
            lines.append(" ".join(filter(None, (numbers.count_paragraph(paragraph), text))))
    return "\n".join(lines)


def _extract_paragraph_text(element: XmlElement) -> str:
    pieces = []
    for child in element:
        match get_local_name(child):
            case "r" | "fld":
                pieces.append(extract_run_text(child))
            case "br":
                pieces.append("\n")
            case "AlternateContent":
                pieces.append(_extract_paragraph_text(choose_alternative(child)))
            case "oMath" | "oMathPara" | "m":
                pieces.append(f" {format_formula(child)} ")
    return "".join(pieces)
