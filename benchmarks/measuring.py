"""Time calls one after another, measure the peak memory of a process and the size of a folder, and flush files to disk."""

from __future__ import annotations

import os
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import TypeVar

MEGABYTE = 1_000_000
MIN_CALLS = 20  # timed, however long they take

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


def time_calls(
    call: Callable[[Argument], Answer], arguments: Sequence[Argument], seconds: float
) -> tuple[list[float], list[Answer]]:
    """Time one call after another, until the arguments or the seconds are used up; return milliseconds and what came back."""
    times: list[float] = []
    answers: list[Answer] = []
    for argument in arguments:
        start_time = perf_counter()
        answers.append(call(argument))
        times.append((perf_counter() - start_time) * 1000)
        if sum(times) > seconds * 1000 and len(times) >= MIN_CALLS:
            break
    return times, answers


def summarize_times(times: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the greatest of some milliseconds, and how many there are."""
    p95 = sorted(times)[int(len(times) * 0.95)]
    return {"p50_ms": statistics.median(times), "p95_ms": p95, "max_ms": max(times), "queries": len(times)}


def measure_peak_mb() -> float:
    """Return the peak resident memory of this process and of its children that still run, added up.

    Pages of mapped files count. `ru_maxrss` alone would hand on the peak of whoever started this process.
    """
    if not Path("/proc/self/status").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE
    return sum(map(_read_peak, ["self", *_list_descendants("self")])) / MEGABYTE


def measure_resident_mb(process: int) -> float:
    """Return the resident memory of a process and of its descendants now, added up. Linux only."""
    return sum(_read_status(pid, "VmRSS:") for pid in [str(process), *_list_descendants(str(process))]) / MEGABYTE


def _read_peak(process: str) -> float:
    return _read_status(process, "VmHWM:")


def _read_status(process: str, name: str) -> float:
    """Read a figure in bytes, by the kernel's own name."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def _list_descendants(process: str) -> Iterator[str]:
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:  # the process has ended in the meantime
            continue
        for child in children:
            yield child
            yield from _list_descendants(child)


def measure_size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def make_durable(folder: Path) -> None:
    """Call `fsync` on every file and folder: does nothing where a database has done so itself."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_file() or path.is_dir():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def warm_cache(folder: Path) -> None:
    """Have the system hold every file, as it does for who opened it a moment ago; some machines forget early."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass
