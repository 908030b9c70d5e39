"""A Word document: its text in reading order, under its headings. Text boxes, notes, comments and charts follow their paragraph.

Tables are a line a row. Headers and footers stand at the end, once each. What was deleted with changes tracked is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item
from vecsearch.documents.loaders.office.charts import drawn, paragraph
from vecsearch.documents.loaders.office.core_properties import core_properties
from vecsearch.documents.loaders.office.formula import formula
from vecsearch.documents.loaders.office.numbering import Numbering, numbering
from vecsearch.documents.loaders.office.package import Package, Xml, alternative, attribute, child, local, package
from vecsearch.documents.loaders.office.styles import Style, Styles, styles
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.table import table_text

_GONE: Final = frozenset(
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
_SPACES: Final = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES: Final = ("footnote", "endnote", "comment")
_LAYOUT: Final = 1_500  # characters in a cell: a table with such a one lays a page out


def docx(raw: Raw) -> Iterator[Item]:
    """A .docx, .docm, .dotx or .dotm. Raises Encrypted, NoText, UnreadableFile."""
    document = package(raw, "a Word document")
    main = next(iter(document.related("", "/officeDocument").values()), "word/document.xml")
    if (root := document.xml(main)) is None:
        raise UnreadableFile("a Word document is damaged: it has no text part")
    title, metadata = core_properties(document)
    story = _story(document, main)
    try:
        story.blocks(child(root, "body") if local(root) == "document" else root)
        story.margins(main)
    except RecursionError as error:
        raise UnreadableFile("nested too deeply") from error
    yield from outlined(
        raw,
        story.outline,
        title or story.title or story.outline.first_heading,
        metadata,
        document.problems,
        nothing="no text in it: pictures, perhaps",
    )


def _story(document: Package, main: str) -> _Story:
    """The document before its first word: its styles, lists and notes read."""
    parts = document.related(main)
    notes = {}
    for kind in _NOTES:
        for part in document.related(main, f"/{kind}s").values():
            root = document.xml(part)
            for each in root if root is not None else ():
                if attribute(each, "type") not in ("separator", "continuationSeparator", "continuationNotice"):
                    notes[kind, attribute(each, "id")] = each
    by_kind = {kind: next(iter(document.related(main, f"/{kind}").values()), "") for kind in ("styles", "numbering")}
    return _Story(document, parts, notes, styles(document.xml(by_kind["styles"])), numbering(document.xml(by_kind["numbering"])))


@dataclass(slots=True)
class _Story:
    package: Package
    parts: dict[str, str]
    notes: dict[tuple[str, str], Xml]
    styles: Styles
    numbering: Numbering
    outline: Outline = field(default_factory=Outline)
    title: str | None = None
    _floating: list[Xml] = field(default_factory=list)  # met in a paragraph, written after it
    _listed: bool = False

    # -- blocks

    def blocks(self, element: Xml | None) -> None:
        """Everything in the body, a cell, a text box, a note."""
        for each in element if element is not None else ():
            match local(each):
                case "p":
                    self._paragraph(each)
                case "tbl":
                    self._table(each)
                case "AlternateContent":
                    self.blocks(alternative(each))
                case name if name not in _GONE:
                    self.blocks(each)

    def margins(self, main: str) -> None:
        """Headers and footers, each different one once; page numbers alone are none."""
        seen = set()
        for kind in ("header", "footer"):
            for part in self.package.related(main, f"/{kind}").values():
                self.parts = self.package.related(part)
                with self._aside() as outline:
                    self.blocks(self.package.xml(part))
                if outline.text not in seen and any(map(str.isalpha, outline.text)):
                    seen.add(outline.text)
                    self.outline.block(outline.text)

    def _paragraph(self, element: Xml) -> None:
        properties = child(element, "pPr")
        style = self.styles.of(properties)
        text = self._inline(element).strip("\n")
        label = self._label(properties, style) if text.strip() else ""
        listed = bool(style.number or child(properties, "numPr") is not None)
        if style.is_title and self.title is None:
            self.title = " ".join(text.split()) or None
        if label:
            text = f"{label} {text.lstrip()}"
        if style.outline is not None:
            self.outline.heading(style.outline + 1, text)
        elif listed and self._listed:
            self.outline.line(text)
        else:
            self.outline.block(text)
        if text.strip():
            self._listed = listed and style.outline is None
        self._land()

    def _label(self, properties: Xml | None, style: Style) -> str:
        own = child(properties, "numPr")
        number = attribute(child(own, "numId"), "val") or style.number
        if not number or number == "0":
            return ""
        level = attribute(child(own, "ilvl"), "val") or style.level
        depth = int(level) if level in list("012345678") else self.numbering.level_of(number, style.id)
        return self.numbering.label(number, depth)

    def _table(self, element: Xml) -> None:
        rows = [list(_cells(row)) for row in _within(element, "tr")]
        self._listed = False
        if all(len(row) == 1 for row in rows) or any(map(self._is_page, (cell for row in rows for cell in row))):
            for cell in (cell for row in rows for cell in row):
                self.blocks(cell)
                self._listed = False
            return
        self.outline.block(table_text(self._filled(rows)))

    def _filled(self, rows: list[list[Xml]]) -> Iterator[list[str]]:
        """The texts of the cells; what spans several rows stands in each, what spans columns in the first."""
        above: list[str] = []
        for row in rows:
            texts: list[str] = []
            for cell in row:
                merged = child(cell, "tcPr", "vMerge")
                column = len(texts)
                if merged is not None and attribute(merged, "val") != "restart" and column < len(above):
                    texts.append(above[column])
                else:
                    with self._aside() as outline:
                        self.blocks(cell)
                    texts.append(" ".join(outline.text.split()))
                span = attribute(child(cell, "tcPr", "gridSpan"), "val")
                texts.extend([""] * (min(int(span), 64) - 1 if span.isdecimal() and len(span) < 4 else 0))
            above = texts
            yield texts

    def _is_page(self, cell: Xml) -> bool:
        """Whether a cell is no value but a part of the page's layout."""
        texts = sum(len(each.text or "") for each in cell.iter() if local(each) == "t")
        return texts > _LAYOUT or any(
            self.styles.of(child(each, "pPr")).outline is not None for each in cell if local(each) == "p"
        )

    # -- inside a paragraph

    def _inline(self, element: Xml) -> str:
        return "".join(map(self._piece, element))

    def _piece(self, element: Xml) -> str:
        match local(element):
            case "t":
                return element.text or ""
            case "drawing" | "pict" | "object":
                self._floating.append(element)
            case "oMath" | "oMathPara":
                return f"{formula(element)} "
            case "AlternateContent":
                return self._inline(alternative(element))
            case name if name.endswith("Reference"):
                note = self.notes.pop((name.removesuffix("Reference"), attribute(element, "id")), None)
                self._floating.extend([note] if note is not None else [])
            case name if name not in _GONE:
                return _SPACES.get(name) or self._inline(element)
        return ""

    # -- beside a paragraph

    def _land(self) -> None:
        """Write what floats beside the last paragraph."""
        waiting, self._floating = self._floating, []
        for each in waiting:
            if local(each) in _NOTES:
                with self._aside() as outline:
                    self.blocks(each)
                author = attribute(each, "author")
                self.outline.block(f"[{author}: {outline.text}]" if author and outline.text else outline.text)
            else:
                self._drawing(each)
            self._listed = False

    def _drawing(self, element: Xml) -> None:
        said = []
        for each in element:
            if local(each) == "txbxContent":
                self.blocks(each)
            elif local(each) == "p":
                said.append(paragraph(each))
            else:
                said.append(drawn(self.package, self.parts, each))
                self._drawing(alternative(each) if local(each) == "AlternateContent" else each)
        self.outline.block("\n".join(filter(None, said)))

    @contextmanager
    def _aside(self) -> Iterator[Outline]:
        """Write into an outline of its own for a while."""
        kept, self.outline = self.outline, Outline()
        state, self._listed, floating, self._floating = self._listed, False, self._floating, []
        try:
            yield self.outline
        finally:
            self.outline, self._listed, self._floating = kept, state, floating


def _within(element: Xml, name: str) -> Iterable[Xml]:
    """Children of a name, also those wrapped in a content control or a tracked insertion."""
    for each in element:
        if local(each) == name:
            yield each
        elif local(each) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _within(each, name)


def _cells(row: Xml) -> Iterable[Xml]:
    return _within(row, "tc")
