"""What an encoder says of itself, read and checked in one place: it may be an object of the caller's own.

Whatever is stored, or computed with, is a plain number or text then: NumPy's whole numbers are taken as the numbers they are.
Each function raises InputError that names the field, what was expected and what came.
"""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import check_whole_number, is_unicode, shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.settings import DIMENSION_MAX


def read_name(encoder: Any) -> str:
    """Return the name that loads it again."""
    return _read_text(encoder, "name")


def read_fingerprint(encoder: Any) -> str:
    """Return what is equal for encoders whose vectors may be mixed."""
    return _read_text(encoder, "fingerprint")


def read_dimension(encoder: Any) -> int:
    """Return the length of its vectors."""
    value = _read(encoder, "dimension")
    return check_whole_number(value, _describe_field(encoder, "dimension"), minimum=1, maximum=DIMENSION_MAX)


def read_max_tokens(encoder: Any) -> int:
    """Return how many tokens of a text fit its window."""
    return check_whole_number(_read(encoder, "max_tokens"), _describe_field(encoder, "max_tokens"), minimum=1)


def read_modalities(encoder: Any) -> frozenset[str]:
    """Return what it encodes into its one space; "text" alone where it says nothing."""
    value = getattr(encoder, "modalities", {"text"})
    if isinstance(value, str) or not all(isinstance(name, str) for name in value) or "text" not in value:
        raise InputError(
            f"{_describe_field(encoder, 'modalities')} must be a set of names, 'text' among them, got {shorten_repr(value)}"
        )
    return frozenset(value)


def read_token_spans(encoder: Any, text: str) -> list[tuple[int, int]]:
    """Return the half-open range of each token of a text."""
    spans = encoder.token_spans(text)
    try:
        plain = [(index(start), index(end)) for start, end in spans]
    except (TypeError, ValueError):
        plain = None
    if plain is None or not all(0 <= start <= end <= len(text) for start, end in plain):
        raise InputError(
            f"{_describe_field(encoder, 'token_spans')} must return a pair of whole numbers for each token, where it starts and "
            f"ends in the text, got {shorten_repr(spans)} for {shorten_repr(text)}"
        )
    return plain


def read_token_count(encoder: Any, text: str) -> int:
    """Return how many tokens a text has; by `count_tokens`, where there is that quicker way."""
    if not hasattr(encoder, "count_tokens"):
        return len(read_token_spans(encoder, text))
    return check_whole_number(encoder.count_tokens(text), f"what {_describe_field(encoder, 'count_tokens')} returns", minimum=0)


def read_token_starts(encoder: Any, text: str) -> NDArray[np.int64] | None:
    """Return where the tokens of a text begin, or their words do, by `token_starts`; None where it cannot tell of this text."""
    starts = encoder.token_starts(text)
    if starts is None:
        return None
    places = np.asarray(starts)
    is_right = not len(places) or (places.dtype.kind in "iu" and places[0] >= 0 and places[-1] < len(text))
    if places.ndim != 1 or not is_right or (np.diff(places) < 0).any():
        raise InputError(
            f"{_describe_field(encoder, 'token_starts')} must return whole numbers, in ascending order, where the tokens of the "
            f"text begin, got {shorten_repr(starts)} for {shorten_repr(text)}"
        )
    return places.astype(np.int64, copy=False)


def is_thread_safe(encoder: Any) -> bool:
    """Return whether several threads may use it at the same time: only where it says so, by `is_thread_safe`."""
    return bool(getattr(encoder, "is_thread_safe", False))


def _read(encoder: Any, field: str) -> Any:
    try:
        return getattr(encoder, field)
    except AttributeError as error:
        raise InputError(
            f"{_describe_field(encoder, field)} is missing ({error}); see TextEncoder in vecsearch.encoders.base"
        ) from error


def _read_text(encoder: Any, field: str) -> str:
    value = _read(encoder, field)
    if not isinstance(value, str) or not value.strip() or not is_unicode(value):
        raise InputError(f"{_describe_field(encoder, field)} must be a text that is not empty, got {shorten_repr(value)}")
    return str.__str__(value)


def _describe_field(encoder: Any, field: str) -> str:
    return f"`{field}` of the encoder {type(encoder).__name__}"
