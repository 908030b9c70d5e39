"""Values as SQLite holds them, read back: SQLite checks no page, so what a damaged file gives may be anything."""

from __future__ import annotations

import json

from vecsearch.core.errors import Damaged
from vecsearch.core.types import JSON, Cut, Place


def from_json(stored: str) -> JSON:
    """The value of a JSON text that we wrote. Raises Damaged."""
    try:
        return json.loads(stored)
    except (TypeError, ValueError, RecursionError) as error:
        raise Damaged(f"the database is damaged: what should be JSON is not ({error}); see `vecsearch doctor`") from error


def place_of(stored: str | None) -> Place:
    """Where a chunk stands in its source, as `chunks.place` says. Raises Damaged."""
    return {} if stored is None else from_json(stored)


def cut_of(start: int, end: int, place: str | None, context: str | None) -> Cut:
    """A chunk by what `chunks` holds of it. Raises Damaged."""
    return Cut(start, end, place_of(place), context or "")
