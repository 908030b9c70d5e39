"""An inspection as one picture in SVG: a panel a text, then words layer by layer and the similarity of the texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vecsearch.core.inspection import Head, Inspection, TextInspection
from vecsearch.core.previews import shorten_text
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.attention_views import (
    AttentionView,
    format_correlation,
    format_influences,
    format_turns,
    label_token,
    select_attention,
    shade,
)
from vecsearch.interfaces.rendering.svg import (
    FAINT,
    GRID,
    INK,
    PALETTE,
    draw_circle,
    draw_document,
    draw_line,
    draw_rectangle,
    draw_text,
    measure_text,
    mix_blue,
)
from vecsearch.interfaces.rendering.terminal import shorten_end, wrap_cells
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_MARGIN: Final = 24
_ROW: Final = 18  # the height of a token's line, and the side of a cell
_BAR: Final = 110  # the width of the longest bar
_GAP: Final = 16
_LABEL_CELLS: Final = 18
_HEADS_TOKENS: Final = 20  # in the small maps of all heads
_SMALL: Final = 66  # the side of such a map
_LEVELS: Final = 6  # of shade in it
_CHART_WIDTH: Final = 460
_CHART_HEIGHT: Final = 200
_WRAP_CELLS: Final = 110
_WIDTH_MIN: Final = 720
_TITLE_LENGTH: Final = 300  # characters of a text


@dataclass(slots=True)
class _Canvas:
    """What is drawn so far, and how far down and to the right it reaches."""

    parts: list[str] = field(default_factory=list)
    y: float = _MARGIN
    width: float = _WIDTH_MIN

    def add(self, part: str, right: float = 0) -> None:
        self.parts.append(part)
        self.width = max(self.width, right + _MARGIN)

    def write(self, text: str, *, x: float = _MARGIN, size: float = 12, fill: str = INK, bold: bool = False) -> None:
        """Add a paragraph, wrapped, and move below it."""
        line = make_printable(" ".join(text.split()))
        for part in wrap_cells(line, _WRAP_CELLS):
            self.y += size + 4
            self.add(draw_text(x, self.y, line[part], size=size, fill=fill, bold=bold), x + measure_text(line[part], size))


def draw_inspection(inspection: Inspection, *, head: Head | None = None, heads: bool = False) -> str:
    """Return the picture. With `heads`, small maps of all heads follow each text."""
    canvas = _Canvas()
    dimension = inspection.texts[0].vector.shape[0]
    layers = format_count(inspection.layer_count, "layer")
    canvas.write(f"{inspection.model}: {layers} of {inspection.head_count} heads, {dimension} dimensions", size=13, fill=FAINT)
    for number, text in enumerate(inspection.texts, 1):
        canvas.y += _GAP
        _draw_text_panel(canvas, text, number, head)
        if heads:
            _draw_heads(canvas, text)
        _draw_neighbours(canvas, text)
    canvas.y += _GAP
    canvas.write(format_correlation(inspection), fill=FAINT)
    if inspection.comparisons:
        _draw_comparisons(canvas, inspection)
    if len(inspection.texts) > 1:
        _draw_similarities(canvas, inspection)
    title = f"What {inspection.model} makes of {format_count(len(inspection.texts), 'text')}"
    return draw_document(canvas.width, canvas.y + _MARGIN, title, canvas.parts)


def _draw_text_panel(canvas: _Canvas, text: TextInspection, number: int, head: Head | None) -> None:
    """Add a line a token: its name, its share as a bar, its row of the map, and what shapes its word."""
    canvas.write(f"{number}  {shorten_text(text.text, limit=_TITLE_LENGTH)}", size=15, bold=True)
    view = select_attention(text, head)
    shown = [at for at, token in enumerate(text.tokens) if token.span is None or at in view.places]
    more = f" {format_count(view.hidden, 'token')} more not shown." if view.hidden else ""
    cut = f" {format_count(text.cut_tokens, 'token')} more did not fit the window." if text.cut_tokens else ""
    canvas.write(
        f"Left: each token's share in the vector. Blue: attention, {view.name}; a line looks at the columns. Special tokens draw "
        f"{view.special * 100:.0f} % of it and are left out.{more}{cut}", fill=FAINT,
    )  # fmt: skip
    labels = {at: shorten_end(label_token(text, text.tokens[at]), _LABEL_CELLS) for at in shown}
    left = _MARGIN + max(measure_text(label) for label in labels.values()) + 10
    x_map = left + _BAR + 52
    columns = [labels[place] for place in view.places]
    canvas.y += max(measure_text(label) for label in columns) * 0.87 + _GAP
    for column, label in enumerate(columns):
        x = x_map + column * _ROW + _ROW * 0.7
        canvas.add(draw_text(x, canvas.y - 5, label, turn=-60), x + measure_text(label) * 0.5)
    for at in shown:
        _draw_token(canvas, text, at, labels[at], left, x_map, view)
        canvas.y += _ROW


def _draw_token(
    canvas: _Canvas, text: TextInspection, at: int, label: str, left: float, x_map: float, view: AttentionView
) -> None:
    token, baseline = text.tokens[at], canvas.y + _ROW * 0.72
    canvas.add(draw_text(left - 8, baseline, label, anchor="end", fill=FAINT if token.span is None else INK))
    if token.share is not None:
        most = max(abs(other.share or 0) for other in text.tokens) or 1
        length = max(1.0, _BAR * max(0.0, token.share) / most)
        hover = f"{token.piece}, id {token.id}: {token.share:.2%} of the vector, its row {token.norm:.2f} long"
        canvas.add(draw_rectangle(left, canvas.y + 3, length, _ROW - 6, "#9aa7b4" if token.span is None else PALETTE[0], hover))
        canvas.add(draw_text(left + length + 5, baseline, f"{token.share * 100:.1f} %", size=10.5, fill=FAINT))
    if at not in view.places:
        return
    row = view.weights[view.places.index(at)]
    top = max(float(view.weights.max()), 1e-12)
    for column, (place, weight) in enumerate(zip(view.places, row.tolist(), strict=True)):
        hover = f"{label_token(text, token)} looks at {label_token(text, text.tokens[place])}: {weight:.1%}"
        canvas.add(draw_rectangle(x_map + column * _ROW, canvas.y, _ROW - 1, _ROW - 1, mix_blue(weight / top), hover))
    if token.word is not None and (at == 0 or text.tokens[at - 1].word != token.word):
        influences, turns = format_influences(text, token.word), format_turns(text, token.word)
        note = f"{text.get_word(token.word)} ← {influences or 'nothing else'}" + (f" · left out: {turns}" if turns else "")
        x = x_map + len(view.places) * _ROW + 10
        canvas.add(draw_text(x, baseline, note, size=11), x + measure_text(note, 11))


def _draw_heads(canvas: _Canvas, text: TextInspection) -> None:
    """Add a small map of each head: a row a layer. Shades of one kind make one path, so that the file stays small."""
    layers, heads = text.attention.shape[:2]
    canvas.y += _GAP
    few = f", the first {_HEADS_TOKENS} tokens" if len(text.tokens) > _HEADS_TOKENS + 2 else ""
    canvas.write(f"Each head, a line a layer; special tokens left out{few}", fill=FAINT)
    canvas.y += 8
    for layer in range(layers):
        for number in range(heads):
            head = Head(layer + 1, number + 1)
            x, y = _MARGIN + number * (_SMALL + 14), canvas.y
            view = select_attention(text, head, _HEADS_TOKENS)
            what = f"head {head}: {view.special:.0%} of its attention goes to special tokens"
            canvas.add(draw_text(x, y + 9, str(head), size=10, fill=FAINT))
            canvas.add(draw_rectangle(x, y + 13, _SMALL, _SMALL, "#f6f8fa", what), x + _SMALL)
            for path in _draw_small_map(view, x, y + 13):
                canvas.add(path)
        canvas.y += _SMALL + 24


def _draw_small_map(view: AttentionView, x: float, y: float) -> Iterator[str]:
    levels, side = np.array(shade(view.weights, _LEVELS)), _SMALL / len(view.places)
    for level in range(1, _LEVELS):
        cells = "".join(
            f"M{x + column * side:.1f} {y + row * side:.1f}h{side:.1f}v{side:.1f}h-{side:.1f}z"
            for row, column in np.argwhere(levels == level).tolist()
        )
        if cells:
            yield f'<path d="{cells}" fill="{mix_blue((level + 0.5) / _LEVELS)}" pointer-events="none"/>'


def _draw_neighbours(canvas: _Canvas, text: TextInspection) -> None:
    if text.neighbours is None:
        return
    canvas.y += 8
    canvas.write("Nearest in the collection", fill=FAINT)
    for neighbour in text.neighbours:
        canvas.write(
            shorten_end(f"{neighbour.similarity:.3f}  {neighbour.id}  {' '.join(neighbour.text.split())}", _WRAP_CELLS - 6)
        )


def _draw_comparisons(canvas: _Canvas, inspection: Inspection) -> None:
    """Add a chart: the cosine of each word to itself, from the embeddings to the last layer."""
    canvas.y += _GAP
    canvas.write("The same word in two places: cosine in the embeddings (0) and after each layer", size=13, bold=True)
    values = [value for comparison in inspection.comparisons for value in comparison.similarities]
    low = min(0.0, float(np.floor(min(values) * 5) / 5)) if min(values) < 0.2 else float(np.floor(min(values) * 5 - 0.01) / 5)
    top, x0, layers = canvas.y + 18, _MARGIN + 36, inspection.layer_count

    def place(layer: int, value: float) -> tuple[float, float]:
        return x0 + layer * _CHART_WIDTH / layers, top + (1 - value) / (1 - low) * _CHART_HEIGHT

    for tick in np.arange(low, 1.001, 0.2).tolist():
        canvas.add(draw_line([place(0, tick), place(layers, tick)], GRID, 1))
        canvas.add(draw_text(x0 - 8, place(0, tick)[1] + 4, f"{tick:.1f}", size=10.5, fill=FAINT, anchor="end"))
    for layer in range(layers + 1):
        x = place(layer, low)[0]
        canvas.add(draw_text(x, top + _CHART_HEIGHT + 16, f"{layer}", size=10.5, fill=FAINT, anchor="middle"))
    ends: list[float] = []
    ordered = sorted(enumerate(inspection.comparisons), key=lambda pair: -pair[1].similarities[-1])
    for number, comparison in ordered:
        colour = PALETTE[number % len(PALETTE)]
        points = [place(layer, value) for layer, value in enumerate(comparison.similarities)]
        canvas.add(draw_line(points, colour, 2))
        label = f"{comparison.word} ({comparison.places[0].text + 1}, {comparison.places[1].text + 1})"
        for layer, (x, y) in enumerate(points):
            canvas.add(draw_circle(x, y, 3.5, colour, f"{label}, layer {layer}: {comparison.similarities[layer]:.3f}"))
        y = max(points[-1][1] + 4, ends[-1] + 14) if ends else points[-1][1] + 4
        ends.append(y)
        note = f"{label} {comparison.similarities[-1]:.3f}"
        canvas.add(draw_text(points[-1][0] + 10, y, note, fill=colour), points[-1][0] + 10 + measure_text(note))
    canvas.y = max(top + _CHART_HEIGHT + 22, *ends)


def _draw_similarities(canvas: _Canvas, inspection: Inspection) -> None:
    """Add the matrix of the texts' cosines."""
    canvas.y += _GAP
    canvas.write("Similarity of the texts", size=13, bold=True)
    canvas.y += 22
    count, side, x0 = len(inspection.texts), 44, _MARGIN + 24
    for number in range(count):
        canvas.add(draw_text(x0 + number * side + side / 2, canvas.y - 5, f"{number + 1}", fill=FAINT, anchor="middle"))
    for row, values in enumerate(inspection.similarities.tolist()):
        y = canvas.y + row * 28
        canvas.add(draw_text(x0 - 8, y + 18, f"{row + 1}", fill=FAINT, anchor="end"))
        for column, value in enumerate(values):
            x = x0 + column * side
            canvas.add(draw_rectangle(x, y, side - 2, 26, mix_blue(max(0.0, value) * 0.9)), x + side)
            fill = "#ffffff" if value > 0.55 else INK
            canvas.add(draw_text(x + side / 2 - 1, y + 17, f"{value:.2f}", size=11, fill=fill, anchor="middle"))
        note = shorten_end(make_printable(" ".join(inspection.texts[row].text.split())), 70)
        x = x0 + count * side + 10
        canvas.add(draw_text(x, y + 17, note, fill=FAINT), x + measure_text(note))
    canvas.y += count * 28
