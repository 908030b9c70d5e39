"""Rows as columns of text, each as wide as its widest cell. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecsearch.interfaces.rendering.terminal_safe import make_printable

_GAP = "  "


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> Iterator[str]:
    """Yield the head, then the rows; the columns of `numbers` are aligned to the right. Widths are cells of a terminal."""
    from rich.cells import cell_len

    lines = [list(head), *([make_printable(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = []
        for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if column in numbers else cell + space)
        yield _GAP.join(cells).rstrip()
