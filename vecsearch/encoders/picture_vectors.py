"""Vectors of the inputs that chunks are encoded as: a text as it stands, a picture as the weighted mean of its labels.

The labels are a chunk's text, so whoever encodes a chunk anew, by whatever model, makes its picture's vector anew as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vecsearch.core.picture_labels import WeightedText, parse_picture
from vecsearch.encoders.base import Matrix, TextEncoder
from vecsearch.encoders.unit_vectors import Vector, VectorFailure, collect_rows, encode_each


def encode_inputs(encoder: TextEncoder, inputs: Sequence[str]) -> list[Vector | VectorFailure]:
    """Return the unit vector of each input as a document, or why there is none.

    Raises what the encoder raises, or EncodingError, where it concerns no single text.
    """
    pictures = [parse_picture(text) for text in inputs]
    if not any(pictures):
        return encode_each(encoder, inputs, encoder.encode_documents)
    texts = [text for text, parts in zip(inputs, pictures, strict=True) if parts is None]
    texts += dict.fromkeys(part.text for parts in pictures if parts for part in parts)
    rows = dict(zip(texts, encode_each(encoder, texts, encoder.encode_documents), strict=True))
    return [rows[text] if parts is None else _mix(parts, rows) for text, parts in zip(inputs, pictures, strict=True)]


def encode_documents(encoder: TextEncoder, inputs: Sequence[str], name: Callable[[int], str] | None = None) -> Matrix:
    """Return the unit vectors as rows. Raises EncodingError for the first input without one, named by `name` or quoted."""
    return collect_rows(inputs, encode_inputs(encoder, inputs), name)


def _mix(parts: Sequence[WeightedText], rows: dict[str, Vector | VectorFailure]) -> Vector | VectorFailure:
    """Return the weighted mean of rows, of length 1; the failure of the first that has none."""
    total = np.zeros(0)
    for part in parts:
        row = rows[part.text]
        if isinstance(row, VectorFailure):
            return row
        total = part.weight * row.astype(np.float64) + (total if len(total) else 0.0)
    length = float(np.linalg.norm(total))
    return (total / length).astype(np.float32) if length > 0 else VectorFailure("is all zeros: its labels cancel each other out")
