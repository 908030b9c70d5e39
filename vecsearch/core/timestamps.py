"""The time as it is stored and shown."""

from __future__ import annotations

from datetime import UTC, datetime


def get_timestamp() -> str:
    """Return the time now: UTC, in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
