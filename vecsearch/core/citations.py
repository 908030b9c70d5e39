"""Where a chunk stands in its source, in words: said once, for answers and for packed contexts."""

from __future__ import annotations

from vecsearch.core.types import Location


def describe_location(place: Location, title: str | None) -> str:
    """`page 3`, `sheet Costs, rows 2–40`, `lines 10–24, Install › Linux` …; empty where nothing but the title is known."""
    said = [str(place["member"])] if "member" in place else []
    said += [f"{what} {place[what]}" for what in ("page", "slide", "cell", "message") if what in place]
    said += [f"sheet {place['sheet']}"] if "sheet" in place else []
    said += [_range(what, *place[what]) for what in ("rows", "lines") if what in place]
    said += ["–".join(str(each).partition(".")[0] for each in place["time"])] if "time" in place else []
    said += [" › ".join(heading for heading in place.get("heading", ()) if heading != title)]
    return ", ".join(filter(None, said))


def _range(what: str, first: int, last: int) -> str:
    return f"{what.removesuffix('s')} {first}" if first == last else f"{what} {first}–{last}"
