"""How each cost grows with the collection: one small picture a cost, as SVG, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any, TypeAlias

Result: TypeAlias = dict[str, Any]
Point: TypeAlias = tuple[float, float]

WIDTH, HEIGHT = 250, 190  # of a picture …
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 30, 26  # … and what lies around its lines
CHARTS_PER_ROW, LEGEND_HEIGHT = 4, 34
COLOURS = {
    "vecsearch": "#000000", "chroma": "#d55e00", "lancedb": "#0072b2", "txtai": "#009e73", "milvus": "#cc79a7",
    "qdrant": "#e69f00", "faiss": "#888888",
}  # fmt: skip
CHARTS: dict[str, Callable[[Result], float | None]] = {
    "ingest, durable (s)": lambda result: result.get("ingest_s"),
    "query, p50 (ms)": lambda result: result.get("all", {}).get("p50_ms"),
    "filter 19 %, p50 (ms)": lambda result: result.get("some", {}).get("p50_ms"),
    "filter < 1 %, p50 (ms)": lambda result: result.get("few", {}).get("p50_ms"),
    "answers missed: 1 − recall@10": lambda result: _compute_missed_share(result.get("all")),
    "reopen to first answer (ms)": lambda result: result.get("reopen_ms"),
    "disk (MB)": lambda result: result.get("disk_mb"),
    "peak memory (MB)": lambda result: result.get("memory_mb"),
}
MISSED_MIN = 0.0005  # no less than this is told apart from none


def draw_charts(results: Sequence[Result]) -> str:
    sizes = sorted({result["rows"] for result in results})
    peers = list(dict.fromkeys(result["peer"] for result in results))
    width, height = CHARTS_PER_ROW * WIDTH, LEGEND_HEIGHT + HEIGHT * ceil(len(CHARTS) / CHARTS_PER_ROW)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_draw_legend_entry(peer, place) for place, peer in enumerate(peers)),
    ]
    for place, (title, value) in enumerate(CHARTS.items()):
        lines = {
            peer: [(result["rows"], y) for result in results if result["peer"] == peer and (y := value(result)) is not None]
            for peer in peers
        }
        x, y = place % CHARTS_PER_ROW * WIDTH, LEGEND_HEIGHT + place // CHARTS_PER_ROW * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_draw_chart(title, sizes, lines)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def draw_timeline(samples: Sequence[Result]) -> str:
    """Draw memory and disk in MB over the minutes, both axes linear."""
    names = [name for name in samples[0] if name != "minutes"] if samples else []
    groups = {"memory (MB)": [name for name in names if name.startswith("memory")]}
    groups["disk (MB)"] = [name for name in names if name not in groups["memory (MB)"]]
    wide, high = 2 * WIDTH, LEGEND_HEIGHT + HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * wide} {high}" font-family="sans-serif" font-size="11">',
        f'<rect width="{2 * wide}" height="{high}" fill="#ffffff"/>',
    ]
    for place, (title, members) in enumerate(groups.items()):
        parts.append(f'<g transform="translate({place * wide} 0)">{_draw_time_chart(title, members, samples, wide, high)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _draw_time_chart(title: str, names: Sequence[str], samples: Sequence[Result], width: int, height: int) -> str:
    last, max_value = (
        max(sample["minutes"] for sample in samples) or 1.0,
        max(sample[name] for sample in samples for name in names) or 1.0,
    )
    plot_width, plot_height = width - LEFT - RIGHT, height - TOP - BOTTOM - LEGEND_HEIGHT
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}, over {last:.0f} minutes</text>']
    for step in range(5):
        y = height - BOTTOM - plot_height * step / 4
        parts.append(f'<path d="M{LEFT} {y:.1f}H{width - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{max_value * step / 4:,.0f}</text>')
    for place, (name, colour) in enumerate(zip(names, list(COLOURS.values()), strict=False)):
        points = (
            f"{LEFT + plot_width * e['minutes'] / last:.1f} {height - BOTTOM - plot_height * e[name] / max_value:.1f}"
            for e in samples
        )
        x = LEFT + place * (plot_width // len(names))
        parts.append(f'<path d="M{"L".join(points)}" stroke="{colour}" fill="none"/>')
        parts.append(f'<path d="M{x} 34h12" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 16}" y="38">{escape(name.removeprefix("memory of "))}</text>')
    return "".join(parts)


def _compute_missed_share(series: Result | None) -> float | None:
    return None if series is None else max(MISSED_MIN, 1 - series["recall"])


def _draw_legend_entry(peer: str, position: int) -> str:
    x = LEFT + position * 115
    return f'<path d="M{x} 18h18" {_format_stroke(peer)}/><text x="{x + 24}" y="22">{escape(peer)}</text>'


def _format_stroke(peer: str) -> str:
    return f'stroke="{COLOURS.get(peer, "#444444")}" stroke-width="{3 if peer == "vecsearch" else 1.5}" fill="none"'


def _draw_chart(title: str, sizes: Sequence[int], lines: dict[str, list[Point]]) -> str:
    values = [y for line in lines.values() for _, y in line] or [1.0]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>']
    for decade in range(low, high + 1):
        y = _scale_y(10.0**decade, low, high)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{10.0**decade:,g}</text>')
    for size in sizes:
        x = _scale_x(size, sizes)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#555555">{_format_rows(size)}</text>')
    for peer, line in sorted(lines.items(), key=lambda item: item[0] == "vecsearch"):
        points = [(_scale_x(rows, sizes), _scale_y(value, low, high)) for rows, value in line]
        if points:
            parts.append(f'<path d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}" {_format_stroke(peer)}/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLOURS.get(peer, "#444444")}"/>' for x, y in points)
    return "".join(parts)


def _scale_x(rows: float, sizes: Sequence[int]) -> float:
    low, high, width = log10(sizes[0]), log10(sizes[-1]), WIDTH - LEFT - RIGHT - 24
    return LEFT + 12 + width * ((log10(rows) - low) / (high - low) if high > low else 0.5)


def _scale_y(value: float, low: int, high: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(value) - low) / (high - low)


def _format_rows(rows: int) -> str:
    return f"{rows / 1_000_000:g}M" if rows >= 1_000_000 else f"{rows / 1000:g}k" if rows >= 1000 else str(rows)
