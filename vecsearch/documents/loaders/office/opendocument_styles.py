"""The styles of an OpenDocument file: which fonts its texts are set in, how its lists and headings are numbered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vecsearch.documents.loaders.list_numbers import ListLevel, count_item
from vecsearch.documents.loaders.office.numbering import parse_small_int
from vecsearch.documents.loaders.office.package import XmlElement, find_child, get_attribute, get_local_name

_PARENTS_MAX: Final = 12  # styles that a style is based on, one on the other
_KINDS: Final = {  # by the first number
    "1": "decimal", "a": "lowerAlpha", "A": "upperAlpha", "i": "lowerRoman", "I": "upperRoman", "": "none", "01": "decimalZero",
    "①": "decimalEnclosedCircle", "１": "decimalFullWidth", "一": "chineseCounting", "А": "russianUpper", "а": "russianLower",
}  # fmt: skip
_PLACEHOLDER: Final = re.compile("%(10|[1-9])%")  # of a level's number, as LibreOffice writes it
_OUTLINE: Final = "outline-style"
_GROUPS: Final = ("font-face-decls", "styles", "automatic-styles")


@dataclass(frozen=True, slots=True)
class OpenDocumentStyles:
    """Styles by family and name. A later one of the same name goes before an earlier one."""

    _faces: Mapping[str, str] = field(default_factory=dict)
    _fonts: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # the font, and the name of the parent
    _lists: Mapping[str, Mapping[int, ListLevel]] = field(default_factory=dict)

    def find_font(self, element: XmlElement, family: str, outer: str) -> str:
        """Return the font of an element of a family ("paragraph", "text"), `outer` where its style names none."""
        name = get_attribute(element, "style-name")
        for _ in range(_PARENTS_MAX):
            font, parent = self._fonts.get((family, name), ("", ""))
            if font or not parent:
                return self._faces.get(font, font) or outer
            name = parent
        return outer

    def find_levels(self, name: str) -> Mapping[int, ListLevel]:
        """Return the levels of a list style, none for a name that is not known."""
        return self._lists.get(name, {})

    @property
    def outline(self) -> Mapping[int, ListLevel]:
        """Return the levels of headings."""
        return self._lists.get(_OUTLINE, {})


def read_opendocument_styles(*parts: Iterable[XmlElement]) -> OpenDocumentStyles:
    """Read the styles of some parts, each given as its elements."""
    faces, fonts, lists = dict[str, str](), dict[tuple[str, str], tuple[str, str]](), dict[str, Mapping[int, ListLevel]]()
    groups = (group for part in parts for group in part if get_local_name(group) in _GROUPS)
    for element in (element for group in groups for element in group):
        name = get_attribute(element, "name")
        match get_local_name(element):
            case "font-face":
                faces[name] = get_attribute(element, "font-family").strip("'\"")
            case "style":
                about = find_child(element, "text-properties")
                font = get_attribute(about, "font-name") or get_attribute(about, "font-family").strip("'\"")
                fonts[get_attribute(element, "family"), name] = font, get_attribute(element, "parent-style-name")
            case "list-style":
                lists[name] = dict(map(_read_level, element))
            case "outline-style":
                lists[_OUTLINE] = lists[name or _OUTLINE] = dict(map(_read_level, element))
    return OpenDocumentStyles(faces, fonts, lists)


def _read_level(element: XmlElement) -> tuple[int, ListLevel]:
    depth = parse_small_int(get_attribute(element, "level"), 1) - 1
    if not get_local_name(element).endswith(("level-style-number", "outline-level-style")):
        return depth, ListLevel(kind="bullet")
    shown = min(max(parse_small_int(get_attribute(element, "display-levels"), 1), 1), depth + 1)
    numbers = ".".join(f"%{place + 1}" for place in range(depth + 1 - shown, depth + 1))
    text = get_attribute(element, "num-prefix") + numbers + get_attribute(element, "num-suffix")
    if own := get_attribute(element, "num-list-format"):
        text = _PLACEHOLDER.sub(r"%\1", own)
    start = parse_small_int(get_attribute(element, "start-value"), 1)
    return depth, ListLevel(start, _KINDS.get(get_attribute(element, "num-format").partition(",")[0], "decimal"), text)


@dataclass(slots=True)
class RunningLists:
    """The lists of a document, counted on as their items come."""

    styles: OpenDocumentStyles
    _by_id: dict[str, dict[int, int]] = field(default_factory=dict)
    _by_style: dict[str, dict[int, int]] = field(default_factory=dict)
    _outline: dict[int, int] = field(default_factory=dict)

    def start_list(self, element: XmlElement) -> tuple[str, dict[int, int]]:
        """Return the style of a list that is in no other, and its numbers so far: none, unless it goes on with another one."""
        style, goes_on = get_attribute(element, "style-name"), get_attribute(element, "continue-numbering") == "true"
        numbers = self._by_id.get(get_attribute(element, "continue-list"))
        if numbers is None:
            numbers = self._by_style.get(style, {}) if goes_on else {}
        self._by_style[style] = numbers
        if name := get_attribute(element, "id"):
            self._by_id[name] = numbers
        return style, numbers

    def count_item(self, item: XmlElement, style: str, numbers: dict[int, int], depth: int) -> str:
        """Return what stands before an item of a list, nothing before a bullet's."""
        levels = self.styles.find_levels(style)
        if depth not in levels or get_local_name(item) != "list-item":
            return ""
        if start := get_attribute(item, "start-value"):
            numbers[depth] = parse_small_int(start, 1) - 1
        return count_item(levels, numbers, depth)

    def count_heading(self, heading: XmlElement, depth: int) -> str:
        """Return what stands before a heading that is in no list."""
        levels = self.styles.outline
        if depth not in levels or get_attribute(heading, "is-list-header") == "true":
            return ""
        if get_attribute(heading, "restart-numbering") == "true":
            self._outline[depth] = parse_small_int(get_attribute(heading, "start-value"), levels[depth].start) - 1
        return count_item(levels, self._outline, depth)
