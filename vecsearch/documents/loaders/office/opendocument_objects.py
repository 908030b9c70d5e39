"""What is embedded in an OpenDocument file as a part of its own: formulas and charts, in one text each, and other documents."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from vecsearch.documents.loaders.office.package import Package, XmlElement, find_child, get_attribute, iter_descendants
from vecsearch.documents.loaders.table import format_row

_TITLES: Final = ("title", "subtitle", "footer")
_DEPTH_MAX: Final = 5  # documents inside each other
_NO_VALUE: Final = "nan"
_ROWS_MAX: Final = 2_000  # of one chart: with more it is a measurement, not a text


@dataclass(slots=True)
class EmbeddedObjects:
    """The objects of a file, or of one in it, that lies in a folder: each is read for the first element only that shows it."""

    package: Package
    folder: str = ""
    _names: set[str] = field(default_factory=set)

    def read(self, element: XmlElement) -> XmlElement | None:
        """Return the root of an object, which is put into its element where it lies in a part of its own; None without one."""
        name = posixpath.normpath(posixpath.join(self.folder, get_attribute(element, "href"), "content.xml"))
        if not len(element) and name not in self._names and self.package.has_part(name):
            self._names.add(name)
            root = self.package.parse_part(name)
            element.extend([root] if root is not None else [])
        return element[0] if len(element) else None

    def enter(self, element: XmlElement) -> EmbeddedObjects | None:
        """Return the objects of the document that an element shows; None where it lies too deep."""
        folder = posixpath.normpath(posixpath.join(self.folder, get_attribute(element, "href")))
        return replace(self, folder=folder) if folder.count("/") < _DEPTH_MAX else None


def format_chart(chart: XmlElement, read_rows: Callable[[XmlElement], Iterator[list[str]]]) -> str:
    """Return a chart's titles and data, a line each."""
    titles = [" ".join("".join(title.itertext()).split()) for name in _TITLES for title in iter_descendants(chart, name)]
    kind = get_attribute(chart, "class").rpartition(":")[2]
    table = find_child(chart, "table")
    rows = list(read_rows(table))[: _ROWS_MAX + 1] if table is not None else []
    rows = [["" if cell.lower() == _NO_VALUE else cell for cell in row] for row in rows]
    header = ["", *rows[0][1:]] if rows else []
    lines = [format_row(header, row) for row in rows[1:]]
    return "\n".join(filter(None, (*titles, f"{kind.capitalize()} chart" if kind else "", *lines)))
