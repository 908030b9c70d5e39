"""What a chart or diagram in an office document says: its titles, and a line for each category with the values of the series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from vecsearch.documents.loaders.office.package import Package, Xml, attribute, child, descendants, local
from vecsearch.documents.loaders.table import row_line, shown

_FILE_NAME: Final = re.compile(r"\S*\.\w{2,4}$")
_KIND: Final = re.compile(r"(bar|line|pie|area|scatter|bubble|radar|doughnut|stock|surface)(3D)?Chart$")
_POINTS_MAX: Final = 2_000  # categories of one chart: with more it is a measurement, not a text


def drawn(package: Package, parts: dict[str, str], element: Xml) -> str:
    """What an element inside a drawing says, if it is a chart, a diagram, or what a picture is described by; else nothing."""
    match local(element):
        case "chart":
            return chart(package.xml(parts.get(attribute(element, "id"), "")))
        case "relIds":
            root = package.xml(parts.get(attribute(element, "dm"), ""))
            return "\n".join(filter(None, map(paragraph, descendants(root, "p"))))
        case "docPr" | "cNvPr":
            said = " ".join(element.get("descr", "").split())
            return "" if _FILE_NAME.match(said) else said
        case _:
            return ""


def paragraph(element: Xml) -> str:
    """The text of a DrawingML paragraph."""
    return "".join((each.text or "") if local(each) == "t" else "\n" for each in element.iter() if local(each) in ("t", "br"))


def chart(root: Xml | None) -> str:
    """A chart's titles and data, a line each."""
    if root is None:
        return ""
    titles = [text for title in descendants(root, "title") if (text := " ".join(map(paragraph, descendants(title, "p"))).strip())]
    series = list(descendants(root, "ser"))
    names = [" ".join(_values(child(each, "tx"))) for each in series]
    labels = next((found for each in series if (found := _values(child(each, "cat"), child(each, "xVal")))), [])
    columns = [_values(child(each, "val"), child(each, "yVal")) for each in series]
    count = min(max(map(len, (labels, *columns))), _POINTS_MAX)
    rows = [row_line(["", *names], [_at(labels, row), *(_at(column, row) for column in columns)]) for row in range(count)]
    new = [text for each in root.iter() if local(each) == "pt" and (text := (each.text or "").strip())]  # charts since 2016
    kinds = [f"{kind[1].capitalize()} chart" for each in root.iter() if (kind := _KIND.match(local(each)))]
    return "\n".join(filter(None, (*titles, *kinds[:1], *(rows or names), *new)))


def _at(values: Sequence[str], place: int) -> str:
    return values[place] if place < len(values) else ""


def _values(*elements: Xml | None) -> list[str]:
    """The points of a series, or its name; several levels of categories are joined."""
    for element in elements:
        levels = list(descendants(element, "lvl")) or ([element] if element is not None else [])
        points: dict[int, list[str]] = {}
        for level in reversed(levels):
            for order, value in enumerate(_points(level)):
                points.setdefault(value[0] if value[0] >= 0 else order, []).append(value[1])
        if points:
            return [" ".join(points.get(place, [])) for place in range(min(max(points) + 1, _POINTS_MAX))]
    return []


def _points(level: Xml) -> list[tuple[int, str]]:
    found = []
    for each in level.iter():
        if local(each) == "pt":
            index = each.get("idx", "")
            value = child(each, "v")
            found.append((int(index) if index.isdecimal() and len(index) < 7 else -1, _value(value)))
    return found or [(0, _value(each)) for each in level.iter() if local(each) == "v"]


def _value(element: Xml | None) -> str:
    text = " ".join(((element.text if element is not None else "") or "").split())
    try:
        return shown(float(text))
    except ValueError:
        return text
