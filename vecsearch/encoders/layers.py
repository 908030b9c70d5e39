"""What happens to a text inside a model, layer by layer: the values, and the protocol of what gives them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.encoders.model_config import Pooling

Tensor: TypeAlias = NDArray[np.float32]
_SEEN_TOKENS_MAX: Final = 512  # of a text: the attention of thousands would fill the memory
_ADDED_CATEGORIES: Final = frozenset(("Mn", "Me", "Mc", "Cf"))  # accents, joiners: part of the character before them


@dataclass(frozen=True, slots=True)
class LayerOutputs:
    """`rows`: (layers + 1, tokens, dimension), the embeddings first; `attention`: (layers, heads, tokens, tokens), in which the
    token of a row attends to those of its columns and each row sums to 1. Both are float32."""

    rows: Tensor
    attention: Tensor


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """The tokens of a text as the model sees them, cut at its window or at 512.

    `spans`: half-open character ranges in the text, None for special tokens and those of a prompt. `words`: for each token the
    word that it is a piece of, counted from 0, None where its span is. `cut_tokens`: how many did not fit.
    """

    ids: NDArray[np.int64]
    pieces: Sequence[str]
    spans: Sequence[tuple[int, int] | None]
    words: Sequence[int | None]
    cut_tokens: int


class LayerModel(Protocol):
    """A model that shows its layers. Its texts are encoded as documents."""

    @property
    def name(self) -> str:
        """Return the name that loads it."""
        ...

    def get_pooling(self) -> Pooling | None:
        """Return how a text's vector comes from its last rows; None for a model that does more than pool and normalise."""
        ...

    def tokenize(self, text: str) -> TokenizedText:
        """Return the tokens of a text, with the document prompt, if the model has one."""
        ...

    def run(self, ids: NDArray[np.int64]) -> LayerOutputs:
        """Return what each layer makes of a text's token ids, shape (tokens,)."""
        ...

    def encode_text(self, text: str) -> Tensor:
        """Return the unit vector of a text, for a model whose pooling is not known."""
        ...


def build_tokenizer(json: str, window: int) -> Any:
    """Return the tokenizer of a file's text, which cuts at the window or at 512 tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json)
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(window, _SEEN_TOKENS_MAX))
    return tokenizer


def tokenize_text(tokenizer: Any, prompt: str, text: str) -> TokenizedText:
    """Return the tokens of a text behind a prompt."""
    encoding = tokenizer.encode(prompt + text)
    spans = list(_find_spans(encoding, prompt, text))
    numbers: dict[int, int] = {}
    words = [
        None if span is None or word is None else numbers.setdefault(word, len(numbers))
        for span, word in zip(spans, encoding.word_ids, strict=True)
    ]
    cut = sum(part.special_tokens_mask.count(0) for part in encoding.overflowing)
    return TokenizedText(np.array(encoding.ids, np.int64), encoding.tokens, spans, words, cut)


def _find_spans(encoding: Any, prompt: str, text: str) -> Iterator[tuple[int, int] | None]:
    """Yield the characters of each token with the marks and joiners behind them, which a tokenizer may have dropped."""
    for (start, end), special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True):
        first, last = max(start - len(prompt), 0), end - len(prompt)
        if special or last <= first:
            yield None
            continue
        while first < last and text[first].isspace():  # what some tokenizers count to the word behind it
            first += 1
        while last < len(text) and unicodedata.category(text[last]) in _ADDED_CATEGORIES:
            last += 1
        yield first, last


def pool_rows(rows: Tensor, pooling: Pooling) -> Tensor:
    """Return the unit vector of a text from the rows of its last layer."""
    vector = rows.mean(axis=0) if pooling is Pooling.MEAN else rows[0]
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
