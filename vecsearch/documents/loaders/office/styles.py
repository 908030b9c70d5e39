"""The paragraph styles of a Word document: which are headings, which the title, which belong to a list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from vecsearch.documents.loaders.office.package import Xml, attribute, child, local

_HEADING: Final = re.compile(r"heading ([1-9])$", re.IGNORECASE)  # built-in names are English in every Word
_BASES_MAX: Final = 12  # styles that a style is based on, one on the other


@dataclass(frozen=True, slots=True)
class Style:
    """`outline` is the level of a heading, 0 the outermost, None for no heading; `number` and `level` say which list it is of."""

    id: str = ""
    outline: int | None = None
    number: str = ""
    level: str = ""
    is_title: bool = False
    base: str = ""


@dataclass(frozen=True, slots=True)
class Styles:
    """Paragraph styles by id."""

    _by_id: dict[str, Style] = field(default_factory=dict)

    def of(self, properties: Xml | None) -> Style:
        """What a paragraph's properties make of it."""
        style = self._whole(attribute(child(properties, "pStyle"), "val"))
        own = _outline(properties)
        return style if own is None else replace(style, outline=own if own < 9 else None)

    def _whole(self, name: str) -> Style:
        """A style with what it takes from those below it."""
        style = self._by_id.get(name, Style(name))
        below = style
        for _ in range(_BASES_MAX):
            if not below.base or below.base not in self._by_id:
                break
            below = self._by_id[below.base]
            style = replace(
                style,
                outline=below.outline if style.outline is None else style.outline,
                number=style.number or below.number, level=style.level or below.level,
            )  # fmt: skip
        return style if style.outline is None or style.outline < 9 else replace(style, outline=None)


def styles(root: Xml | None) -> Styles:
    """The styles of word/styles.xml."""
    found = {}
    for each in root if root is not None else ():
        if local(each) == "style":
            style = _style(each)
            found[style.id] = style
    return Styles(found)


def _style(element: Xml) -> Style:
    name = attribute(child(element, "name"), "val")
    properties = child(element, "pPr")
    outline, heading = _outline(properties), _HEADING.match(name)
    return Style(
        attribute(element, "styleId"),
        int(heading[1]) - 1 if heading and outline is None else outline,
        attribute(child(properties, "numPr", "numId"), "val"),
        attribute(child(properties, "numPr", "ilvl"), "val"),
        name.lower() == "title",
        attribute(child(element, "basedOn"), "val"),
    )


def _outline(properties: Xml | None) -> int | None:
    """The outline level that some properties state, 9 for body text, None where they state none."""
    value = attribute(child(properties, "outlineLvl"), "val")
    return int(value) if value.isdecimal() and len(value) == 1 else None
