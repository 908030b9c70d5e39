"""What was measured, as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from vecsearch.core.parallel import count_cores

Result: TypeAlias = dict[str, Any]

MISSING = "–"
COLUMNS: dict[str, Callable[[Result], str]] = {
    "": lambda each: f"{each['peer']} {each['version']}",
    "ingest, durable": lambda each: _format_figure(each.get("ingest_s"), "s"),
    "p50": lambda each: _format_series(each.get("all"), "p50_ms"),
    "recall@10": lambda each: _format_series(each.get("all"), "recall"),
    "p50, filter 19 % (recall)": lambda each: _format_with_recall(each.get("some")),
    "p50, filter < 1 % (recall)": lambda each: _format_with_recall(each.get("few")),
    "reopen to answer": lambda each: _format_figure(each.get("reopen_ms"), "ms"),
    "disk": lambda each: _format_figure(each.get("disk_mb"), "MB"),
    "peak memory": lambda each: _format_figure(each.get("memory_mb"), "MB"),
    "hits": lambda each: MISSING if "complete" not in each else "complete" if each["complete"] else "ids only",
}
EXPLANATION = """\
Each peer builds in one process and is asked in another; a small collection is built and asked before, so that imports and
first calls count for nobody. Ingest ends when all is on disk, `fsync` of every file included, whether or not the database
does that itself; vectors are brought along. p50 is the median of single queries, one after another, ten for warming up
before, with whatever a hit holds read. The queries are texts held out. Recall is against brute force in float32; equally near
rows count as equally right. Reopening is timed with the files in the system's cache. Peak memory is that of the searching
process, imports and mapped pages included.
"""


def describe_machine() -> dict[str, str | int]:
    return {"processor": _read_processor(), "cores": count_cores(), "python": platform.python_version()}


def build_table(results: Sequence[Result], facts: dict[str, str | int]) -> str:
    parts = [f"Measured one after the other on {facts['processor']}, {facts['cores']} cores, Python {facts['python']}."]
    for rows in sorted({each["rows"] for each in results}):
        some = [each for each in results if each["rows"] == rows]
        lines = [_format_line([column(each) for column in COLUMNS.values()]) for each in some]
        parts.append("\n".join([f"**{rows:,} rows**", "", _format_line(COLUMNS), _format_line(["---"] * len(COLUMNS)), *lines]))
    notes = {each["peer"]: each["note"] for each in results}
    parts.append("\n".join(f"- {peer}: {note}." for peer, note in notes.items()))
    failed = [
        f"- {each['peer']}, {each['rows']:,} rows: {each['failed']}; not tried with more." for each in results if "failed" in each
    ]
    parts.extend(["\n".join(failed)] if failed else [])
    return "\n\n".join([*parts, EXPLANATION])


def _format_line(cells: Sequence[str] | dict[str, Any]) -> str:
    return f"| {' | '.join(cells)} |"


def _format_figure(value: float | None, unit: str) -> str:
    if value is None:
        return MISSING
    return f"{value:,.0f} {unit}" if value >= 99.5 else f"{value:.3g} {unit}"


def _format_series(series: Result | None, key: str) -> str:
    if series is None:
        return MISSING
    return f"{series[key]:.3f}" if key == "recall" else _format_figure(series[key], "ms")


def _format_with_recall(series: Result | None) -> str:
    return MISSING if series is None else f"{_format_series(series, 'p50_ms')} ({_format_series(series, 'recall')})"


def _read_processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
