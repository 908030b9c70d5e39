"""How fast a long run is by its last seconds, and how long it will take: an estimate that follows without jumping."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_S: Final = 10.0  # of which the rate is
_FOLLOWS: Final = 0.1  # how much of the difference an estimate makes up for with each look, at most one a second


class Rate:
    """Takes how much is done at which time, both only growing."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._estimate: tuple[float, float] | None = None  # when it was made, and seconds left

    def add(self, now: float, done: float) -> None:
        """Note that so much is done by now."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW_S:
            self._seen.popleft()

    def get_rate(self, now: float) -> float | None:
        """Return how much is done a second, of the last seconds; None while that is not known."""
        if not self._seen or now - self._seen[0][0] < 1 or self._seen[-1][1] == self._seen[0][1]:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) / (now - self._seen[0][0])

    def estimate(self, now: float, total: float) -> float | None:
        """Return about how many seconds are left; None while that is not known."""
        rate = self.get_rate(now)
        if rate is None:
            return None
        left = max(0.0, total - self._seen[-1][1]) / rate
        if self._estimate is None:
            self._estimate = now, left
            return left
        made, before = self._estimate
        passed = max(0.0, before - (now - made))
        if now - made >= 1:
            self._estimate = now, passed + _FOLLOWS * (left - passed)
            return self._estimate[1]
        return passed


def format_seconds(seconds: float) -> str:
    """Return `40 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
