"""Which encoder a name means."""

from __future__ import annotations

from functools import cache

from vecsearch.core.errors import EncoderMismatch
from vecsearch.encoding.identity import BUNDLED, canonical
from vecsearch.encoding.protocol import Encoder

DEFAULT_ENCODER = BUNDLED


def load(encoder: str | Encoder | None) -> Encoder:
    """The encoder of a name (a hub name, a local folder, the bundled model; None: the default), or the one given itself."""
    if encoder is None or isinstance(encoder, str):
        return _named(canonical(encoder or DEFAULT_ENCODER))
    return encoder


def load_same(asked: str | Encoder | None, *, collection: str, stored: str, fingerprint: str) -> Encoder:
    """The encoder asked for, or by default the stored one, if it is the one that the collection was built with.

    Raises EncoderMismatch, UnavailableError.
    """
    encoder = load(stored if asked is None else asked)
    if encoder.fingerprint != fingerprint:
        changed = " as it is now (its files have changed since)" if encoder.name == stored else ""
        raise EncoderMismatch(collection, stored, encoder.name + changed)
    return encoder


@cache
def _named(name: str) -> Encoder:
    """One model in memory, however many collections use it."""
    from vecsearch.encoding.sentence_transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(name)
