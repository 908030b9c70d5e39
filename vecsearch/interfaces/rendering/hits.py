"""Hits as text for people: what each is called and where it leads, its scores, and the sentence that shows why it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vecsearch.core.reading import get_low_confidence
from vecsearch.core.results import Hit, Hits
from vecsearch.core.row_options import ROW_MARK
from vecsearch.core.types import Span
from vecsearch.interfaces.rendering.explanations import format_explanation, format_profile
from vecsearch.interfaces.rendering.hit_links import build_uri, get_handle, get_line
from vecsearch.interfaces.rendering.markup import MarkedText, clean_text, clean_title
from vecsearch.interfaces.rendering.terminal import (
    ELLIPSIS,
    Style,
    Terminal,
    measure_cells,
    shorten_end,
    shorten_middle,
    wrap_cells,
    wrap_indented,
)
from vecsearch.interfaces.rendering.terminal_safe import make_printable

INDENT: Final = 4
_NARROW: Final = 60  # cells, below which scores have a line of their own
_SEPARATOR: Final = " · "
_NOTES_MIN: Final = 8
_WIDE: Final = 100


@dataclass(frozen=True, slots=True)
class _Head:
    """A part of a hit's first line, and how it looks."""

    text: str
    style: str | None = None
    is_path: bool = False


def format_hits(hits: Hits, terminal: Terminal) -> Iterator[str]:
    """Yield `number  score  similarity  path:line · title`, then the snippet; the explanation where there is one."""
    for number, hit in enumerate(hits, 1):
        yield from _format_hit(number, hit, hits, terminal)
        if hit.explanation:
            yield from format_explanation(hit, terminal)
    if hits.profile and any(hit.explanation for hit in hits):
        yield from wrap_indented(format_profile(hits.profile), terminal.width, 0)


def _format_hit(number: int, hit: Hit, hits: Sequence[Hit], terminal: Terminal) -> Iterator[str]:
    lead = f"{number:>{len(str(len(hits)))}}  "
    indent, scores = " " * INDENT, _format_scores(hit, hits, is_aligned=terminal.width >= _NARROW)
    body = clean_snippet(hit)
    has_body = bool(body.text) and body.text not in (hit.id, clean_title(hit.title)) and not _has_shaded_words(hit)
    if terminal.width < _NARROW:
        yield lead + _format_handle(hit, terminal, terminal.width - len(lead))
        notes = [*_list_notes(hit), *_list_file(hit)]
        yield indent + _join_heads([_Head(scores, Style.DIM), *notes], terminal, terminal.width - INDENT)
    else:
        room = terminal.width - len(lead) - len(scores) - 2
        most = room - _measure_heads(list(_list_marks(hit)))
        handle = _format_handle(hit, terminal, most)
        room -= min(most, measure_cells(str(get_handle(hit))))
        notes = [*_list_notes(hit), *(_list_file(hit) if get_line(hit) else ())]
        line = lead + terminal.style(scores, Style.DIM) + "  " + handle
        if has_body and not hit.window and _measure_heads(notes) + len(_SEPARATOR) + measure_cells(body.text) <= room:
            yield line + _append_heads(notes, terminal, room) + _SEPARATOR + _style_marks(body, terminal, is_dim=bool(hit.weak))
            return
        yield line + _append_heads([*_list_notes(hit), *_list_file(hit)], terminal, room)
    if has_body:
        lines = None if hit.window else 2 if terminal.width >= _WIDE else 3
        yield from (indent + line for line in _wrap_marked(body, terminal, lines, is_dim=bool(hit.weak)))


def _has_shaded_words(hit: Hit) -> bool:
    """Return whether the explanation shows the whole chunk."""
    return hit.explanation is not None and bool(hit.explanation.tokens)


def _format_scores(hit: Hit, hits: Sequence[Hit], *, is_aligned: bool) -> str:
    """Return the score and the similarity, one number where they are the same throughout the answer."""
    if all(one.similarity is None for one in hits):
        return f"{hit.score:6.3f}" if is_aligned else f"{hit.score:.3f}"
    similarity = "sim " + (f"{hit.similarity:.3f}" if hit.similarity is not None else "–".ljust(5))
    if all(one.similarity == one.score for one in hits):
        return similarity
    return f"{hit.score:6.3f}  {similarity}" if is_aligned else f"{hit.score:.3f} {similarity}"


