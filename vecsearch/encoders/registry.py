"""Load an encoder by its name, and keep the models that are in use in memory once."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from vecsearch.core.encoder_fields import read_fingerprint, read_name
from vecsearch.core.errors import ModelMismatchError
from vecsearch.core.forks import make_lock, pause
from vecsearch.encoders.auto import AutoEncoder
from vecsearch.encoders.base import EncoderSpec, TextEncoder
from vecsearch.encoders.model_files import (
    BUNDLED_MODEL,
    ComputePrecision,
    find_model_folder,
    normalize_model_name,
    require_sentence_transformers,
)

if TYPE_CHECKING:
    from vecsearch.encoders.cross_encoder import SentenceTransformersCrossEncoder
    from vecsearch.encoders.layers import LayerModel

log = logging.getLogger("vecsearch")

DEFAULT_MODEL = BUNDLED_MODEL
_MODELS_KEPT: Final = 3

_Key = TypeVar("_Key", bound=Hashable)
_Model = TypeVar("_Model")


class ModelCache(Generic[_Key, _Model]):
    """Models by key: each is in memory once while anybody uses it, and the `size` used last stay loaded for the next caller.

    Safe to share between threads.
    """

    def __init__(self, load: Callable[[_Key], _Model], size: int) -> None:
        self._load, self._size = load, size
        self._in_use: WeakValueDictionary[_Key, _Model] = WeakValueDictionary()
        self._recent: OrderedDict[_Key, _Model] = OrderedDict()
        self._loading: WeakValueDictionary[_Key, RLock] = WeakValueDictionary()  # a lock for each key that is being loaded
        self._lock = make_lock()

    def get(self, key: _Key) -> _Model:
        """Return the model of a key, loaded now if it is in memory nowhere."""
        pause()
        with self._lock:
            loading = self._loading.setdefault(key, make_lock())
        with loading:  # which may take as long as a download: whoever wants another model does not wait
            model = self._in_use.get(key)
            if model is None:
                model = self._load(key)
            with self._lock:
                self._in_use[key] = self._recent[key] = model
                self._recent.move_to_end(key)
                while len(self._recent) > self._size:
                    self._recent.popitem(last=False)
        return model

    def clear(self) -> None:
        """Forget every model; those in use live on with their users."""
        with self._lock:
            self._recent.clear()
            self._in_use.clear()


def load(model: str | TextEncoder | None, compute_precision: ComputePrecision | None = None) -> TextEncoder:
    """Return the encoder of a name (a hub name, a local folder, the bundled model; None: the default), or the one given itself.

    The three used last stay in memory: a collection uses up to three precisions of its model (int8, float32, whichever fits
    this machine). Further ones go when their last user does.
    Measured: all-MiniLM-L6-v2 takes 19 to 32 MB in int8, 64 MB in float32.
    """
    if model is None or isinstance(model, str):
        return _encoders.get((normalize_model_name(model or DEFAULT_MODEL), compute_precision))
    return model


def load_matching(model: str | TextEncoder | None, *, collection: str, stored: str, fingerprint: str) -> TextEncoder:
    """Return the requested encoder, or by default the stored one, if it is the one that the collection was built with.

    One requested by name computes in the precision of the collection. Raises ModelMismatchError, UnavailableError.
    """
    requested_model = stored if model is None else model
    if (match := _find_by_fingerprint(requested_model, fingerprint)) is not None:
        return match
    name = read_name(load(requested_model))
    changed = " as it is now (its files have changed since)" if name == stored else ""
    raise ModelMismatchError(collection, stored, name + changed, model=name)


def load_spec(spec: EncoderSpec) -> TextEncoder:
    """Return the encoder that a plain value names: what a worker in another process does. Raises UnavailableError.

    Raises ModelMismatchError where the model of that name has other files here, so that its vectors could not be mixed.
    """
    if (match := _find_by_fingerprint(spec.model, spec.fingerprint)) is not None:
        return match
    raise ModelMismatchError(None, spec.model, f"{spec.model} as it is here (its files differ)")


def _load_cross_encoder(name: str) -> SentenceTransformersCrossEncoder:
    from vecsearch.encoders.cross_encoder import SentenceTransformersCrossEncoder

    return SentenceTransformersCrossEncoder(name)


def load_cross_encoder(name: str) -> SentenceTransformersCrossEncoder:
    """Return the cross-encoder of a name; the one used last stays in memory. Raises UnavailableError."""
    return _cross_encoders.get(normalize_model_name(name))


def _load_layer_model(name: str) -> LayerModel:
    from vecsearch.encoders.bert_layers import BertLayerModel

    folder = find_model_folder(name)
    try:
        return BertLayerModel(name, folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as reason:
        log.debug("%s is read by torch: %s: %s", name, type(reason).__name__, reason)
    from vecsearch.encoders.torch_layers import TorchLayerModel

    require_sentence_transformers(name)
    return TorchLayerModel(name)


def load_layer_model(name: str | None) -> LayerModel:
    """Return the model of a name, or the default one, as one that shows its layers; the one used last stays in memory.

    A BERT is read from its files alone, any other model needs torch. Raises UnavailableError.
    """
    return _layer_models.get(normalize_model_name(name or DEFAULT_MODEL))


def release_models() -> None:
    """Forget the models that are in memory; those in use live on with their users. The next `load` reads the files again."""
    _encoders.clear()
    _cross_encoders.clear()
    _layer_models.clear()


def _find_by_fingerprint(model: str | TextEncoder, fingerprint: str) -> TextEncoder | None:
    """Return the encoder, in whichever precision has that fingerprint; None where it has it in none."""
    encoders = (load(model, precision) for precision in ComputePrecision)
    return next((encoder for encoder in encoders if read_fingerprint(encoder) == fingerprint), None)


_encoders: Final[ModelCache[tuple[str, ComputePrecision | None], TextEncoder]] = ModelCache(
    lambda key: AutoEncoder(*key), _MODELS_KEPT
)
_cross_encoders: Final = ModelCache(_load_cross_encoder, 1)
_layer_models: Final = ModelCache(_load_layer_model, 1)
