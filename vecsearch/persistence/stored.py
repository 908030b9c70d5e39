"""Values as SQLite holds them, read back: SQLite checks no page, so what a damaged file gives may be anything."""

from __future__ import annotations

import json

from vecsearch.core.errors import Damaged
from vecsearch.core.types import JSON


def from_json(stored: str) -> JSON:
    """The value of a JSON text that we wrote. Raises Damaged."""
    try:
        return json.loads(stored)
    except (TypeError, ValueError, RecursionError) as error:
        raise Damaged(f"the database is damaged: what should be JSON is not ({error}); see `vecsearch doctor`") from error
