"""What a chart or diagram in an office document says: its titles, and a line for each category with the values of the series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    find_child,
    get_attribute,
    get_local_name,
    iter_descendants,
)
from vecsearch.documents.loaders.symbol_fonts import decode_symbols
from vecsearch.documents.loaders.table import format_cell, format_row

_FILE_NAME_PATTERN: Final = re.compile(r"\S*\.\w{2,4}$")
_CHART_TAG: Final = re.compile(r"(bar|line|pie|area|scatter|bubble|radar|doughnut|stock|surface)(3D)?Chart$")
_LONE_SIGN: Final = re.compile("\\s*[\x80-\xff]\\s*")  # alone in its run: an arrow that "-->" became, not the letter "à"
_POINTS_MAX: Final = 2_000  # categories of one chart: with more it is a measurement, not a text


def extract_drawing_text(package: Package, parts: dict[str, str], element: XmlElement) -> str:
    """Return what an element inside a drawing says, if it is a chart, a diagram, or what a picture is described by; else
    nothing."""
    match get_local_name(element):
        case "chart":
            return format_chart(package.parse_part(parts.get(get_attribute(element, "id"), "")))
        case "relIds":
            root = package.parse_part(parts.get(get_attribute(element, "dm"), ""))
            return "\n".join(filter(None, map(extract_paragraph_text, iter_descendants(root, "p"))))
        case "docPr" | "cNvPr":
            description = " ".join(element.get("descr", "").split())
            return "" if _FILE_NAME_PATTERN.match(description) else description
        case "textpath":  # letters drawn as a picture
            return element.get("string", "")
        case _:
            return ""


def extract_paragraph_text(element: XmlElement) -> str:
    """Return the text of a DrawingML paragraph."""
    return "".join(
        "\n" if get_local_name(child) == "br" else extract_run_text(child)
        for child in element.iter()
        if get_local_name(child) in ("r", "fld", "br")
    )


def extract_run_text(element: XmlElement) -> str:
    """Return the text of a DrawingML run, as the fonts of its properties show it."""
    words = find_child(element, "t")
    text = (words.text or "") if words is not None else ""
    for kind in ("latin", "sym"):
        font = get_attribute(find_child(element, "rPr", kind), "typeface")
        text = decode_symbols(font, text, private_only=kind == "sym" and not _LONE_SIGN.fullmatch(text))
    return text


def format_chart(root: XmlElement | None) -> str:
    """Return a chart's titles and data, a line each."""
    if root is None:
        return ""
    titles = [
        text
        for title in iter_descendants(root, "title")
        if (text := " ".join(map(extract_paragraph_text, iter_descendants(title, "p"))).strip())
    ]
    series = list(iter_descendants(root, "ser"))
    names = [" ".join(_read_series_values(find_child(child, "tx"))) for child in series]
    labels = next(
        (
            categories
            for child in series
            if (categories := _read_series_values(find_child(child, "cat"), find_child(child, "xVal")))
        ),
        [],
    )
    columns = [_read_series_values(find_child(child, "val"), find_child(child, "yVal")) for child in series]
    count = min(max(map(len, (labels, *columns))), _POINTS_MAX)
    rows = [
        format_row(["", *names], [_get_value(labels, row), *(_get_value(column, row) for column in columns)])
        for row in range(count)
    ]
    new = [
        text for child in root.iter() if get_local_name(child) == "pt" and (text := (child.text or "").strip())
    ]  # charts since 2016
    kinds = [f"{kind[1].capitalize()} chart" for child in root.iter() if (kind := _CHART_TAG.match(get_local_name(child)))]
    return "\n".join(filter(None, (*titles, *kinds[:1], *(rows or names), *new)))


def _get_value(values: Sequence[str], index: int) -> str:
    return values[index] if index < len(values) else ""


def _read_series_values(*elements: XmlElement | None) -> list[str]:
    """Return the points of a series, or its name; several levels of categories are joined."""
    for element in elements:
        levels = list(iter_descendants(element, "lvl")) or ([element] if element is not None else [])
        points: dict[int, list[str]] = {}
        for level in reversed(levels):
            for order, value in enumerate(_read_points(level)):
                points.setdefault(value[0] if value[0] >= 0 else order, []).append(value[1])
        if points:
            return [" ".join(points.get(place, [])) for place in range(min(max(points) + 1, _POINTS_MAX))]
    return []


def _read_points(level: XmlElement) -> list[tuple[int, str]]:
    points = []
    for child in level.iter():
        if get_local_name(child) == "pt":
            index = child.get("idx", "")
            value = find_child(child, "v")
            points.append((int(index) if index.isdecimal() and len(index) < 7 else -1, _read_value(value)))
    return points or [(0, _read_value(child)) for child in level.iter() if get_local_name(child) == "v"]


def _read_value(element: XmlElement | None) -> str:
    text = " ".join(((element.text if element is not None else "") or "").split())
    try:
        return format_cell(float(text))
    except ValueError:
        return text
