"""How many cores this process may really use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of work in each period


def core_count() -> int:
    """Those that the process may run on, or fewer where a container's quota or $OMP_NUM_THREADS says so."""
    try:
        most = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        most = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        most = min(most, -(-int(quota) // int(period)))
    with suppress(KeyError, ValueError):
        most = min(most, int(os.environ["OMP_NUM_THREADS"]))
    return max(1, most)
