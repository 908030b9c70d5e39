"""What an encoder is. Anything with these members serves, in `vecsearch.open(…, encoder=…)` too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenRows:
    """A text's tokens as the encoder sees them, special ones among them, in order.

    `spans`: (tokens, 2) half-open ranges of characters of the text, empty ones for tokens that stand for none of it.
    `rows`: (tokens, dimension) float32, not normalised.
    """

    spans: NDArray[np.int64]
    rows: Matrix


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Which encoder made some vectors, as a plain value: what loads it again, and what its vectors are.

    `model` is a hub name, a local folder or the bundled model's name; `fingerprint` is equal for two encoders exactly when their
    vectors may be mixed; `dimension` is the length of a vector.
    """

    model: str
    fingerprint: str
    dimension: int


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into unit vectors. A text's vector does not depend on the texts beside it."""

    @property
    def name(self) -> str:
        """What `vecsearch.open(encoder=…)` takes to load it again."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a document's own text that fit the window, special tokens and prompt taken off."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for two encoders exactly when their vectors may be mixed."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Half-open character ranges of the tokens of a text, uncut and without special tokens, in order."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """(len(texts), dimension) float32 rows of length 1. The caller keeps each text within `max_tokens`."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """The same for the asking side, which some models prompt differently. Longer queries are cut at the window."""
        ...


@runtime_checkable
class TokenEncoder(Encoder, Protocol):
    """An encoder that shows what it makes of single tokens: needed for the second look and for reasons."""

    @property
    def pools_by_mean(self) -> bool:
        """Whether a text's vector is the mean of its tokens' rows, brought to length 1."""
        ...

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        """The tokens of each text as a document's, or as a query's where it is `asked`, cut at the window."""
        ...


class CrossEncoder(Protocol):
    """Judges question and passage together."""

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """A number for each passage, larger is better."""
        ...
