"""Which encoder a name means."""

from __future__ import annotations

from functools import cache

from vecsearch.core.errors import EncoderMismatch
from vecsearch.encoding.identity import BUNDLED, Arithmetic, canonical
from vecsearch.encoding.named import NamedEncoder
from vecsearch.encoding.protocol import Encoder

DEFAULT_ENCODER = BUNDLED


def load(encoder: str | Encoder | None, arithmetic: Arithmetic | None = None) -> Encoder:
    """The encoder of a name (a hub name, a local folder, the bundled model; None: the default), or the one given itself."""
    if encoder is None or isinstance(encoder, str):
        return _named(canonical(encoder or DEFAULT_ENCODER), arithmetic)
    return encoder


def load_same(asked: str | Encoder | None, *, collection: str, stored: str, fingerprint: str) -> Encoder:
    """The encoder asked for, or by default the stored one, if it is the one that the collection was built with.

    One asked for by name computes as the collection's did. Raises EncoderMismatch, UnavailableError.
    """
    wanted = stored if asked is None else asked
    for arithmetic in Arithmetic:
        encoder = load(wanted, arithmetic)
        if encoder.fingerprint == fingerprint:
            return encoder
    changed = " as it is now (its files have changed since)" if encoder.name == stored else ""
    raise EncoderMismatch(collection, stored, encoder.name + changed, model=encoder.name)


@cache
def _named(name: str, arithmetic: Arithmetic | None) -> Encoder:
    """One model in memory, however many collections use it."""
    return NamedEncoder(name, arithmetic)
