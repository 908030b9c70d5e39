"""Values of Python and NumPy as JSON holds them: what has an obvious form there gets it, all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from vecsearch.core.nesting import NESTING_MAX
from vecsearch.core.types import JSON

_PLAIN_TYPES: Final = frozenset((str, int, float, bool, type(None)))  # of most values, told at once
_NO_TIME: Final = "got NaT, which is no time"
_WRITTEN_UNITS: Final = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"}  # of datetime64, whose own texts are no times
_BYTES: Final = "bytes, which are no text; decode them"
_REFUSED: Final[Mapping[type, str]] = {
    bytes: _BYTES, bytearray: _BYTES, memoryview: _BYTES, Set: "a set, which has no order; give a list",
    Decimal: "a Decimal, which JSON does not have; give a float, an int or a text",
}  # fmt: skip


def to_plain_value(value: Any, *, levels: int = NESTING_MAX + 1) -> JSON:
    """Return a value made of Python's own types, which shares nothing that can change with the one given.

    Subclasses count as what they are a kind of, an Enum as its value; NumPy's scalars and arrays as numbers, texts and lists,
    dates and times as text in ISO 8601, a UUID as text. Raises ValueError for anything else, or more than `levels` of nesting.
    """
    if type(value) in _PLAIN_TYPES:
        return _to_finite(value) if type(value) is float else value
    if isinstance(value, Enum):
        return to_plain_value(value.value, levels=levels)
    for kind, convert in _CONVERSIONS.items():
        if isinstance(value, kind):
            return convert(value)
    for kind, reason in _REFUSED.items():
        if isinstance(value, kind):
            raise ValueError(f"got {reason}")
    if not levels:
        raise ValueError(f"nested too deeply; at most {NESTING_MAX} levels can be stored")
    return _convert_container(value, levels - 1)


def _convert_container(value: Any, levels: int) -> JSON:
    if isinstance(value, Mapping):
        return {_to_plain_key(key): to_plain_value(inner, levels=levels) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [to_plain_value(inner, levels=levels) for inner in value]
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _convert_array(value, levels)
    for name in ("as_py", "to_list"):  # of Arrow, of polars
        if hasattr(value, name):
            return to_plain_value(getattr(value, name)(), levels=levels)
    raise ValueError(f"got {type(value).__name__}")


def _to_plain_key(key: Any) -> Any:
    return str.__str__(key) if isinstance(key, str) else key  # any other is refused where the value is checked


def _to_finite(value: float) -> float:
    if not isfinite(value):
        raise ValueError(f"got {value}, which JSON does not have")
    return float.__float__(value)


def _to_text(value: date | time | UUID) -> str:
    text = str(value) if isinstance(value, UUID) else value.isoformat()
    if text == "NaT":
        raise ValueError(_NO_TIME)
    return text


def _convert_array(value: Any, levels: int) -> JSON:
    """Return NumPy's scalar or array, or a series of pandas."""
    if getattr(value.dtype, "kind", "O") == "M":
        import numpy as np

        times = value.filled(np.datetime64("NaT")) if hasattr(value, "filled") else np.asarray(value)  # the former where masked
        if times.dtype.kind == "M":  # else of pandas, with a zone
            return _format_times(times)
    plain = value.tolist()
    if hasattr(plain, "dtype"):
        raise ValueError(f"got {type(value).__name__}")
    return to_plain_value(plain, levels=levels)


def _format_times(times: Any) -> JSON:
    """Return `datetime64` as days or moments that filters know: months and years by their first day, hours with their seconds."""
    import numpy as np

    if np.isnat(times).any():
        raise ValueError(_NO_TIME)
    unit = _WRITTEN_UNITS.get(np.datetime_data(times.dtype)[0])
    written = times if unit is None else times.astype(f"M8[{unit}]")
    if (written.astype(times.dtype) != times).any():
        raise ValueError("got a time that is too far away")
    return np.datetime_as_string(written).tolist()


_CONVERSIONS: Final[Mapping[type, Callable[[Any], JSON]]] = {
    str: str.__str__, int: int.__int__, float: _to_finite, date: _to_text, time: _to_text, UUID: _to_text,
}  # fmt: skip
