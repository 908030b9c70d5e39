"""Why a hit stands where it does: what each side says of it, and what each token brings to its similarity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vecsearch.core.lazy_value import LazyValue
from vecsearch.core.types import Span


@dataclass(frozen=True, slots=True)
class ComponentScore:
    """What one side says of a chunk: its score, and its rank from 1 where the chunk is among that side's candidates."""

    score: float
    rank: int | None


@dataclass(frozen=True, slots=True)
class TokenAttribution:
    """How much of the similarity one token brings: characters [start, end) of the document's text."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the parts of a chunk bring to its similarity; see `Explanation`."""

    sentence: Span | None = None
    tokens: tuple[TokenAttribution, ...] = ()
    remainder: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why a hit stands where it does.

    `components`: "dense" (the cosine), "lexical" (BM25), "trigrams" (how the words are spelled, in [0, 1]), "feedback" (the mean
    cosine to the best few), "word_pairs" (the share of the query's neighbouring words that are neighbours here) and "rerank", as
    far as they were used.

    `sentence`, `tokens` and `remainder` are computed when one of them is first read, which encodes the chunk once more: some
    milliseconds. Reading them raises EncodingError where the encoder fails then.
    """

    components: Mapping[str, ComponentScore]
    _attribution: LazyValue[Attribution] = field(default_factory=lambda: LazyValue.from_value(Attribution()))

    @property
    def sentence(self) -> Span | None:
        """The sentence of the chunk which brings most of the similarity a token; without vectors, that which holds most words."""
        return self._attribution.get().sentence

    @property
    def tokens(self) -> tuple[TokenAttribution, ...]:
        """The chunk's tokens, whose weights and `remainder` add up to the similarity; none unless the model pools by the mean."""
        return self._attribution.get().tokens

    @property
    def remainder(self) -> float:
        """What the title, the context and special tokens bring to the similarity; 0 unless the model pools by the mean."""
        return self._attribution.get().remainder

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as the shell's JSON has it."""
        components = {name: asdict(component) for name, component in self.components.items()}
        return {"components": components, **asdict(self._attribution.get())}

    def __repr__(self) -> str:
        """Return the components."""
        return f"Explanation({dict(self.components)!r})"
