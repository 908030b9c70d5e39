"""A look inside a model at work, always frozen: what becomes of texts on the way to their vectors. Positions count characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from vecsearch.core.errors import UsageError
from vecsearch.core.previews import format_fields, shorten_text
from vecsearch.core.types import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Array: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """One head of one layer, both counted from 1."""

    layer: int
    number: int

    def __str__(self) -> str:
        """Return `layer.head`."""
        return f"{self.layer}.{self.number}"


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """A token of a text: its `piece` and `id` in the model's vocabulary, and where it stands.

    `span` is None for special tokens and those of a prompt; `word` is the number of the word that it is a piece of. `norm` is the
    length of its row in the last layer. `share` is its part in the text's vector: the shares of all tokens sum to 1, one may be
    negative; None for a model that does more than pool its rows.
    """

    piece: str
    id: int
    span: Span | None
    word: int | None
    norm: float
    share: float | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A document of a collection that is near to a text, and its cosine."""

    id: str
    text: str
    similarity: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TextInspection:
    """What becomes of one text, with T tokens and W words, in a model of L layers, H heads and D dimensions; float32 arrays.

    `layers`: (L + 1, T, D), the rows of the embeddings, then of each layer. `attention`: (L, H, T, T), in which the token of a
    row attends to those of its columns. `vector`: (D,), of length 1. `words`: where the words stand, as the tokenizer sees them.

    `shaped_by`: (W, W), how much the word of a row attends to the others: the mean over all heads and layers, special tokens left
    out; its rows sum to 1, its diagonal is 0. `leave_one_out`: (W, W), 1 - the cosine by which the last row of a word turns where
    the word of the column is left out of the text; None where it was not requested. `special_attention`: the share of all
    attention that special tokens draw. `cut_tokens`: how many tokens did not fit the window.
    """

    text: str
    tokens: tuple[InspectedToken, ...]
    words: tuple[Span, ...]
    layers: _Array
    attention: _Array
    vector: _Array
    shaped_by: _Array
    special_attention: float
    cut_tokens: int = 0
    leave_one_out: _Array | None = None
    neighbours: tuple[Neighbour, ...] | None = None

    def __repr__(self) -> str:
        """Return the beginning of the text and the sizes."""
        return format_fields("TextInspection", text=shorten_text(self.text), tokens=len(self.tokens), words=len(self.words))

    def get_word(self, number: int) -> str:
        """Return the text of a word."""
        return self.text[self.words[number].start : self.words[number].end]

    def list_influences(self, number: int, limit: int = 3) -> list[tuple[int, float]]:
        """Return the words, with their shares, that shape a word most, the strongest first; none that has no share."""
        shares = self.shaped_by[number].tolist()
        best = sorted(range(len(shares)), key=lambda word: (-shares[word], word))[:limit]
        return [(word, shares[word]) for word in best if shares[word] > 0]


@dataclass(frozen=True, slots=True)
class WordPlace:
    """An occurrence of a word: the number of the text, and the characters in it."""

    text: int
    span: Span


@dataclass(frozen=True, slots=True)
class WordComparison:
    """A word that occurs twice, and the cosine of its two vectors in the embeddings and after each layer: L + 1 numbers.

    A vector of a word is the mean of the rows of its pieces.
    """

    word: str
    places: tuple[WordPlace, WordPlace]
    similarities: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inspection:
    """Texts inside one model. `similarities`: (texts, texts) float32, the cosines of their vectors.

    `comparisons`: words of the first text and another one. `attention_correlation`: Spearman's ρ between attention and
    leave-one-out in these texts, a mean over their words; None where that was not requested, or no word has three others.
    `typical_correlation`: the same as it was measured on 204 sentences; None for another model than the default.
    """

    model: str
    texts: tuple[TextInspection, ...]
    similarities: _Array
    comparisons: tuple[WordComparison, ...] = ()
    attention_correlation: float | None = None
    typical_correlation: float | None = None

    def __repr__(self) -> str:
        """Return the model and the beginnings of the texts."""
        return format_fields("Inspection", model=self.model, texts=[shorten_text(text.text) for text in self.texts])

    @property
    def layer_count(self) -> int:
        """Return how many layers the model has, the embeddings not counted."""
        return len(self.texts[0].attention)

    @property
    def head_count(self) -> int:
        """Return how many heads each layer has."""
        return int(self.texts[0].attention.shape[1])

    @property
    def tokens(self) -> Sequence[InspectedToken]:
        """Return the tokens of the first text; the others are in `texts`."""
        return self.texts[0].tokens

    @property
    def layers(self) -> _Array:
        """Return the layers of the first text."""
        return self.texts[0].layers

    @property
    def attention(self) -> _Array:
        """Return the attention in the first text."""
        return self.texts[0].attention

    @property
    def vector(self) -> _Array:
        """Return the vector of the first text."""
        return self.texts[0].vector


def parse_head(value: str) -> Head:
    """Return the head of a text `layer.head`, such as 3.2. Raises UsageError."""
    layer, dot, number = value.partition(".")
    if dot and layer.isdecimal() and number.isdecimal() and int(layer) and int(number):
        return Head(int(layer), int(number))
    raise UsageError(f"a head is LAYER.HEAD, both from 1, such as 3.2; got {value!r}")


def check_head(inspection: Inspection, head: Head | None) -> None:
    """Raise UsageError for a head that the model has not."""
    if head is not None and (head.layer > inspection.layer_count or head.number > inspection.head_count):
        most = f"{inspection.layer_count}.{inspection.head_count}"
        raise UsageError(f"{inspection.model} has the heads 1.1 to {most}, got {head}")
