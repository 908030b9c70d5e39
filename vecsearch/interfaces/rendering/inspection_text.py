"""An inspection as text for a terminal of any width, with colours or without. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vecsearch.core.inspection import Head, Inspection, TextInspection, WordComparison
from vecsearch.core.previews import shorten_text
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.attention_views import (
    MAP_TOKENS_MAX,
    AttentionView,
    format_correlation,
    format_influences,
    format_turns,
    label_token,
    select_attention,
    shade,
    summarize_heads,
)
from vecsearch.interfaces.rendering.terminal import Style, Terminal, measure_cells, shorten_end, wrap_indented
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_INDENT: Final = 3
_LABEL_CELLS: Final = 12
_BAR_CELLS: Final = 12
_WIDE_ENOUGH: Final = 60  # cells, for ids, places and bars
_NUMBERS_SHOWN: Final = 4
_TITLE_LENGTH: Final = 300  # characters of a text
_SIGNS: Final = (" ", "░", "▒", "▓", "█")
_SHADES: Final = (17, 18, 19, 20, 26, 32, 38, 44)  # blues of the 256-colour palette, dark to bright
_LAYERS_GAP: Final = 3  # cells that stay free beside the columns of layers


def format_inspection(
    inspection: Inspection, terminal: Terminal, *, head: Head | None = None, heads: bool = False
) -> Iterator[str]:
    """Yield the texts one after the other, then what is said of several."""
    first = inspection.texts[0]
    layers, dimension = inspection.layer_count, first.vector.shape[0]
    summary = f"{inspection.model}: {format_count(layers, 'layer')} of {inspection.head_count} heads, {dimension} dimensions"
    yield shorten_end(make_printable(summary), terminal.width)
    for number, text in enumerate(inspection.texts, 1):
        yield ""
        yield from _format_text(text, number, terminal, head, heads)
    yield ""
    yield from wrap_indented(format_correlation(inspection), terminal.width, 0)
    if inspection.comparisons:
        yield ""
        yield from _format_comparisons(inspection.comparisons, terminal)
    if len(inspection.texts) > 1:
        yield ""
        yield "similarity of the texts"
        for number, row in enumerate(inspection.similarities.tolist(), 1):
            yield f"{number:>2} " + "".join(f"{value:7.3f}" for value in row)


def _format_text(text: TextInspection, number: int, terminal: Terminal, head: Head | None, heads: bool) -> Iterator[str]:
    title = make_printable(shorten_text(text.text, limit=_TITLE_LENGTH))
    for line, part in enumerate(wrap_indented(title, terminal.width, 1)):
        yield terminal.style(f"{number:<{_INDENT}}{part.strip()}" if line == 0 else part, Style.BOLD)
    special = sum(token.span is None for token in text.tokens)
    numbers = " ".join(f"{value:.3f}" for value in text.vector[:_NUMBERS_SHOWN].tolist())
    cut = f"; {format_count(text.cut_tokens, 'token')} more did not fit the window" if text.cut_tokens else ""
    yield from wrap_indented(
        f"{format_count(len(text.tokens), 'token')}, {special} of them special{cut}; vector {numbers} … (length 1)",
        terminal.width, _INDENT,
    )  # fmt: skip
    yield ""
    yield from _format_tokens(text, terminal)
    yield ""
    yield from _format_words(text, terminal)
    yield ""
    yield from _format_map(text, select_attention(text, head, _count_columns(terminal)), terminal)
    if heads:
        yield ""
        yield from _format_heads(text)
    if text.neighbours is not None:
        yield ""
        yield " " * _INDENT + "nearest in the collection"
        for neighbour in text.neighbours:
            label = make_printable(" ".join(neighbour.text.split()))
            yield shorten_end(
                f"{' ' * _INDENT}{neighbour.similarity:.3f}  {make_printable(neighbour.id)}  {label}", terminal.width
            )


def _format_tokens(text: TextInspection, terminal: Terminal) -> Iterator[str]:
    """Yield a line a token: piece, id, characters, the length of its row, its share in the vector."""
    shown, is_wide = text.tokens[:MAP_TOKENS_MAX], terminal.width >= _WIDE_ENOUGH
    pieces = [make_printable(token.piece) for token in shown]
    width = min(max(map(measure_cells, ("token", *pieces))), max(_LABEL_CELLS, terminal.width - 50))
    most = max((abs(token.share or 0) for token in shown), default=0) or 1
    yield " " * _INDENT + _pad("token", width) + ("     id   chars" if is_wide else "") + "   norm   share"
    for piece, token in zip(pieces, shown, strict=True):
        place = "–" if token.span is None else f"{token.span.start}–{token.span.end}"
        share = "      –" if token.share is None else f"{token.share * 100:5.1f} %"
        middle = f"  {token.id:>5}  {place:>6}" if is_wide else ""
        bar = "█" * round(_BAR_CELLS * max(0.0, token.share or 0) / most) if is_wide else ""
        yield f"{' ' * _INDENT}{_pad(piece, width)}{middle}  {token.norm:5.2f}  {share} {bar}".rstrip()
    if len(text.tokens) > len(shown):
        yield f"{' ' * _INDENT}… {format_count(len(text.tokens) - len(shown), 'token')} more; --json has all"


def _format_words(text: TextInspection, terminal: Terminal) -> Iterator[str]:
    """Yield a line a word: what shapes it by attention, and what by leave-one-out where that was measured."""
    shown = range(min(len(text.words), MAP_TOKENS_MAX))
    words = [make_printable(text.get_word(word)) for word in shown]
    width = min(max(map(measure_cells, ("word", *words))), _LABEL_CELLS + 4)
    room = terminal.width - _INDENT - width - 2
    yield " " * _INDENT + _pad("word", width) + "  shaped by (attention)"
    for number, word in zip(shown, words, strict=True):
        influences = shorten_end(format_influences(text, number) or "–", room)
        yield f"{' ' * _INDENT}{_pad(word, width)}  {influences}"
        if turns := format_turns(text, number):
            yield shorten_end(f"{' ' * (_INDENT + width)}  left out: {turns}", terminal.width)
    if len(text.words) > len(shown):
        yield f"{' ' * _INDENT}… {format_count(len(text.words) - len(shown), 'word')} more; --json has all"


def _count_columns(terminal: Terminal) -> int:
    """Return how many tokens a map has at most: two cells each, beside numbers and labels."""
    return max(1, min(MAP_TOKENS_MAX, (terminal.width - _INDENT - _LABEL_CELLS - 4) // 2))


def _format_map(text: TextInspection, view: AttentionView, terminal: Terminal) -> Iterator[str]:
    """Yield the block of attention: two cells for each pair of tokens, darker, or brighter on a dark ground, for more."""
    hidden = f"; {format_count(view.hidden, 'token')} more not shown, --svg has 40, --json all" if view.hidden else ""
    names = " and ".join(dict.fromkeys(token.piece for token in text.tokens if token.span is None))
    special = f"{names} left out: they draw {view.special * 100:.0f} %" if names else "no special tokens"
    what = f"attention, {view.name}: a line looks at the columns ({special}){hidden}"
    yield from wrap_indented(what, terminal.width, _INDENT)
    yield " " * (_INDENT + _LABEL_CELLS + 4) + "".join(
        f"{number if number == 1 or number % 5 == 0 else '':>2}" for number in range(1, len(view.places) + 1)
    )
    for number, (place, levels) in enumerate(zip(view.places, shade(view.weights, _count_levels(terminal)), strict=True), 1):
        label = _pad(shorten_end(label_token(text, text.tokens[place]), _LABEL_CELLS), _LABEL_CELLS)
        cells = "".join(
            terminal.style("  ", f"48;5;{_SHADES[level]}") if terminal.has_colors else _SIGNS[level] * 2 for level in levels
        )
        yield f"{' ' * _INDENT}{number:>2} {label} {cells}".rstrip()


def _count_levels(terminal: Terminal) -> int:
    return len(_SHADES if terminal.has_colors else _SIGNS)


def _format_heads(text: TextInspection) -> Iterator[str]:
    """Yield a line a head: where it looks."""
    yield " " * _INDENT + "head   special  previous  next  itself   (% of its attention)"
    for summary in summarize_heads(text):
        shares = (summary.special, summary.previous, summary.next, summary.own)
        special, previous, following, own = (f"{share * 100:.0f}" for share in shares)
        yield f"{' ' * _INDENT}{summary.head!s:<5}  {special:>7}  {previous:>8}  {following:>4}  {own:>6}"


def _format_comparisons(comparisons: Sequence[WordComparison], terminal: Terminal) -> Iterator[str]:
    """Yield the cosines of each word, a column a layer, in several blocks where the terminal is narrow."""
    words = [shorten_end(make_printable(f"{c.word} ({c.places[0].text + 1}, {c.places[1].text + 1})"), 24) for c in comparisons]
    width, layers = max(map(measure_cells, ("layer", *words))), len(comparisons[0].similarities)
    columns = max(1, (terminal.width - width - _LAYERS_GAP) // 7)
    yield from wrap_indented("the same word in two places: cosine in the embeddings (0) and after each layer", terminal.width, 0)
    for start in range(0, layers, columns):
        numbers = range(start, min(start + columns, layers))
        yield _pad("layer", width) + "".join(f"{layer:>7}" for layer in numbers)
        for word, comparison in zip(words, comparisons, strict=True):
            yield _pad(word, width) + "".join(f"{comparison.similarities[layer]:7.3f}" for layer in numbers)


def _pad(text: str, width: int) -> str:
    """Return a text of exactly so many cells."""
    text = shorten_end(text, width)
    return text + " " * (width - measure_cells(text))
