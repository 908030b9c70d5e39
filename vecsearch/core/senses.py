"""What a word can mean, and how it is used: always frozen. Positions count characters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from vecsearch.core.results import Hit


@dataclass(frozen=True, slots=True)
class Sense:
    """A meaning that a word can have, as WordNet has it. `id` is its number and letter there; `part_of_speech` is noun, verb, adj
    or adv; `words` are its synonyms, the word itself among them."""

    id: str
    part_of_speech: str
    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...] = ()

    def describe(self, word: str) -> str:
        """Return the word, what it means, and what else means that, as one text."""
        return f"{word}: {self.definition} ({', '.join(self.words)})"


@dataclass(frozen=True, slots=True)
class SenseMatch:
    """How well a meaning fits a word in a first text and in a second one: cosines in [-1, 1], larger fits better."""

    sense: Sense
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class SameSense:
    """Whether a word means the same in two texts: it does where the score, in [0, 1], is above ½.

    `senses` is how each of its meanings fits either text, that which fits both best first; empty where no WordNet is at hand, or
    does not have the word, and the score then goes by the texts alone.
    """

    same: bool
    score: float
    senses: tuple[SenseMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class SenseGroup:
    """Passages that use a word alike: how many, the two most typical as hits, and the meaning that fits them best.

    `sense` is None where no WordNet is at hand or it does not have the word. A hit's score is the cosine of its use of the word
    with the group's mean.
    """

    size: int
    hits: tuple[Hit, ...]
    sense: Sense | None = None


class WordSenses(list[SenseGroup]):
    """The groups in which a word is used in a collection, the largest first.

    `passages` have the `word`, of which so many were `read`. `reason`: why there is no group, or no definition; None
    where there are.
    """

    def __init__(
        self, groups: Iterable[SenseGroup] = (), *, word: str, passages: int = 0, read: int = 0, reason: str | None = None
    ) -> None:
        super().__init__(groups)
        self.word, self.passages, self.read, self.reason = word, passages, read, reason

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `json.dumps` takes: the fields of the shell's JSON."""
        groups = [
            {"size": group.size, "sense": group.sense and asdict(group.sense), "hits": [hit.to_dict() for hit in group.hits]}
            for group in self
        ]
        counts = {"word": self.word, "passages": self.passages, "read": self.read, "reason": self.reason}
        return {**counts, "groups": groups}
