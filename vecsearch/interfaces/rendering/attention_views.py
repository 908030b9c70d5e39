"""Which attention of a text is shown, as what tokens, for every form of an inspection: terminal, JSON, SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vecsearch.core.inspection import Head, InspectedToken, Inspection, TextInspection
from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAP_TOKENS_MAX: Final = 40  # of a text in a picture: 256 would be 65,536 cells
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class HeadSummary:
    """Where a head looks, as shares of its attention: at special tokens, at the token before, at the one behind, at itself."""

    head: Head
    special: float
    previous: float
    next: float
    own: float


@dataclass(frozen=True, slots=True, eq=False)
class AttentionView:
    """Attention among the first tokens that are not special: `places` are their numbers among all, `weights` a row for each,
    which sum to 1 before the last ones are cut off. `special` is the share that special tokens draw, `hidden` how many tokens are
    not shown."""

    name: str
    places: tuple[int, ...]
    weights: NDArray[np.float64]
    special: float
    hidden: int


def select_attention(text: TextInspection, head: Head | None, limit: int = MAP_TOKENS_MAX) -> AttentionView:
    """Return the mean of all heads and layers, or one head, of so many tokens at most."""
    layers, heads = text.attention.shape[:2]
    full = text.attention.mean(axis=(0, 1), dtype=np.float64) if head is None else _get_head(text, head)
    inner = [at for at, token in enumerate(text.tokens) if token.span is not None]
    among = full[np.ix_(inner, inner)]
    weights = among / np.maximum(among.sum(axis=1, keepdims=True), _TINY)
    name = f"mean of {layers * heads} heads" if head is None else f"head {head}"
    special = 1 - float(full[:, inner].sum() / len(full))
    return AttentionView(name, tuple(inner[:limit]), weights[:limit, :limit], special, max(0, len(inner) - limit))


def summarize_heads(text: TextInspection) -> Iterator[HeadSummary]:
    """Yield where each head looks, from the first layer to the last."""
    special = [at for at, token in enumerate(text.tokens) if token.span is None]
    layers, heads, count = text.attention.shape[:3]
    for layer in range(layers):
        for head in range(heads):
            weights = text.attention[layer, head].astype(np.float64)
            diagonals = [float(np.trace(weights, offset=offset)) / count for offset in (-1, 1, 0)]
            yield HeadSummary(Head(layer + 1, head + 1), float(weights[:, special].sum()) / count, *diagonals)


def label_token(text: TextInspection, token: InspectedToken) -> str:
    """Return a token as it stands in the text, a special one as its name."""
    return token.piece if token.span is None else make_printable(" ".join(text.text[token.span.start : token.span.end].split()))


def format_influences(text: TextInspection, word: int) -> str:
    """Return what shapes a word: `fashion 26 %, walked 25 %`."""
    return ", ".join(f"{_label_word(text, other)} {share:.0%}".replace("%", " %") for other, share in text.list_influences(word))


def format_turns(text: TextInspection, word: int, limit: int = 3) -> str:
    """Return the words without which a word turns most, with 1 - cosine; nothing where that was not measured."""
    if text.leave_one_out is None:
        return ""
    turns = text.leave_one_out[word].tolist()
    best = [other for other in sorted(range(len(turns)), key=lambda other: -turns[other])[:limit] if other != word]
    return ", ".join(f"{_label_word(text, other)} {turns[other]:.3f}" for other in best)


def format_correlation(inspection: Inspection) -> str:
    """Return how far attention can be believed: its ρ against leave-one-out."""
    known, here = inspection.typical_correlation, inspection.attention_correlation
    typical = "was not measured for this model" if known is None else f"is {known:.2f} on average over 204 sentences"
    measured = "--leave-one-out measures it here" if here is None else f"here {here:.2f}"
    return f"Attention is no explanation: its rank correlation ρ with leave-one-out {typical}; {measured}."


def _label_word(text: TextInspection, word: int) -> str:
    return make_printable(" ".join(text.get_word(word).split()))


def _get_head(text: TextInspection, head: Head) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = text.attention[head.layer - 1, head.number - 1].astype(np.float64)
    return weights


def shade(weights: NDArray[np.float64], levels: int) -> Sequence[Sequence[int]]:
    """Return a level from 0 to levels - 1 for each weight, the greatest of all having the last."""
    top = max(float(weights.max(initial=0)), _TINY)
    shades: list[list[int]] = np.minimum((weights / top * levels).astype(int), levels - 1).tolist()
    return shades
