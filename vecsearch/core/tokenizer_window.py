"""A tokenizer and how many tokens fit the window of its model: what chunks are fitted to, as a plain value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.token_counter import TokenCounter


@dataclass(frozen=True)
class TokenizerWindow:
    """One of the `tokenizers` library, by its file, and the tokens of a document's own text that a model takes at once.

    It loads nothing but the tokenizer, when it is first used, so that another process can have the like. Safe to share between
    threads.
    """

    tokenizer_file: Path
    max_tokens: int

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the character range of every token of a text, not cut at the window, special tokens left out."""
        if not text:
            return []
        # unlike `encode`, `encode_batch` lets other threads run
        (encoding,) = self._tokenizer.encode_batch([text], add_special_tokens=False)
        offsets: list[tuple[int, int]] = encoding.offsets
        return offsets

    def count_tokens(self, text: str) -> int:
        """Return how many `token_spans` a text has."""
        return self._counter.count(text)

    def has_at_most(self, text: str, most: int) -> bool:
        """Return whether a text has at most so many; sooner told than how many."""
        return self._counter.has_at_most(text, most)

    def token_starts(self, text: str) -> NDArray[np.int64] | None:
        """Return where each token of a text begins, or its word does; None where words do not tell."""
        return self._counter.find_starts(text)

    @lazy_property
    def _tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self.tokenizer_file)
        tokenizer.no_truncation()
        return tokenizer

    @lazy_property
    def _counter(self) -> TokenCounter:
        return TokenCounter(self._tokenizer)


def load_tokenizer(path: Path) -> Any:
    """Return the tokenizer of a file, which pads nothing."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    return tokenizer


def find_token_window(encoder: Any) -> TokenizerWindow | None:
    """Return the tokenizer and window of an encoder, or of what is one, as a plain value; None where none is known."""
    window = encoder if isinstance(encoder, TokenizerWindow) else getattr(encoder, "token_window", None)
    return window if isinstance(window, TokenizerWindow) else None
