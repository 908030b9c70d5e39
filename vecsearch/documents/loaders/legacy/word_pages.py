"""The pages inside a Word document on which the properties of its paragraphs and characters lie ([MS-DOC] 2.9.33, 2.9.198)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

PAGE_BYTES: Final = 512


class PageRun(NamedTuple):
    """The bytes [start, end) of a file, and where on a page their properties lie; 0 where they have none."""

    start: int
    end: int
    page: bytes
    offset: int


def iter_page_runs(data: bytes, table: bytes, *, number_bytes: int = 4, entry_bytes: int) -> Iterator[PageRun]:
    """Yield the runs of a file. Its table names the pages, each by `number_bytes`; a run on a page has `entry_bytes`."""
    count = max((len(table) - 4) // (4 + number_bytes), 0)
    places = range(4 * (count + 1), 4 * (count + 1) + number_bytes * count, number_bytes)
    numbers = (int.from_bytes(table[place : place + number_bytes], "little") & 0x3FFFFF for place in places)
    for number in dict.fromkeys(numbers):  # each page once, however often a damaged table names it
        page = data[number * PAGE_BYTES : (number + 1) * PAGE_BYTES]
        runs = page[-1] if len(page) == PAGE_BYTES else 0
        for run in range(runs):
            entry = 4 * (runs + 1) + entry_bytes * run
            if entry < PAGE_BYTES - 1:
                start, end = (int.from_bytes(page[place : place + 4], "little") for place in (4 * run, 4 * run + 4))
                yield PageRun(start, end, page, 2 * page[entry])
