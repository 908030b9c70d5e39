"""The few elements of SVG that pictures are made of: one file that refers to nothing else, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from vecsearch.interfaces.rendering.terminal import measure_cells
from vecsearch.interfaces.rendering.terminal_safe import make_printable

INK: Final = "#1f2328"
FAINT: Final = "#57606a"
GRID: Final = "#d0d7de"
PALETTE: Final = (  # of eight kinds that colour-blind people tell apart (Okabe and Ito, 2008), the light yellow darkened
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b5a900", "#000000",
)  # fmt: skip
_STYLE: Final = "max-width:100%;height:auto;font-family:system-ui,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif"
_CELL_WIDTH: Final = 0.62  # of a character, in font sizes: about the mean of a sans-serif face


def draw_document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a picture on white ground, with a title for who cannot see it."""
    inside, w, h = "\n".join(parts), round(width), round(height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
        f'role="img" style="{_STYLE}">\n<title>{escape_text(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{inside}\n</svg>\n'
    )


def draw_text(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 12,
    fill: str = INK,
    anchor: str = "start",
    bold: bool = False,
    turn: float = 0,
) -> str:
    """Return a line of text whose baseline begins, or ends, at a point; turned by degrees around it."""
    turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}"{anchored}{weight}{turned}>{escape_text(text)}</text>'
    )


def draw_rectangle(x: float, y: float, width: float, height: float, fill: str, hover: str = "") -> str:
    """Return a rectangle that tells `hover` under the pointer."""
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"'
    return f"{shape}><title>{escape_text(hover)}</title></rect>" if hover else f"{shape}/>"


def draw_circle(x: float, y: float, radius: float, fill: str, hover: str = "") -> str:
    """Return a disc that tells `hover` under the pointer."""
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" fill-opacity="0.75"'
    return f"{shape}><title>{escape_text(hover)}</title></circle>" if hover else f"{shape}/>"


def draw_line(points: Iterable[tuple[float, float]], stroke: str, width: float = 1.5) -> str:
    """Return a line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"/>'


def escape_text(text: str) -> str:
    """Return a text in one line that means nothing to SVG or HTML, without control characters."""
    return escape(make_printable(" ".join(text.split())))


def measure_text(text: str, size: float = 12) -> float:
    """Estimate how wide a text is drawn: browsers differ in their fonts."""
    return measure_cells(text) * size * _CELL_WIDTH


def mix_blue(share: float) -> str:
    """Return a blue for a share from 0, white, to 1, dark."""
    share = min(1.0, max(0.0, share))
    stops = ((255, 255, 255), (107, 174, 214), (8, 48, 107))
    first, second, part = (stops[0], stops[1], share * 2) if share < 0.5 else (stops[1], stops[2], share * 2 - 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(first, second, strict=True))
