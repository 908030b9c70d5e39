"""The results of a comparison, as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from vecsearch.core.parallel import count_cores

Result: TypeAlias = dict[str, Any]

MISSING = "–"
COLUMNS: dict[str, Callable[[Result], str]] = {
    "": lambda result: f"{result['peer']} {result['version']}",
    "ingest, durable": lambda result: format_figure(result.get("ingest_s"), "s"),
    "p50": lambda result: _format_series(result.get("all"), "p50_ms"),
    "recall@10": lambda result: _format_series(result.get("all"), "recall"),
    "p50, filter 19 % (recall)": lambda result: _format_with_recall(result.get("some")),
    "p50, filter < 1 % (recall)": lambda result: _format_with_recall(result.get("few")),
    "reopen to answer": lambda result: format_figure(result.get("reopen_ms"), "ms"),
    "disk": lambda result: format_figure(result.get("disk_mb"), "MB"),
    "peak memory": lambda result: format_figure(result.get("memory_mb"), "MB"),
    "hits": lambda result: MISSING if "complete" not in result else "complete" if result["complete"] else "ids only",
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
    return {
        "processor": _read_processor(), "instructions": _read_instructions(), "cores": count_cores(),
        "python": platform.python_version(),
    }  # fmt: skip


def format_machine(facts: dict[str, str | int]) -> str:
    return (
        f"Measured one after the other on {facts['processor']} ({facts['instructions']}), {facts['cores']} cores, "
        f"Python {facts['python']}."
    )


def build_table(results: Sequence[Result], facts: dict[str, str | int]) -> str:
    parts = [format_machine(facts)]
    for rows in sorted({result["rows"] for result in results}):
        size_results = [result for result in results if result["rows"] == rows]
        parts.extend([describe_size(size_results), format_columns(COLUMNS, size_results)])
    return "\n\n".join([*parts, *format_notes(results), EXPLANATION])


def describe_size(results: Sequence[Result]) -> str:
    """Return the heading of the results of one size, and where their vectors come from if not all from the encoder."""
    origins = {result["vectors"] for result in results if result.get("vectors")}
    return "; ".join([f"**{results[0]['rows']:,} rows**", *sorted(origins)])


def format_columns(columns: dict[str, Callable[[Result], str]], results: Sequence[Result]) -> str:
    """Return a table in Markdown with a line a result."""
    lines = [_format_line([column(result) for column in columns.values()]) for result in results]
    return "\n".join([_format_line(columns), _format_line(["---"] * len(columns)), *lines])


def format_notes(results: Sequence[Result]) -> list[str]:
    """Return the peers' notes, and what failed, as lists in Markdown."""
    notes = {result["peer"]: result["note"] for result in results}
    failures = [
        f"- {result['peer']}, {result['rows']:,} rows: {result['failed']}; not tried with more."
        for result in results
        if "failed" in result
    ]
    parts = ["\n".join(f"- {peer}: {note}." for peer, note in notes.items())]
    return [*parts, "\n".join(failures)] if failures else parts


def _format_line(cells: Sequence[str] | dict[str, Any]) -> str:
    return f"| {' | '.join(cells)} |"


def format_figure(value: float | None, unit: str) -> str:
    if value is None:
        return MISSING
    return f"{value:,.0f} {unit}" if value >= 99.5 else f"{value:.3g} {unit}"


def _format_series(series: Result | None, key: str) -> str:
    if series is None:
        return MISSING
    return f"{series[key]:.3f}" if key == "recall" else format_figure(series[key], "ms")


def _format_with_recall(series: Result | None) -> str:
    return MISSING if series is None else f"{_format_series(series, 'p50_ms')} ({_format_series(series, 'recall')})"


def _read_processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _read_instructions() -> str:
    """Return the widest vector instructions, which decide how quick the encoder is."""
    path = Path("/proc/cpuinfo")
    flags = set(path.read_text().split()) if path.exists() else set()
    names = {"avx512_vnni": "AVX-512 VNNI", "avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
    return next((name for flag, name in names.items() if flag in flags), "vector instructions unknown")
