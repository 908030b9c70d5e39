"""The styles of a Word document: which are headings, which the title, which belong to a list, which font they are set in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from vecsearch.documents.loaders.office.package import XmlElement, find_child, get_attribute, get_local_name

_HEADING_NAME: Final = re.compile(r"heading ([1-9])$", re.IGNORECASE)  # built-in names are English in every Word
_BASES_MAX: Final = 12  # styles that a style is based on, one on the other


@dataclass(frozen=True, slots=True)
class ParagraphStyle:
    """`outline_level` is that of a heading, 0 the outermost, or None; `number` and `level` say which list it is of, `font` what
    its characters are drawn with, empty where it does not say so."""

    id: str = ""
    outline_level: int | None = None
    number: str = ""
    level: str = ""
    is_title: bool = False
    base: str = ""
    font: str = ""


@dataclass(frozen=True, slots=True)
class ParagraphStyles:
    """Styles of paragraphs and characters by id."""

    _by_id: dict[str, ParagraphStyle] = field(default_factory=dict)

    def resolve(self, properties: XmlElement | None) -> ParagraphStyle:
        """Return what a paragraph's properties make of it."""
        style = self._resolve_inherited(get_attribute(find_child(properties, "pStyle"), "val"))
        own = _get_outline_level(properties)
        return style if own is None else replace(style, outline_level=own if own < 9 else None)

    def find_font(self, properties: XmlElement | None, paragraph_font: str) -> str:
        """Return the font of a run with these properties in a paragraph of that font, empty where no style names one."""
        own = _get_font(properties)
        return own or self._resolve_inherited(get_attribute(find_child(properties, "rStyle"), "val")).font or paragraph_font

    def _resolve_inherited(self, name: str) -> ParagraphStyle:
        """Return a style with what it takes from those below it."""
        style = self._by_id.get(name, ParagraphStyle(name))
        below = style
        for _ in range(_BASES_MAX):
            if not below.base or below.base not in self._by_id:
                break
            below = self._by_id[below.base]
            style = replace(
                style,
                outline_level=below.outline_level if style.outline_level is None else style.outline_level,
                number=style.number or below.number, level=style.level or below.level, font=style.font or below.font,
            )  # fmt: skip
        return style if style.outline_level is None or style.outline_level < 9 else replace(style, outline_level=None)


def read_styles(root: XmlElement | None) -> ParagraphStyles:
    """Return the styles of word/styles.xml."""
    styles = {}
    for element in root if root is not None else ():
        if get_local_name(element) == "style":
            style = _read_style(element)
            styles[style.id] = style
    return ParagraphStyles(styles)


def _read_style(element: XmlElement) -> ParagraphStyle:
    name = get_attribute(find_child(element, "name"), "val")
    properties = find_child(element, "pPr")
    outline, heading = _get_outline_level(properties), _HEADING_NAME.match(name)
    return ParagraphStyle(
        get_attribute(element, "styleId"),
        int(heading[1]) - 1 if heading and outline is None else outline,
        get_attribute(find_child(properties, "numPr", "numId"), "val"),
        get_attribute(find_child(properties, "numPr", "ilvl"), "val"),
        name.lower() == "title",
        get_attribute(find_child(element, "basedOn"), "val"),
        _get_font(find_child(element, "rPr")),
    )


def _get_outline_level(properties: XmlElement | None) -> int | None:
    """Return the outline level that some properties state, 9 for body text, None where they state none."""
    value = get_attribute(find_child(properties, "outlineLvl"), "val")
    return int(value) if value.isdecimal() and len(value) == 1 else None


def _get_font(properties: XmlElement | None) -> str:
    """Return the font that the properties of a run name, empty where they name none."""
    fonts = find_child(properties, "rFonts")
    return get_attribute(fonts, "hAnsi") or get_attribute(fonts, "ascii")