def _format_handle(hit: Hit, terminal: Terminal, width: int) -> str:
    """Return what a hit is called, shortened to the width of a terminal: elsewhere it is for another command, and stays whole."""
    handle = get_handle(hit)
    name, place = make_printable(handle.name), make_printable(handle.place)
    if terminal.is_terminal and measure_cells(name + place) > width:
        place = shorten_middle(place, max(width // 2, width - measure_cells(name)))
        name = shorten_middle(name, width - measure_cells(place))
    sign, number = (place[:1], place[1:]) if place else ("", "")
    return terminal.link(terminal.style(name, Style.PATH) + sign + terminal.style(number, Style.LINE), build_uri(hit))


def _list_notes(hit: Hit) -> Iterator[_Head]:
    """Yield what stands behind the name: whether the hit is weak, the count of further chunks, its title and headings."""
    yield from _list_marks(hit)
    title = make_printable(clean_title(hit.title))
    own_names = {hit.id.casefold(), hit.id.rpartition(ROW_MARK)[2].casefold()}  # a row's key is its name in the list
    names = [title] if title and title.casefold() not in own_names else []
    names += [name for name in map(make_printable, map(clean_title, map(str, hit.location.get("heading", ())))) if name]
    if names:
        yield _Head(" › ".join(dict.fromkeys(names)), Style.BOLD)


def _list_marks(hit: Hit) -> Iterator[_Head]:
    """Yield what is always shown, however long the name: whether it is weak, how many it stands for, how badly it was read."""
    if hit.weak:
        yield _Head("weak", Style.DIM)
    if hit.group_size:
        yield _Head(f"+{hit.group_size:,} more", Style.DIM)
    if (confidence := get_low_confidence(hit.metadata)) is not None:
        yield _Head(f"read with {confidence} % confidence", Style.DIM)


def _list_file(hit: Hit) -> Iterator[_Head]:
    """Yield the file of a hit whose name does not say it, such as a record of a list."""
    if name := get_handle(hit).file:
        yield _Head(make_printable(name), Style.DIM, is_path=True)


def _measure_heads(heads: Sequence[_Head]) -> int:
    return sum(measure_cells(head.text) + len(_SEPARATOR) for head in heads)


def _append_heads(heads: Sequence[_Head], terminal: Terminal, width: int) -> str:
    return "".join(_SEPARATOR + part for part in _fit_heads(heads, terminal, width - len(_SEPARATOR)))


def _join_heads(heads: Sequence[_Head], terminal: Terminal, width: int) -> str:
    return _SEPARATOR.join(_fit_heads(heads, terminal, width))


def _fit_heads(heads: Sequence[_Head], terminal: Terminal, width: int) -> Iterator[str]:
    """Yield what fits into a line, the last part shortened; a path whole, where there is no terminal."""
    for head in heads:
        is_whole = head.is_path and not terminal.is_terminal
        if not is_whole and width < min(_NOTES_MIN, measure_cells(head.text)):
            return
        text = head.text if is_whole else shorten_end(head.text, width)
        yield terminal.style(text, head.style) if head.style else text
        width -= measure_cells(text) + len(_SEPARATOR)


# -- the text


def clean_snippet(hit: Hit) -> MarkedText:
    """Return what is shown of a hit's text, as it is read, with the words that match marked."""
    snippet = hit.snippet
    if hit.window is not None:
        start, text = hit.window.start, hit.window.text
    elif snippet is not None:
        start, text = snippet.start, snippet.text
    else:
        start, text = hit.start, hit.text
    inside = (match for match in (snippet.matches if snippet else ()) if start <= match.start and match.end <= start + len(text))
    spans = [Span(match.start - start, match.end - start) for match in inside]
    cleaned = clean_text(MarkedText.mark(text, spans), hit.source or hit.id)
    return MarkedText(make_printable(cleaned.text), cleaned.marks)


def _wrap_marked(body: MarkedText, terminal: Terminal, lines: int | None, *, is_dim: bool) -> Iterator[str]:
    width = terminal.width - INDENT
    parts = [body[part] for part in wrap_cells(body.text, width)]
    shown = parts if lines is None else parts[:lines]
    for number, part in enumerate(shown, 1):
        if number == len(shown) < len(parts):
            text = shorten_end(part.text + " " + ELLIPSIS, width).removesuffix(ELLIPSIS).rstrip() + ELLIPSIS
            part = MarkedText(text, part.marks[: len(text) - 1].ljust(len(text), b"\0"))  # noqa: PLW2901
        yield _style_marks(part, terminal, is_dim=is_dim)


def _style_marks(body: MarkedText, terminal: Terminal, *, is_dim: bool) -> str:
    """Return a line with the words that match in bold."""
    if not terminal.has_colors:
        return body.text
    pieces, start = [], 0
    for at in range(1, len(body.text) + 1):
        if at == len(body.text) or body.marks[at] != body.marks[start]:
            style = Style.MATCH if body.marks[start] else Style.DIM if is_dim else None
            piece = body.text[start:at]
            pieces.append(terminal.style(piece, style) if style else piece)
            start = at
    return "".join(pieces)
