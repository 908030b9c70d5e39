"""The results of questions in words, as Markdown: times first, then what they cost and how much was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.report import MISSING, Result, describe_size, format_columns, format_figure, format_machine, format_notes


def _make_time_column(series: str) -> Callable[[Result], str]:
    return lambda result: _format_times(result.get(series))


def _name_peer(result: Result) -> str:
    return f"{result['peer']} {result['version']}"


TIME_COLUMNS: dict[str, Callable[[Result], str]] = {
    "p50 / p95 / worst, ms": _name_peer,
    "hybrid": _make_time_column("hybrid"),
    "hybrid, vector given": _make_time_column("hybrid_given"),
    "hybrid, filter 19 %": _make_time_column("hybrid_filtered"),
    "lexical": _make_time_column("lexical"),
    "lexical, filter 19 %": _make_time_column("lexical_filtered"),
    "lexical, 60–150 words": _make_time_column("lexical_long"),
    "`begin*`": _make_time_column("beginnings"),
    '`"a phrase"`': _make_time_column("phrases"),
    "dense": _make_time_column("dense"),
    "encoding alone": _make_time_column("encoding"),
}
COST_COLUMNS: dict[str, Callable[[Result], str]] = {
    "": _name_peer,
    "row found by 4 of its words: lexical": lambda result: _format_share(result.get("lexical"), "found_share"),
    "hybrid": lambda result: _format_share(result.get("hybrid"), "found_share"),
    "recall@10, dense": lambda result: _format_share(result.get("dense"), "recall"),
    "ingest, durable": lambda result: format_figure(result.get("ingest_s"), "s"),
    "reopen to answer": lambda result: format_figure(result.get("reopen_ms"), "ms"),
    "disk": lambda result: format_figure(result.get("disk_mb"), "MB"),
    "peak memory": lambda result: format_figure(result.get("memory_mb"), "MB"),
}
EXPLANATION = """\
Each peer builds in one process and is asked in another, one question after another, whatever a hit holds read. A small
collection is built and asked before, so that imports and first calls count for nobody; for every series the database is opened
anew and warmed by a hundred other questions. Questions: 150 summaries that are not in the collection, and 50 of four words of a
row that is; long ones are package descriptions (texts joined, where those are not there). Every question is encoded, within its
time, by vecsearch's own encoder in float32, whoever is asked; `encoding alone` is that in the same process, and `vector given`
leaves it out. Recall is against brute force in float32; the row that four words were taken from counts as found among the first
ten. Vectors are brought along at ingest, which ends when all is on disk. Peak memory is that of the asking process: imports, the
encoder and mapped pages included.
"""


def build_text_table(results: Sequence[Result], facts: dict[str, str | int]) -> str:
    parts = [format_machine(facts)]
    for rows in sorted({result["rows"] for result in results}):
        size_results = [result for result in results if result["rows"] == rows]
        parts.append(describe_size(size_results))
        parts += [format_columns(columns, size_results) for columns in (TIME_COLUMNS, COST_COLUMNS)]
    return "\n\n".join([*parts, *format_notes(results), EXPLANATION])


def _format_times(series: Result | None) -> str:
    return MISSING if series is None else " / ".join(f"{series[key]:.3g}" for key in ("p50_ms", "p95_ms", "max_ms"))


def _format_share(series: Result | None, key: str) -> str:
    value = None if series is None else series.get(key)
    return MISSING if value is None else f"{value:.3f}"
