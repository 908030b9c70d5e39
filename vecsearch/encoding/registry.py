"""Which encoder a name means."""

from __future__ import annotations

from functools import cache

from vecsearch.encoding.identity import BUNDLED, canonical
from vecsearch.encoding.protocol import Encoder

DEFAULT_ENCODER = BUNDLED


def load(encoder: str | Encoder | None) -> Encoder:
    """The encoder of a name (a hub name, a local folder, the bundled model; None: the default), or the one given itself."""
    if encoder is None or isinstance(encoder, str):
        return _named(canonical(encoder or DEFAULT_ENCODER))
    return encoder


@cache
def _named(name: str) -> Encoder:
    """One model in memory, however many collections use it."""
    from vecsearch.encoding.sentence_transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(name)
