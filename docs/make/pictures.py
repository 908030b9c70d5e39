"""The pictures of the documentation: a search in a terminal, and how data flows."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from docs.make.sessions import Session

COMMANDS: Final = ("vecsearch index ~/notes", "vecsearch search what keeps prices stable -n 2")
_FLOWS: Final = {
    "write": ("files, lists, Python", "scan and compare", "parse and split", "embed", "SQLite and FAISS\nin one folder"),
    "search": ("question", "filter", "cosine and BM25", "fuse, rerank, group", "hits"),
}
_FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw_flow() -> str:
    """Draw both flows, a row of boxes each, as an SVG that reads on light and on dark pages."""
    step, parts = 170, []
    for row, (name, boxes) in enumerate(_FLOWS.items()):
        top = 20 + row * 90
        parts.append(f'<text x="8" y="{top + 35}" font-weight="bold" fill="#888">{name}</text>')
        for place, label in enumerate(boxes):
            left = 70 + place * step
            parts.append(f'<rect x="{left}" y="{top}" width="140" height="60" rx="8" fill="#e8eef7" stroke="#4a6fa5"/>')
            lines = label.split("\n")
            baselines = (top + 43 - 9 * len(lines) + 18 * line for line in range(len(lines)))
            parts += [
                f'<text x="{left + 70}" y="{y}" text-anchor="middle">{text}</text>'
                for y, text in zip(baselines, lines, strict=True)
            ]
            if place + 1 < len(boxes):
                arrow = f"M{left + 140} {top + 30} h26 m-7 -5 l7 5 l-7 5"
                parts.append(f'<path d="{arrow}" fill="none" stroke="#4a6fa5" stroke-width="2"/>')
    size = f'viewBox="0 0 {70 + step * 5 - 10} 190"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">', *parts, "</svg>", ""]
    )


def draw_terminal(session: Session) -> str:
    """Run the commands and draw what a terminal of 80 columns shows, fonts of the reader's own."""
    console = Console(record=True, width=82, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for command in COMMANDS:
        colours = " --color always" if " search " in command else ""
        _, output = session.run_line(command + colours)
        console.print(Text.from_ansi(f"$ {command}\n{output}\n"))
    picture = console.export_svg(title="vecsearch", unique_id="vecsearch")
    return "\n".join(line.rstrip() for line in _FONTS.sub("", picture).splitlines()) + "\n"


def write_pictures(folder: Path, session: Session) -> None:
    """Write both pictures into the folder."""
    (folder / "flow.svg").write_text(draw_flow(), encoding="utf-8")
    (folder / "terminal.svg").write_text(draw_terminal(session), encoding="utf-8")
