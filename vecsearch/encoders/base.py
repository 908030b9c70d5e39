"""The protocols of encoders. An object with the members of `TextEncoder` serves as `vecsearch.open(…, model=…)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.encoder_fields import read_dimension, read_fingerprint, read_name

Matrix: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The tokens of a text as the encoder sees them, in order, special ones included.

    `spans`: (tokens, 2) half-open character ranges in the text, empty for tokens that stand for no part of it.
    `rows`: (tokens, dimension) float32, not normalised.
    """

    spans: NDArray[np.int64]
    rows: Matrix


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Say as a plain value which encoder made some vectors; `registry.load_spec` loads that encoder, in any process.

    `model` is a hub name, a local folder or the bundled model's name; `fingerprint` is equal for two encoders exactly when their
    vectors may be mixed; `dimension` is the length of a vector.
    """

    model: str
    fingerprint: str
    dimension: int


@runtime_checkable
class Encoder(Protocol):
    """Turns what is searched for into unit vectors. A query's vector does not depend on the queries beside it.

    Every encoder answers text queries. What else it encodes is said by a protocol of its own: `TextEncoder` for documents of
    text; `ImageEncoder` and `AudioEncoder` beside it, where `modalities`, a set of names, has "image" or "audio" beside "text".
    An encoder without `modalities` is one of text.
    """

    @property
    def name(self) -> str:
        """Return the name that loads the encoder again: what `vecsearch.open(model=…)` takes."""
        ...

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return a text that is equal for two encoders exactly when their vectors may be mixed."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """Return (len(texts), dimension) float32 rows of length 1, with the query prompt, if the model has one.

        A query longer than the window is cut.
        """
        ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder of documents of text. A text's vector does not depend on the texts beside it.

    One that several threads may use at the same time may say so by an attribute `is_thread_safe`, True: then texts are cut while
    others are encoded. Without it, an encoder does one thing at a time. One that knows quicker ways than `token_spans` may have
    `count_tokens(text)`, the number of them, and `token_starts(text)`: where each token starts, or its word does, or None.
    """

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a document's text fit the window, beside special tokens and the prompt."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the half-open character range of each token of the whole text, in order, without special tokens."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """Return (len(texts), dimension) float32 rows of length 1. The caller keeps each text within `max_tokens`."""
        ...


@runtime_checkable
class ImageEncoder(Encoder, Protocol):
    """An encoder of pictures into the space of its texts. A picture's vector does not depend on the pictures beside it."""

    @property
    def modalities(self) -> frozenset[str]:
        """Return what it encodes: "text", "image", perhaps "audio"; one without "image" gives no pictures vectors."""
        ...

    def encode_images(self, images: Sequence[Any]) -> Matrix:
        """Return (len(images), dimension) float32 rows of length 1 of pictures of Pillow in RGB."""
        ...


@runtime_checkable
class AudioEncoder(Encoder, Protocol):
    """An encoder of sound into the space of its texts. A sound's vector does not depend on the sounds beside it."""

    @property
    def modalities(self) -> frozenset[str]:
        """Return what it encodes: "text", "audio", perhaps "image"; one without "audio" gives no sound vectors."""
        ...

    def encode_audio(self, sounds: Sequence[NDArray[np.float32]], *, sample_rate: int) -> Matrix:
        """Return (len(sounds), dimension) float32 rows of length 1 of mono sounds between -1 and 1, of up to ten seconds each."""
        ...


@runtime_checkable
class TokenEncoder(TextEncoder, Protocol):
    """An encoder that shows the vectors of single tokens: needed to rerank and to explain."""

    @property
    def pools_by_mean(self) -> bool:
        """Return whether a text's vector is the mean of its tokens' rows, normalised to length 1."""
        ...

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        """Return the tokens of each text, cut at the window, encoded as documents or as queries."""
        ...


@runtime_checkable
class MiddleTokenEncoder(TokenEncoder, Protocol):
    """An encoder that also shows single tokens half-way, where a word still stands for itself, in the sense that it has here."""

    def encode_middle_tokens(self, texts: Sequence[str]) -> list[TokenRows]:
        """Return the tokens of each text, cut at the window, encoded as documents, with their rows of a middle layer; of the last
        layer where the model shows no other."""
        ...


class CrossEncoder(Protocol):
    """Scores a query and a passage together."""

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return a score for each passage; larger is better."""
        ...


def describe_encoder(encoder: Encoder) -> EncoderSpec:
    """Return the plain value that names an encoder and its vectors; loads the model, which alone knows its dimension.

    Raises InputError for what an encoder of a caller's own says wrongly.
    """
    return EncoderSpec(read_name(encoder), read_fingerprint(encoder), read_dimension(encoder))
