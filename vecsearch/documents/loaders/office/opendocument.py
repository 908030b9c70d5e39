"""OpenDocument text and slides: the text under its headings, each slide apart. Notes and comments follow their paragraph.

Tables are a line a row. Headers and footers stand at the end. What was deleted with changes tracked is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Metadata
from vecsearch.documents.loaders.office.locked import unlocked
from vecsearch.documents.loaders.office.numbering import whole
from vecsearch.documents.loaders.office.package import Package, Xml, attribute, child, descendants, local, package
from vecsearch.documents.loaders.office.properties import real_title
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.stated import stated
from vecsearch.documents.loaders.table import table_text

_GONE: Final = frozenset(
    ["tracked-changes", "forms", "sequence-decls", "note-citation", "creator", "date", "date-string", "creator-initials"]
)
_BESIDE: Final = frozenset(["frame", "annotation", "note-body", "custom-shape", "rect", "text-box"])
_REPEAT_MAX: Final = 64  # times a cell is repeated: more fill a page with nothing


def odt(raw: Raw) -> Iterator[Item]:
    """An .odt or .ott. Raises Encrypted, NoText, UnreadableFile."""
    return _read(raw, "an OpenDocument text")


def odp(raw: Raw) -> Iterator[Item]:
    """An .odp, .otp or .odg. Raises Encrypted, NoText, UnreadableFile."""
    return _read(raw, "an OpenDocument presentation")


def _read(raw: Raw, kind: str) -> Iterator[Item]:
    document = package(unlocked(raw, kind), kind)
    if (content := document.xml("content.xml")) is None:
        raise UnreadableFile(f"{kind} is damaged: it has no text part")
    writer = _Writer()
    try:
        writer.blocks(each for each in content if local(each) == "body")
        if child(content, "body", "text") is not None:
            for master in descendants(document.xml("styles.xml"), "master-page"):
                writer.margins(master)
    except RecursionError as error:
        raise UnreadableFile("nested too deeply") from error
    title, metadata = meta(document)
    title, nothing = title or writer.outline.first_heading, "no text in it: pictures, perhaps"
    yield from outlined(raw, writer.outline, title, metadata, document.problems, nothing=nothing)


def meta(document: Package) -> tuple[str | None, Metadata]:
    """Its title, None where it has none worth the name, and its metadata."""
    given: dict[str, str] = {}
    root = document.xml("meta.xml")
    for each in root.iter() if root is not None else ():
        given.setdefault(local(each), " ".join((each.text or "").split()))
    return real_title(given.get("title")), stated(
        author=[given.get("initial-creator") or given.get("creator", "")], created=given.get("creation-date"),
        modified=given.get("date"), language=given.get("language"),
    )  # fmt: skip


@dataclass(slots=True)
class _Writer:
    outline: Outline = field(default_factory=Outline)
    _floating: list[Xml] = field(default_factory=list)  # met in a paragraph, written after it
    _slides: int = 0
    _margins: set[str] = field(default_factory=set)

    def blocks(self, elements: Iterable[Xml]) -> None:
        """Everything in a body, a section, a slide, a text box."""
        for each in elements:
            match local(each):
                case "h" | "p":
                    self._paragraph(each)
                case "list":
                    self._list(each)
                case "table":
                    self.outline.block(table_text(_rows(each)))
                case "page":
                    self._slide(each)
                case "notes":  # of a slide: beside the text they hold a picture of it, and fields
                    self.blocks(frame for frame in each if attribute(frame, "class") == "notes")
                case "title" | "desc":
                    self.outline.block(each.text or "")
                case name if name not in _GONE:
                    self.blocks(each)

    def margins(self, master: Xml) -> None:
        """Headers and footers, each different one once; page numbers alone are none."""
        for each in master:
            if local(each).startswith(("header", "footer")):
                text = _aside(each)
                if text not in self._margins and any(map(str.isalpha, text)):
                    self._margins.add(text)
                    self.outline.block(text)

    def _slide(self, page: Xml) -> None:
        self._slides += 1
        self.outline.apart({"slide": self._slides})
        title = next((each for each in page if attribute(each, "class") == "title"), None)
        if title is not None:
            self.outline.heading(1, _aside(title))
        self.blocks(each for each in page if each is not title)

    def _paragraph(self, element: Xml) -> None:
        text = self._inline(element)
        if local(element) == "h":
            self.outline.heading(max(whole(attribute(element, "outline-level"), 1), 1), text)
        else:
            self.outline.block(text)
        waiting, self._floating = self._floating, []
        self.blocks(waiting)

    def _list(self, element: Xml) -> None:
        """Its items, a line each; a heading may stand in one that numbers it."""
        if any(local(each) == "h" for each in element.iter()):
            for item in element:
                self.blocks(item)
        else:
            self.outline.block("\n".join(_items(element)))

    def _inline(self, element: Xml) -> str:
        pieces = [element.text or ""]
        for each in element:
            match local(each):
                case "s":
                    pieces.append(" " * min(whole(attribute(each, "c"), 1), 100))
                case "tab":
                    pieces.append("\t")
                case "line-break":
                    pieces.append("\n")
                case name if name in _BESIDE:
                    self._floating.append(each)
                case name if name != "note-citation":
                    pieces.append(self._inline(each))
            pieces.append(each.tail or "")
        return "".join(pieces)


def _aside(elements: Iterable[Xml]) -> str:
    """The text of some elements by itself."""
    writer = _Writer()
    writer.blocks(elements)
    return writer.outline.text


def _items(element: Xml) -> Iterator[str]:
    for item in element:
        if local(item) in ("list-item", "list-header"):
            if text := _aside(each for each in item if local(each) != "list"):
                yield text
            for each in item:
                if local(each) == "list":
                    yield from _items(each)


def _rows(table: Xml) -> Iterator[list[str]]:
    for row in table:
        if local(row) == "table-row":
            texts: list[str] = []
            for cell in row:
                if local(cell) in ("table-cell", "covered-table-cell"):
                    times = min(whole(attribute(cell, "number-columns-repeated"), 1), _REPEAT_MAX)
                    texts.extend([" ".join(_aside(cell).split())] * times)
            yield texts
        elif local(row).startswith("table-"):  # header rows, row groups
            yield from _rows(row)
