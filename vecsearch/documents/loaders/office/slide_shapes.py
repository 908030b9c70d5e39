"""Where the shapes of a slide stand: by themselves, or as the layout says whose places they fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    choose_alternative,
    find_child,
    get_attribute,
    get_local_name,
)
from vecsearch.documents.loaders.office.reading_order import Box, merge_boxes, sort_in_reading_order

_FRAMES: Final[Mapping[str, tuple[str, ...]]] = {  # where each kind of shape says its place
    "sp": ("spPr", "xfrm"), "cxnSp": ("spPr", "xfrm"), "pic": ("spPr", "xfrm"), "grpSp": ("grpSpPr", "xfrm"),
    "graphicFrame": ("xfrm",), "contentPart": ("xfrm",),
}  # fmt: skip
_DIGITS_MAX: Final = 12
_BODY: Final = "obj"  # what a placeholder is for that does not say
_MASTER_TYPES: Final = {"ctrTitle": "title", "subTitle": "body", _BODY: "body"}


@dataclass(slots=True)
class LayoutBoxes:
    """The places that the layouts of a presentation give to placeholders."""

    package: Package
    _boxes: dict[str, Mapping[str, Box]] = field(default_factory=dict)  # by the part of a layout

    def read(self, slide: str) -> Mapping[str, Box]:
        """Return those of the layout of the slide in a part: by the numbers of placeholders, and by what they are for."""
        layout = next(iter(self.package.find_related(slide, "/slideLayout").values()), "")
        if layout not in self._boxes:
            self._boxes[layout] = self._read_layout(layout) if layout else {}
        return self._boxes[layout]

    def _read_layout(self, layout: str) -> Mapping[str, Box]:
        master = next(iter(self.package.find_related(layout, "/slideMaster").values()), "")
        by_type = {kind: box for names, box in self._read_placeholders(master, {}) for kind in names[1:2]}
        boxes = self._read_placeholders(layout, by_type)
        return by_type | {name: box for names, box in reversed(boxes) for name in names[:2]}

    def _read_placeholders(self, part: str, inherited: Mapping[str, Box]) -> list[tuple[tuple[str, ...], Box]]:
        """Return the places that a layout or a master gives, each with the names of its placeholder."""
        shapes = find_child(self.package.parse_part(part), "cSld", "spTree") if part else None
        holders = [(get_placeholder(shape), _find_box(shape, inherited)) for shape in (shapes if shapes is not None else ())]
        return [(_name_placeholder(holder), box) for holder, box in holders if holder is not None and box]


def sort_shapes(shapes: Iterable[XmlElement], inherited: Mapping[str, Box]) -> list[XmlElement]:
    """Return the shapes of a slide, or of one of its groups, in the order in which they are read."""
    return sort_in_reading_order(shapes, lambda shape: _find_box(shape, inherited))


def get_placeholder(shape: XmlElement) -> XmlElement | None:
    """Return what says that a shape is a placeholder, None for any other."""
    return find_child(shape, "nvSpPr", "nvPr", "ph")


def _name_placeholder(holder: XmlElement) -> tuple[str, ...]:
    """Return what its place is known by, the best first: its number, what it is for, what the master has for that."""
    kind = get_attribute(holder, "type") or _BODY
    index = get_attribute(holder, "idx")
    return f"#{index}" if index else kind, kind, _MASTER_TYPES.get(kind, kind)


def _find_box(shape: XmlElement, inherited: Mapping[str, Box]) -> Box | None:
    """Return where a shape stands in what it lies in."""
    tag = get_local_name(shape)
    if tag == "AlternateContent":
        return merge_boxes(_find_box(child, inherited) for child in choose_alternative(shape))
    if box := _read_frame(find_child(shape, *_FRAMES[tag])) if tag in _FRAMES else None:
        return box
    if tag == "grpSp":
        return merge_boxes(_find_box(child, inherited) for child in shape)
    holder = get_placeholder(shape) if tag == "sp" else None
    names = _name_placeholder(holder) if holder is not None else ()
    return next((inherited[name] for name in names if name in inherited), None)


def _read_frame(frame: XmlElement | None) -> Box | None:
    """Return the box that a frame states; none for an empty one, which groups have that were never moved."""
    place, size = find_child(frame, "off"), find_child(frame, "ext")
    left, top = (_parse_length(get_attribute(place, name)) for name in "xy")
    width, height = (_parse_length(get_attribute(size, name)) for name in ("cx", "cy"))
    if left is None or top is None or not (width or height):
        return None
    return Box(left, top, left + (width or 0), top + (height or 0))


def _parse_length(value: str) -> int | None:
    digits = value.removeprefix("-")
    return int(value) if digits.isdecimal() and len(digits) <= _DIGITS_MAX else None
