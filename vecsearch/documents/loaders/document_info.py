"""What a document says about itself, as metadata: author, dates, language. Only what it states, dates only when they are some."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from vecsearch.core.types import Metadata

_PARTIAL: Final = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2]))?$")  # a year, a month
_VALUE_MAX: Final = 300  # characters: what is longer names nobody


def build_metadata(
    *, author: Iterable[str] = (), created: str | None = None, modified: str | None = None, language: str | None = None
) -> Metadata:
    """Return the keys that have a value; authors once each, joined by a comma."""
    authors = dict.fromkeys(" ".join(name.split()) for name in author if name.strip())
    values = {
        "author": ", ".join(authors),
        "created": normalize_date(created or ""),
        "modified": normalize_date(modified or ""),
        "language": " ".join((language or "").split()),
    }
    return {key: value for key, value in values.items() if value and len(value) <= _VALUE_MAX}


def map_metadata(pairs: Iterable[tuple[str, str]], keys: Mapping[str, str]) -> Metadata:
    """Map named values to our keys: `keys` says which a name stands for, the best first; the first value of a name counts."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if value.strip():
            values.setdefault(name.lower(), value)
    ours = {key: values[name] for name, key in reversed(list(keys.items())) if name in values}
    return build_metadata(
        author=[ours.get("author", "")], created=ours.get("created"), modified=ours.get("modified"), language=ours.get("language")
    )


def normalize_date(value: str) -> str:
    """Return a date or time in ISO 8601, from that or the form of mail headers; empty where it is neither."""
    value = value.strip()[:_VALUE_MAX]
    if _PARTIAL.match(value):
        return value
    for read in (date.fromisoformat, datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(value).isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return ""
