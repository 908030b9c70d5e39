"""Columns and values as callers have them (lists, Series, arrays, generators, NumPy scalars) → plain lists and values.

What stands in a column is taken by its position, never by a label: the index of a Series says nothing here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MappingView, Set
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import is_table, shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.encoders.unit_vectors import to_array

_PLAIN_TYPES: Final = frozenset((str, int, float, bool, type(None)))  # of most values, told at once
_MISSING: Final = (("pandas", "NA"), ("pandas", "NaT"), ("numpy.ma", "masked"))  # looked up where they are loaded
_NUMBERS: Final = "fiub"  # kinds of NumPy's types that single precision stands for


def list_values(values: Any, label: str, *, one_value: str = "") -> list[Any]:
    """Return what stands in a column, in order, with plain values for NumPy's and Arrow's.

    Raises InputError for what has no order, is one text, has several columns, or is no column at all; `one_value` says what to
    type for one text.
    """
    if type(values) is list and all(type(value) in _PLAIN_TYPES for value in values):
        return values
    if isinstance(values, str | bytes | bytearray | memoryview):
        hint = one_value or f"[{shorten_repr(values)}]"
        raise InputError(f"{label} must be a list of texts, got one {type(values).__name__}; for one text: {hint}")
    if isinstance(values, Mapping) or (isinstance(values, Set) and not isinstance(values, MappingView)):
        raise InputError(f"{label} must have an order, as a list has, got a {type(values).__name__}")
    if is_table(values):
        raise InputError(f"{label} must be one column, got a table of the shape {tuple(values.shape)}")
    try:
        if hasattr(values, "to_pylist"):  # of Arrow
            values = values.to_pylist()
        column = iter(values if hasattr(values, "__iter__") else list(values))  # the latter fails where brackets take no numbers
    except TypeError as error:
        raise InputError(f"{label} must be a list, or another column of values, got {shorten_repr(values)}") from error
    return [_unwrap_scalar(value) for value in column]


def list_optional_values(values: Any, label: str) -> list[Any]:
    """Return what stands in a column that may have gaps, None for each; see `list_values`."""
    return [None if is_missing(value) else value for value in list_values(values, label)]


def is_missing(value: Any) -> bool:
    """Return whether there is no value: None, what tables have in its place (NaN, pandas.NA, NaT), a masked one of NumPy."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return True
    return any(value is getattr(sys.modules.get(module), name, None) for module, name in _MISSING)


def is_numbers(values: Any) -> bool:
    """Return whether something is numbers as they stand: a matrix, a table, or NumPy's vector."""
    return is_table(values) or (isinstance(values, np.ndarray) and values.dtype.kind in _NUMBERS)


def to_matrix(vectors: Any) -> NDArray[np.float32]:
    """Return rows of numbers, or one row, as float32; infinity for what is too large. Raises TypeError, ValueError."""
    rows = vectors if is_numbers(vectors) else list_values(vectors, "vectors")
    given = to_array(rows)
    if given.dtype.kind not in f"{_NUMBERS}O":
        raise TypeError(f"expected numbers, got {given.dtype}")
    with np.errstate(over="ignore"):
        return given.astype(np.float32, copy=False)


def _unwrap_scalar(value: Any) -> Any:
    """Return a scalar of NumPy or Arrow, or a string of a class of its own, as the plain value that it stands for."""
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, str):
        return to_plain_string(value)
    if isinstance(value, np.bool_ | np.integer | np.floating):
        plain = value.item()
        return plain if type(plain) in _PLAIN_TYPES else value  # not of a type that is wider than Python's
    if hasattr(value, "as_py"):  # of Arrow
        return value.as_py()
    return value


def to_plain_string(text: str) -> str:
    """Return the characters of a string, without what a class of its own makes of them."""
    return str.__str__(text)
