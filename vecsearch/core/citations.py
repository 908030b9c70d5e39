"""Where a chunk stands in its source, in words: said once, for answers and for packed contexts."""

from __future__ import annotations

from vecsearch.core.types import Location


def describe_location(location: Location, title: str | None) -> str:
    """Return `page 3`, `sheet Costs, rows 2–40`, `lines 10–24, Install › Linux` …; empty where nothing but the title is known."""
    parts = [str(location["member"])] if "member" in location else []
    parts += [f"{what} {location[what]}" for what in ("page", "slide", "cell", "message") if what in location]
    parts += [f"sheet {location['sheet']}"] if "sheet" in location else []
    parts += [_format_range(what, *location[what]) for what in ("rows", "lines") if what in location]
    parts += ["–".join(str(moment).partition(".")[0] for moment in location["time"])] if "time" in location else []
    parts += [" › ".join(heading for heading in location.get("heading", ()) if heading != title)]
    return ", ".join(filter(None, parts))


def _format_range(unit: str, first: int, last: int) -> str:
    return f"{unit.removesuffix('s')} {first}" if first == last else f"{unit} {first}–{last}"
