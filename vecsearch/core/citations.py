"""Where a chunk stands in its source, in words: said once, for answers and for packed contexts."""

from __future__ import annotations

from vecsearch.core.types import Location


def describe_location(location: Location, title: str | None) -> str:
    """`page 3`, `sheet Costs, rows 2–40`, `lines 10–24, Install › Linux` …; empty where nothing but the title is known."""
    said = [str(location["member"])] if "member" in location else []
    said += [f"{what} {location[what]}" for what in ("page", "slide", "cell", "message") if what in location]
    said += [f"sheet {location['sheet']}"] if "sheet" in location else []
    said += [_format_range(what, *location[what]) for what in ("rows", "lines") if what in location]
    said += ["–".join(str(each).partition(".")[0] for each in location["time"])] if "time" in location else []
    said += [" › ".join(heading for heading in location.get("heading", ()) if heading != title)]
    return ", ".join(filter(None, said))


def _format_range(unit: str, first: int, last: int) -> str:
    return f"{unit.removesuffix('s')} {first}" if first == last else f"{unit} {first}–{last}"
