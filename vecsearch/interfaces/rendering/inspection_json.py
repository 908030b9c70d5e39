"""An inspection as JSON for programs: all but the rows of the layers, and the single heads only where they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.inspection import Head, Inspection, TextInspection

_DIGITS: Final = 6


def build_inspection_json(inspection: Inspection, *, head: Head | None = None, heads: bool = False) -> dict[str, Any]:
    """Return the value of `inspect --json`: attention over all tokens, special ones too, a row for the token that looks."""
    return {
        "model": inspection.model,
        "layers": inspection.layer_count,
        "heads": inspection.head_count,
        "texts": [_build_text(text, head, heads) for text in inspection.texts],
        "similarities": _round(inspection.similarities),
        "comparisons": [
            {
                "word": comparison.word,
                "places": [{"text": p.text, "start": p.span.start, "end": p.span.end} for p in comparison.places],
                "similarities": [round(value, _DIGITS) for value in comparison.similarities],
            }
            for comparison in inspection.comparisons
        ],
        "attention_correlation": inspection.attention_correlation,
        "typical_correlation": inspection.typical_correlation,
    }


def _build_text(text: TextInspection, head: Head | None, heads: bool) -> dict[str, Any]:
    single = {} if head is None else {f"attention_{head}": _round(text.attention[head.layer - 1, head.number - 1])}
    optional = {
        "leave_one_out": None if text.leave_one_out is None else _round(text.leave_one_out),
        "neighbours": None if text.neighbours is None else [asdict(neighbour) for neighbour in text.neighbours],
        "heads": _round(text.attention) if heads else None,
    }
    return {
        "text": text.text,
        "cut_tokens": text.cut_tokens,
        "tokens": [
            {
                "piece": token.piece,
                "id": token.id,
                "start": None if token.span is None else token.span.start,
                "end": None if token.span is None else token.span.end,
                "word": token.word,
                "norm": round(token.norm, _DIGITS),
                "share": token.share,
            }
            for token in text.tokens
        ],
        "words": [{"text": text.get_word(n), "start": span.start, "end": span.end} for n, span in enumerate(text.words)],
        "vector": text.vector.tolist(),
        "attention": _round(text.attention.mean(axis=(0, 1), dtype=np.float64)),
        "special_attention": round(text.special_attention, _DIGITS),
        "shaped_by": _round(text.shaped_by),
        **single,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _round(values: NDArray[Any]) -> Any:
    return np.round(values.astype(np.float64), _DIGITS).tolist()
