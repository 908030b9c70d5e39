"""Which ids there were, in a file of millions too."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:  # who reads small files does without it
    from numpy.typing import NDArray

RECENT_MAX: Final = 50_000  # ids kept as they are
_DIGEST_BYTES: Final = 16


class AnyIds(Protocol):
    """A set of ids, or a table of them."""

    def __len__(self) -> int: ...

    def __contains__(self, key: object, /) -> bool: ...


class _Level(NamedTuple):
    """Digests in ascending order, each with its number."""

    digests: NDArray[Any]
    numbers: NDArray[Any]


class IdTable:
    """Ids, each with a number. The newest are kept as they are, of the others 16 bytes of a hash: 24 MB for a million."""

    def __init__(self) -> None:
        """Begin without any."""
        self._recent: dict[str, int] = {}
        self._levels: list[_Level] = []  # each at least twice as long as the next
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object, /) -> bool:
        return isinstance(key, str) and self.find(key) is not None

    def find(self, key: str) -> int | None:
        """Return the number of an id, None where it is not there."""
        number = self._recent.get(key)
        if number is not None or not self._levels:
            return number
        digest = _compute_digest(key)
        for digests, numbers in self._levels:
            place = int(digests.searchsorted(digest))
            if place < len(digests) and digests[place] == digest.rstrip(b"\0"):  # as NumPy gives it
                return int(numbers[place])
        return None

    def add(self, key: str, number: int = 0) -> None:
        """Add an id; one that is there keeps its number."""
        if key in self:
            return
        self._recent[key] = number
        self._count += 1
        if len(self._recent) >= RECENT_MAX:
            self._merge_recent()

    def _merge_recent(self) -> None:
        """Sort the newest, and merge them with what is not much longer."""
        import numpy as np

        digests = np.array([_compute_digest(key) for key in self._recent], f"S{_DIGEST_BYTES}")
        numbers = np.fromiter(self._recent.values(), np.int64, len(self._recent))
        self._recent = {}
        while self._levels and len(self._levels[-1].digests) < 2 * len(digests):
            level = self._levels.pop()
            digests, numbers = np.concatenate([level.digests, digests]), np.concatenate([level.numbers, numbers])
        order = digests.argsort()
        self._levels.append(_Level(digests[order], numbers[order]))


def _compute_digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
