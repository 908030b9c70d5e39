"""Which encoder a name means."""

from __future__ import annotations

from functools import cache

from vecsearch.core.errors import ModelMismatchError
from vecsearch.encoders.auto import AutoEncoder
from vecsearch.encoders.base import Encoder
from vecsearch.encoders.model_files import BUNDLED_MODEL, ComputePrecision, normalize_model_name

DEFAULT_MODEL = BUNDLED_MODEL


def load(model: str | Encoder | None, compute_precision: ComputePrecision | None = None) -> Encoder:
    """The encoder of a name (a hub name, a local folder, the bundled model; None: the default), or the one given itself."""
    if model is None or isinstance(model, str):
        return _load_cached(normalize_model_name(model or DEFAULT_MODEL), compute_precision)
    return model


def load_matching(model: str | Encoder | None, *, collection: str, stored: str, fingerprint: str) -> Encoder:
    """The encoder asked for, or by default the stored one, if it is the one that the collection was built with.

    One asked for by name computes as the collection's did. Raises EncoderMismatch, UnavailableError.
    """
    wanted = stored if model is None else model
    for arithmetic in ComputePrecision:
        encoder = load(wanted, arithmetic)
        if encoder.fingerprint == fingerprint:
            return encoder
    changed = " as it is now (its files have changed since)" if encoder.name == stored else ""
    raise ModelMismatchError(collection, stored, encoder.name + changed, model=encoder.name)


@cache
def _load_cached(name: str, compute_precision: ComputePrecision | None) -> Encoder:
    """One model in memory, however many collections use it."""
    return AutoEncoder(name, compute_precision)
