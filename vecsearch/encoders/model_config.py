"""What there is to know of a model before its weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Pooling(StrEnum):
    """How a text's vector comes from its tokens' rows."""

    MEAN = "mean"
    FIRST = "first"  # the row of the special token in front


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """`window` counts all tokens of a pass, `max_tokens` those of a document's own text, without special ones and prompt."""

    dimension: int
    window: int
    max_tokens: int
    pooling: Pooling
    document_prompt: str
    query_prompt: str
