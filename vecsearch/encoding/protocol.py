"""What an encoder is. Anything with these members serves, in `vecsearch.open(…, encoder=…)` too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]


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
