"""A map of documents in two dimensions, always frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vecsearch.core.previews import format_fields


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A document at (x, y), both in [0, 1]: `label` names it, `text` is its beginning, `value` what its colour stands for."""

    id: str
    label: str
    text: str
    x: float
    y: float
    value: Any = None


@dataclass(frozen=True, slots=True, repr=False)
class DocumentMap:
    """Documents of a collection, near ones drawn near.

    `documents` is how many there are to draw from, of which `points` may be a sample; `without_vector` of the sample have none
    and are left out. `color` is the key of the points' values. `neighbours_kept` is the share of the documents' five nearest, by
    the cosine, that are among the five nearest on the map too: how far it can be believed.
    """

    collection: str
    points: tuple[MapPoint, ...]
    documents: int
    without_vector: int
    color: str | None
    neighbours_kept: float

    def __repr__(self) -> str:
        """Return the collection and the sizes."""
        return format_fields("DocumentMap", collection=self.collection, points=len(self.points), documents=self.documents)
