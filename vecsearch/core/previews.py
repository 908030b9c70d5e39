"""How results show themselves in Python: short in an interpreter, as a table in a notebook. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from vecsearch.core.errors import UnavailableError

_PREVIEW_LENGTH: Final = 60  # characters of a text
_LEFT: Final = ' style="text-align: left"'


def shorten_text(text: str, *, limit: int = _PREVIEW_LENGTH) -> str:
    """Return the beginning of a text in one line, cut between words where it can be."""
    line = " ".join(text[: 4 * limit].split())
    if len(line) <= limit and len(text) <= 4 * limit:
        return line
    cut = line[: limit - 1]
    return (cut if " " not in cut else cut.rpartition(" ")[0]) + "…"


def format_fields(kind: str, **values: Any) -> str:
    """Return `Kind(name=value, …)`."""
    return f"{kind}({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def build_html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; nothing in a cell is taken for HTML."""
    from html import escape

    def build_row(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}{_LEFT}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    top = f"<thead>{build_row('th', head)}</thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(build_row('td', row) for row in rows)}</tbody></table>"


def import_pandas() -> Any:
    """Return pandas, which is no dependency. Raises UnavailableError with the line that installs it."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise UnavailableError("pandas is not installed; to install it: pip install pandas") from error
    return pandas
