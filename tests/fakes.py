"""A small deterministic encoder, for tests that do not depend on meaning, and what stops a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xxhash
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class FakeEncoder:
    """The sum of a random vector for each word, so that texts that share words are near. Encoders of another salt disagree."""

    salt: int = 0
    dimension: int = 32
    max_tokens: int = 40

    @property
    def name(self) -> str:
        return f"fake-{self.salt}-{self.dimension}-{self.max_tokens}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}-fingerprint"

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\S+", text)]

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        return np.array([self._row(text) for text in texts], np.float32).reshape(len(texts), self.dimension)

    encode_queries = encode_documents

    def _row(self, text: str) -> Matrix:
        row = sum((self._word(word) for word in text.split()), self._word(""))
        return (row / np.linalg.norm(row)).astype(np.float32)

    def _word(self, word: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        seed = xxhash.xxh3_64_intdigest(word.encode(errors="replace"), self.salt)
        return np.random.default_rng(seed).standard_normal(self.dimension)


@dataclass(frozen=True)
class RecordingEncoder(FakeEncoder):
    """Remembers every text that it encodes."""

    texts: list[str] = field(default_factory=list)
    act: Callable[[], object] = lambda: None

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        self.texts.extend(texts)
        self.act()
        return super().encode_documents(texts)


class StopAt:
    """Says yes to the question of this number, counted from 1, and to all that follow."""

    def __init__(self, number: int) -> None:
        self.number, self.questions = number, 0

    def __call__(self) -> bool:
        self.questions += 1
        return self.questions >= self.number
