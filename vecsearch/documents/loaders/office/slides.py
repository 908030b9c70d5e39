"""A PowerPoint presentation: each slide apart, its title first, then its shapes, tables, charts, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Problem
from vecsearch.documents.loaders.office.charts import drawn
from vecsearch.documents.loaders.office.core_properties import core_properties
from vecsearch.documents.loaders.office.formula import formula
from vecsearch.documents.loaders.office.package import Package, Xml, alternative, attribute, child, descendants, local, package
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.table import table_text

_TITLES: Final = ("title", "ctrTitle")
_FRAME: Final = ("sldNum", "dt", "sldImg", "hdr")  # placeholders that every slide has


def pptx(raw: Raw) -> Iterator[Item]:
    """A .pptx, .pptm, .ppsx, .ppsm, .potx or .potm. Raises Encrypted, NoText, UnreadableFile."""
    show = package(raw, "a PowerPoint presentation")
    main = next(iter(show.related("", "/officeDocument").values()), "ppt/presentation.xml")
    slides = _slides(show, main)
    if not slides and not show.has(main):
        raise UnreadableFile("a PowerPoint presentation is damaged: it has no list of its slides")
    title, metadata = core_properties(show)
    writer = _Slides(show)
    try:
        for number, part in enumerate(slides, start=1):
            writer.slide(number, part)
    except RecursionError as error:
        raise UnreadableFile("nested too deeply") from error
    yield from outlined(
        raw,
        writer.outline,
        title or writer.outline.first_heading,
        metadata,
        show.problems,
        nothing="no text on its slides: pictures, perhaps",
    )


def _slides(show: Package, main: str) -> list[str]:
    """The parts of the slides in the order in which they are shown."""
    parts, listed = show.related(main, "/slide"), child(show.xml(main), "sldIdLst")
    entries = listed if listed is not None else ()
    order = [value for each in entries for key, value in each.attrib.items() if key.endswith("}id")]
    lost = (f"slide {place}: not in the file" for place, each in enumerate(order, start=1) if each not in parts)
    show.problems.extend(map(Problem, lost))
    return [parts[each] for each in order if each in parts] or sorted(parts.values(), key=lambda name: (len(name), name))


@dataclass(slots=True)
class _Slides:
    package: Package
    outline: Outline = field(default_factory=Outline)
    _parts: dict[str, str] = field(default_factory=dict)
    _footers: set[str] = field(default_factory=set)

    def slide(self, number: int, part: str) -> None:
        """One slide with what belongs to it."""
        self.outline.apart({"slide": number})
        self._parts = self.package.related(part)
        root = self.package.xml(part)
        shapes = child(root, "cSld", "spTree")
        title = next((each for each in descendants(shapes, "sp") if _placeholder(each) in _TITLES), None)
        if title is not None:
            self.outline.heading(1, _text(title))
        self._shapes(shapes, title)
        self._beside(part)

    def _beside(self, part: str) -> None:
        """The speaker's notes and the reviewers' comments."""
        for notes in self.package.related(part, "/notesSlide").values():
            for each in descendants(self.package.xml(notes), "sp"):
                if _placeholder(each) == "body":
                    self.outline.block(_text(each))
        for comments in self.package.related(part, "/comments").values():
            for comment in descendants(self.package.xml(comments), "cm"):
                texts = (each.text or "" for each in comment.iter() if local(each) in ("t", "text"))
                self.outline.block("\n".join(text.strip() for text in texts if text.strip()))

    def _shapes(self, element: Xml | None, title: Xml | None) -> None:
        for each in element if element is not None else ():
            if each is title:
                continue
            match local(each):
                case "sp" | "cxnSp":
                    self._shape(each)
                case "tbl":
                    self.outline.block(table_text(_rows(each)))
                case "AlternateContent":
                    self._shapes(alternative(each), title)
                case "p":  # of a text that stands outside a shape
                    self.outline.block(_paragraph(each))
                case _:
                    self.outline.block(drawn(self.package, self._parts, each))
                    self._shapes(each, title)

    def _shape(self, element: Xml) -> None:
        kind, text = _placeholder(element), _text(element)
        if kind in _FRAME or (kind == "ftr" and text in self._footers):
            return
        if kind == "ftr":
            self._footers.add(text)
        self.outline.block(text)


def _rows(table: Xml) -> Iterator[list[str]]:
    """The texts of the cells; what spans several rows stands in each."""
    above: list[str] = []
    for row in (each for each in table if local(each) == "tr"):
        cells = [each for each in row if local(each) == "tc"]
        merged = [each.get("vMerge") in ("1", "true") for each in cells]
        above = [
            above[place] if merged[place] and place < len(above) else " ".join(_text(cell).split())
            for place, cell in enumerate(cells)
        ]
        yield above


def _placeholder(shape: Xml) -> str:
    """What a shape is a placeholder for, empty for none."""
    holder = child(shape, "nvSpPr", "nvPr", "ph")
    return "" if holder is None else attribute(holder, "type") or "body"


def _text(element: Xml) -> str:
    """The paragraphs of a shape or a cell, a line each."""
    body = child(element, "txBody")
    return "\n".join(filter(None, (_paragraph(each).strip() for each in body if local(each) == "p"))) if body is not None else ""


def _paragraph(element: Xml) -> str:
    pieces = []
    for each in element:
        match local(each):
            case "r" | "fld":
                words = child(each, "t")
                pieces.append((words.text or "") if words is not None else "")
            case "br":
                pieces.append("\n")
            case "AlternateContent":
                pieces.append(_paragraph(alternative(each)))
            case "oMath" | "oMathPara" | "m":
                pieces.append(f" {formula(each)} ")
    return "".join(pieces)
