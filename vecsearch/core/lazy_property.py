"""Attributes that are computed when they are first asked for, once an instance, whichever threads ask."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Final, Generic, Self, TypeVar, overload

from vecsearch.core.forks import make_lock

_T = TypeVar("_T")


class LazyProperty(Generic[_T]):
    """Computes an attribute once and keeps it in the instance; an error is not kept.

    `functools.cached_property` of Python 3.11 has one lock for all instances: they would wait for each other.
    """

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute, self._name = compute, ""
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | _T:
        """Compute it; once it is in the instance, this is not asked any more."""
        if instance is None:
            return self
        attributes, lock_name = vars(instance), f"{self._name} lock"
        lock: RLock = attributes.setdefault(lock_name, make_lock())  # whoever comes first puts the lock of all there
        with lock:
            if self._name not in attributes:
                attributes[self._name] = self._compute(instance)
            attributes.pop(lock_name, None)  # no longer needed: whoever still waits finds the value
        value: _T = attributes[self._name]
        return value


lazy_property: Final = LazyProperty
