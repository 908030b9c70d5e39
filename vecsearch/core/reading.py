"""How surely a text was read in a picture or heard, as metadata say it under `read_by`."""

from __future__ import annotations

from typing import Final

from vecsearch.core.settings import LOW_CONFIDENCE
from vecsearch.core.types import Metadata

READ_BY: Final = "read_by"


def describe_reading(engine: str, language: str, confidence: float) -> Metadata:
    """Return what metadata say of a text that was read or heard: by what, in which language, how surely, of 100."""
    return {READ_BY: {"engine": engine, "language": language, "confidence": round(confidence)}}


def get_low_confidence(metadata: Metadata) -> int | None:
    """Return the confidence of a text that was read badly; None for any other, and for what a caller wrote under the key."""
    reading = metadata.get(READ_BY)
    confidence = reading.get("confidence") if isinstance(reading, dict) else None
    return confidence if isinstance(confidence, int) and confidence < LOW_CONFIDENCE else None
