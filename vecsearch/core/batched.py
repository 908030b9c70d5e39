"""Many things, some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


def batched(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield lists of `size` values in order, the last perhaps shorter, none empty."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
