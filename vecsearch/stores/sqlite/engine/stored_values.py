"""JSON values that SQLite holds, written and parsed: SQLite checks no page, so what a damaged file gives may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.nesting import load_json
from vecsearch.core.types import JSON, Location

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def format_stored_json(value: Mapping[str, Any]) -> str:
    """Return a JSON object as it is stored."""
    return _ENCODER.encode(dict(value)) if value else "{}"


def parse_stored_json(text: str) -> JSON:
    """Return the value of a JSON text that we wrote. Raises DatabaseCorruptedError."""
    try:
        return load_json(text)
    except (TypeError, ValueError) as error:
        raise DatabaseCorruptedError(
            f"the database is damaged: what should be JSON is not ({error}); see `vecsearch doctor`"
        ) from error


def format_payload(value: JSON) -> str | None:
    """Return a payload as it is stored, NULL for none."""
    return None if value is None else _ENCODER.encode(value)


def parse_payload(text: str | None) -> JSON:
    """Return a document's payload. Raises DatabaseCorruptedError."""
    return None if text is None else parse_stored_json(text)


def parse_location(text: str | None) -> Location:
    """Return where a chunk stands in its source, as `chunks.location` says. Raises DatabaseCorruptedError."""
    return {} if text is None else parse_stored_json(text)
