"""The lists of a Word document: which numbers it prints before headings and list items, which stand nowhere in the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vecsearch.documents.loaders.list_numbers import ListLevel, count_item
from vecsearch.documents.loaders.office.package import (
    XmlElement,
    find_child,
    get_attribute,
    get_local_name,
    is_on,
    iter_descendants,
)


@dataclass(slots=True)
class ListNumbering:
    """The lists of a document, counted on as their items come."""

    _lists: dict[str, tuple[str, Mapping[int, ListLevel]]] = field(default_factory=dict)
    _restarts: dict[str, dict[int, int]] = field(default_factory=dict)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def add_list(self, number: str, abstract: str, levels: Mapping[int, ListLevel], restarts: dict[int, int]) -> None:
        """Add a list by the number that paragraphs name it by. Lists of one abstract list count on together, but for the
        `restarts` by level, each with its first number."""
        self._lists[number], self._restarts[number] = (abstract, levels), restarts

    def find_level(self, number: str, style: str) -> int:
        """Return the level of a list that a paragraph style stands for, the outermost where none does."""
        _, levels = self._lists.get(number, ("", {}))
        return next((depth for depth, level in levels.items() if level.style == style), 0)

    def format_next_label(self, number: str, depth: int) -> str:
        """Return what stands before the next item of a list on a level (0 the outermost); nothing before a bullet's."""
        abstract, levels = self._lists.get(number, ("", {}))
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        for restarted, start in self._restarts.pop(number, {}).items():
            counts[restarted] = start - 1
        return count_item(levels, counts, depth)


def read_numbering(root: XmlElement | None) -> ListNumbering:
    """Return the lists of word/numbering.xml."""
    definitions = ListNumbering()
    if root is None:
        return definitions
    abstracts, by_style, links = dict[str, dict[int, ListLevel]](), dict[str, str](), dict[str, str]()
    for child in root:
        if get_local_name(child) == "abstractNum":
            name = get_attribute(child, "abstractNumId")
            abstracts[name] = _read_levels(child)
            by_style[get_attribute(find_child(child, "styleLink"), "val")] = name
            links[name] = get_attribute(find_child(child, "numStyleLink"), "val")
    for child in root:
        if get_local_name(child) == "num":
            number, abstract = get_attribute(child, "numId"), get_attribute(find_child(child, "abstractNumId"), "val")
            if style := links.get(abstract):  # its levels are those of the list that a style is made of
                abstract = by_style.get(style, abstract)
            restarts = {
                parse_small_int(get_attribute(over, "ilvl"), 0): parse_small_int(
                    get_attribute(find_child(over, "startOverride"), "val"), 1
                )
                for over in child
                if find_child(over, "startOverride") is not None
            }
            levels = {**abstracts.get(abstract, {}), **_read_levels(child)}
            definitions.add_list(number, abstract, levels, restarts)
    return definitions


def parse_small_int(value: str, default: int) -> int:
    """Return a number of a few digits, else the default."""
    return int(value) if value.isdecimal() and len(value) < 7 else default


def _read_levels(element: XmlElement) -> dict[int, ListLevel]:
    return {
        parse_small_int(get_attribute(child, "ilvl"), 0): ListLevel(
            parse_small_int(get_attribute(find_child(child, "start"), "val"), 1),
            get_attribute(find_child(child, "numFmt"), "val") or "decimal",
            get_attribute(find_child(child, "lvlText"), "val"),
            get_attribute(find_child(child, "pStyle"), "val"),
            parse_small_int(get_attribute(find_child(child, "lvlRestart"), "val"), ListLevel().restart_levels),
            is_on(find_child(child, "isLgl")),
        )
        for child in iter_descendants(element, "lvl")
    }
