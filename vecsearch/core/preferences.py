"""Saved profiles: which documents somebody likes, and which not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Preference(NamedTuple):
    """A document that somebody likes, or does not: `weight` in [-1, 1], above 0 for a like, and never 0.

    `at` is when that was said, UTC in ISO 8601. The document need not be there any more, or yet.
    """

    id: str
    weight: float
    at: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What is saved of somebody, the newest first."""

    name: str
    preferences: tuple[Preference, ...]

    @property
    def likes(self) -> list[str]:
        """Return the ids of the documents liked, the newest first."""
        return [preference.id for preference in self.preferences if preference.weight > 0]

    @property
    def dislikes(self) -> list[str]:
        """Return the ids of the documents not liked, the newest first."""
        return [preference.id for preference in self.preferences if preference.weight < 0]

    def to_dict(self) -> dict[str, Any]:
        """Return all that is saved, as JSON holds it."""
        return {"profile": self.name, "preferences": [preference._asdict() for preference in self.preferences]}


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """A profile, how many documents it likes and dislikes, and when it last changed, UTC in ISO 8601."""

    name: str
    likes: int
    dislikes: int
    changed_at: str
