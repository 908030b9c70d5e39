"""Titles that say something, among those that documents state."""

from __future__ import annotations

import re
from typing import Final

_NO_TITLE: Final = re.compile(  # what programs write there by themselves
    r"(untitled|unbenannt|sans titre)?[\s\d]*$|(document|presentation|slide|book|workbook|folie|dokument)\s*\d*$"
    r"|(power\s?point[- ])pr[äe]sentation$|(microsoft )?(word|power\s?point|excel) -",
    re.IGNORECASE,
)


def real_title(title: str | None) -> str | None:
    """A stated title, None for what a program calls any new document."""
    title = " ".join((title or "").split())
    return None if not title or _NO_TITLE.match(title) else title
