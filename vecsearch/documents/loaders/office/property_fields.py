"""Titles that say something, among those that documents state."""

from __future__ import annotations

import re
from typing import Final

_PLACEHOLDER_TITLE: Final = re.compile(  # what programs write there by themselves
    r"(untitled|unbenannt|sans titre)?[\s\d]*$|(document|presentation|slide|book|workbook|folie|dokument)\s*\d*$"
    r"|(power\s?point[- ])pr[äe]sentation$|(microsoft )?(word|power\s?point|excel) -",
    re.IGNORECASE,
)


def normalize_title(title: str | None) -> str | None:
    """Return a stated title, None for what a program calls any new document."""
    title = " ".join((title or "").split())
    return None if not title or _PLACEHOLDER_TITLE.match(title) else title
