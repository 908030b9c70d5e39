"""How much memory a process may have, and how much it keeps that it has freed: the C library keeps the more, the larger what it
was asked for."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_… of malloc.h
_KEPT_BYTES: Final = 4_000_000  # freed and kept
_LARGE_BYTES: Final = 1_000_000  # from here on a block is given back as soon as it is free


def keep_little_memory() -> None:
    """Give freed memory back to the system early, in this process: a third less, for some time of the system. Does nothing
    where the C library is not glibc."""
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def extend_memory_limit(amount: int) -> None:
    """Raise this process's limit of memory, if it has one, by some bytes, as far as the system allows."""
    now = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if now != resource.RLIM_INFINITY:
        set_limit(resource.RLIMIT_DATA, now + amount)


def set_limit(kind: int, most: int) -> None:
    """Limit this process in one of the kinds of `resource`, no higher than the system allows."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
