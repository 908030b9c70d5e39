"""Where a chunk stands in its source, in words and as what is added to a path: said once, for answers and for packed contexts."""

from __future__ import annotations

from typing import Final

from vecsearch.core.types import Location

_NUMBERED: Final = ("page", "slide", "cell", "message")


def describe_location(location: Location, title: str | None) -> str:
    """Return `page 3`, `sheet Costs, rows 2–40`, `lines 10–24, Install › Linux` …; empty where nothing but the title is known."""
    parts = [str(location["member"])] if "member" in location else []
    parts += [f"{what} {location[what]}" for what in _NUMBERED if what in location]
    parts += [f"sheet {location['sheet']}"] if "sheet" in location else []
    parts += [_format_range(what, *location[what]) for what in ("rows", "lines") if what in location]
    parts += ["–".join(str(moment).partition(".")[0] for moment in location["time"])] if "time" in location else []
    parts += [" › ".join(heading for heading in location.get("heading", ()) if heading != title)]
    return ", ".join(filter(None, parts))


def _format_range(unit: str, first: int, last: int) -> str:
    return f"{unit.removesuffix('s')} {first}" if first == last else f"{unit} {first}–{last}"


def format_fragment(location: Location, line: int | None = None) -> str:
    """Return what leads from a file to a place in it: `:40` where lines are all that is known, empty where nothing is.

    Else `#page=7`, `#sheet=Costs&row=12`, `#message=3`, `#cell=4`, `#t=00:01:05`, `#member=notes/a.txt&line=12` … A `line`, or
    row, takes the place of the first.
    """
    first = {what: location[what][0] for what in ("lines", "rows") if what in location}
    parts = {"member": location["member"]} if "member" in location else {}
    parts |= {what: location[what] for what in ("message", "page", "slide", "sheet", "cell") if what in location}
    parts |= {"t": str(location["time"][0]).partition(".")[0]} if "time" in location else {}
    if "lines" in first and not parts:
        return f":{line or first['lines']}"
    parts |= {what.removesuffix("s"): line or number for what, number in first.items()}
    return "#" + "&".join(f"{what}={value}" for what, value in parts.items()) if parts else ""
