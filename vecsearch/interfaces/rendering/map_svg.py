"""A map of documents as SVG, and as a page of HTML around it: points with titles, labels where there is room for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from vecsearch.core.document_map import DocumentMap, MapPoint
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.svg import (
    FAINT,
    INK,
    PALETTE,
    draw_circle,
    draw_document,
    draw_rectangle,
    draw_text,
    escape_text,
    measure_text,
    mix_blue,
)
from vecsearch.interfaces.rendering.terminal import shorten_end
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_SIDE: Final = 900
_MARGIN: Final = 40
_TOP: Final = 74
_CAPTION: Final = 52  # where what stands above the map ends
_LEGEND: Final = 260
_LEGEND_CELLS: Final = 32
_RADIUS: Final = 4.0
_POINT: Final = 2.5  # half the side of what a label leaves free of a point
_LABEL_CELLS: Final = 26
_SIZE: Final = 11.0
_LINE: Final = 12.0
_BUCKET: Final = 60.0  # side of the squares in which a label looks for others
_OTHER: Final = "#9aa7b4"
_SCALE_STEPS: Final = 5

Colors = Mapping[Any, str]


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def is_clear_of(self, other: _Box) -> bool:
        return self.right < other.left or other.right < self.left or self.bottom < other.top or other.bottom < self.top


def format_caption(document_map: DocumentMap) -> str:
    """Return in one line what is drawn and how far it can be believed."""
    shown, total = len(document_map.points), document_map.documents
    drawn = format_count(shown, "document") if shown == total else f"{shown:,} of {format_count(total, 'document')}"
    sample = ", a sample" if shown + document_map.without_vector < total else ""
    lacking = f", {document_map.without_vector:,} without a vector left out" if document_map.without_vector else ""
    kept = f"{document_map.neighbours_kept * 100:.0f} %"
    return f"{document_map.collection}: {drawn}{sample}{lacking}; keeps {kept} of each one's five nearest"


def draw_map(document_map: DocumentMap) -> str:
    """Return the picture: the same map gives the same picture."""
    colors, legend = _choose_colors(document_map)
    width = _SIDE + (_LEGEND if legend else 0)
    title = f"Map of {document_map.collection}"
    parts = [
        draw_text(_MARGIN, 28, shorten_end(make_printable(" ".join(title.split())), 60), size=16, bold=True),
        draw_text(_MARGIN, 46, format_caption(document_map), fill=FAINT),
        *_draw_points(document_map.points, colors),
        *_draw_labels(document_map.points),
        *_draw_legend(document_map.color, legend),
    ]
    return draw_document(width, _SIDE + _TOP - _MARGIN, title, parts)


def build_page(document_map: DocumentMap) -> str:
    """Return an HTML page that holds the picture, loads nothing and runs nothing."""
    title = escape_text(f"Map of {document_map.collection}")
    policy = escape("default-src 'none'; style-src 'unsafe-inline'")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<style>body{margin:0;background:#fff}svg{display:block;margin:auto;max-width:100%;height:auto}"
        "circle:hover{stroke:#1f2328;stroke-width:2;fill-opacity:1}text{pointer-events:none}</style>\n</head>\n<body>\n"
        f"{draw_map(document_map)}</body>\n</html>\n"
    )


def _locate(point: MapPoint) -> tuple[float, float]:
    room = _SIDE - 2 * _MARGIN
    return _MARGIN + point.x * room, _TOP + (1 - point.y) * room


def _draw_points(points: Sequence[MapPoint], colors: Colors) -> Iterator[str]:
    for point in points:
        x, y = _locate(point)
        value = "" if point.value is None else f" · {_format_value(point.value)}"
        label = "" if point.label == point.id else f"{point.label} · "
        text = "" if point.text.strip() == point.label else f" · {point.text}"
        hover = f"{label}{point.id}{value}{text}"
        yield draw_circle(x, y, _RADIUS, colors.get(_make_key(point.value), _OTHER) if colors else PALETTE[0], hover)


def _draw_labels(points: Sequence[MapPoint]) -> Iterator[str]:
    """Yield the labels that find room beside their point without covering another label."""
    taken: dict[tuple[int, int], list[_Box]] = {}
    for x, y in map(_locate, points):
        _take(taken, _Box(x - _POINT, y - _POINT, x + _POINT, y + _POINT))
    for point in points:
        x, y = _locate(point)
        label = shorten_end(make_printable(" ".join(point.label.split())), _LABEL_CELLS)
        width = measure_text(label, _SIZE)
        for left, baseline in ((x + 6, y + 4), (x - 6 - width, y + 4), (x - width / 2, y - 7), (x - width / 2, y + 15)):
            box = _Box(left - 1, baseline - _LINE + 2, left + width + 1, baseline + 2)
            if box.left > 2 and box.right < _SIDE - 2 and box.top > _CAPTION and _reserve(taken, box):
                yield draw_text(left, baseline, label, size=_SIZE, fill=INK)
                break


def _reserve(taken: dict[tuple[int, int], list[_Box]], box: _Box) -> bool:
    """Return whether a box is free; it is taken then."""
    if not all(box.is_clear_of(other) for bucket in _list_buckets(box) for other in taken.get(bucket, ())):
        return False
    _take(taken, box)
    return True


def _take(taken: dict[tuple[int, int], list[_Box]], box: _Box) -> None:
    for bucket in _list_buckets(box):
        taken.setdefault(bucket, []).append(box)


def _list_buckets(box: _Box) -> list[tuple[int, int]]:
    columns, rows = (
        range(int(low // _BUCKET), int(high // _BUCKET) + 1) for low, high in ((box.left, box.right), (box.top, box.bottom))
    )
    return [(column, row) for column in columns for row in rows]


def _choose_colors(document_map: DocumentMap) -> tuple[Colors, list[tuple[str, str]]]:
    """Return the colour of each value, and the lines of the legend: a scale for many numbers, else the most frequent values."""
    values = [point.value for point in document_map.points if point.value is not None]
    if document_map.color is None or not values:
        return {}, []
    counts = Counter(map(_make_key, values))
    if len(counts) > len(PALETTE) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        low, span = min(values), max(values) - min(values)
        colors = {_make_key(value): mix_blue(0.25 + 0.75 * (value - low) / span) for value in values}
        steps = [low + span * step / (_SCALE_STEPS - 1) for step in range(_SCALE_STEPS)]
        return colors, [(f"{step:g}", mix_blue(0.25 + 0.75 * (step - low) / span)) for step in steps]
    frequent = counts.most_common(len(PALETTE))
    colors = {key: color for (key, _), color in zip(frequent, PALETTE, strict=False)}
    names = {_make_key(value): _format_value(value) for value in values}
    legend = [(f"{names[key]} ({count:,})", colors[key]) for key, count in frequent]
    rest = len(document_map.points) - sum(count for _, count in frequent)
    return colors, [*legend, (f"other or none ({rest:,})", _OTHER)] if rest else legend


def _draw_legend(key: str | None, legend: Sequence[tuple[str, str]]) -> Iterator[str]:
    if key is None or not legend:
        return
    x, y = _SIDE + 4, _TOP + 10
    yield draw_text(x, y, shorten_end(make_printable(key), _LEGEND_CELLS), bold=True)
    for number, (label, color) in enumerate(legend, 1):
        yield draw_rectangle(x, y + number * 20 - 10, 12, 12, color)
        yield draw_text(x + 18, y + number * 20, shorten_end(make_printable(" ".join(label.split())), _LEGEND_CELLS))


def _make_key(value: Any) -> Any:
    """Return what equal values share: lists and mappings have no hash."""
    return value if isinstance(value, str | int | float | None) else _format_value(value)


def _format_value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
