"""A value that is computed when it is first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class LazyValue(Generic[T]):
    """A value that is computed when it is first read, and kept; by that value it is compared, copied and pickled."""

    __slots__ = ("_compute", "_value")
    _value: T

    def __init__(self, compute: Callable[[], T]) -> None:
        """Make it of what computes it; two threads that read it first may both do so."""
        self._compute: Callable[[], T] | None = compute

    @classmethod
    def from_value(cls, value: T) -> LazyValue[T]:
        """Return one that is computed already."""
        known: LazyValue[T] = cls(lambda: value)
        known.get()
        return known

    def get(self) -> T:
        """Return the value. Raises what computing it raises, each time anew."""
        if (compute := self._compute) is not None:
            self._value = compute()
            self._compute = None  # after the value, for another thread; and what it holds is let go
        return self._value

    def __eq__(self, other: object) -> bool:
        """Return whether the values are equal."""
        return self.get() == other.get() if isinstance(other, LazyValue) else NotImplemented

    def __hash__(self) -> int:
        """Return the hash of the value."""
        return hash(self.get())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the value: what computes it belongs to this process."""
        return LazyValue.from_value, (self.get(),)
