"""A look inside a model: what becomes of a text on the way to its vector. Needs no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vecsearch.core.checks import check_limit, is_unicode, shorten_repr
from vecsearch.core.errors import InputError, UsageError
from vecsearch.core.inspection import Inspection, Neighbour
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import BUNDLED_MODEL
from vecsearch.search import layer_analysis

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

NEIGHBOURS_DEFAULT: Final = 8
_TEXTS_MAX: Final = 20
_TYPICAL_CORRELATION: Final = (
    0.75  # of the default model, over all words of 204 sentences of WiC's dev part (tests/search/test_inspection.py)
)


def inspect(
    texts: str | Sequence[str],
    *,
    word: str | None = None,
    model: str | None = None,
    leave_one_out: bool = False,
    collection: Collection | None = None,
    limit: int = NEIGHBOURS_DEFAULT,
) -> Inspection:
    """Look inside a model at work on a text, or on up to 20: tokens, every layer, every attention map, the vector.

    `word`: what is compared, layer by layer, between the first text and the others, or between two places of a single text; by
    default the words that they share. `leave_one_out` measures exactly how each word shapes the others, with a pass a word.
    `collection`: its model is looked into, and of each text its `limit` nearest documents are told.
    `model`: a hub name, a local folder, or all-MiniLM-L6-v2. A BERT is computed by NumPy in single precision, any other model by
    torch. A text is encoded as a document, and cut at the model's window or at 512 tokens.

    Raises UsageError for a text without words, InputError for a word that does not occur, UnavailableError.
    """
    checked, count = _check_texts(texts), check_limit(limit)
    if word is not None and (not isinstance(word, str) or not word.strip()):
        raise UsageError(f"word must be a word of the texts, got {shorten_repr(word)}")
    layer_model = registry.load_layer_model(_choose_model(model, collection))
    inspected = [layer_analysis.analyze_text(layer_model, text, leave_one_out=leave_one_out) for text in checked]
    if collection is not None:
        inspected = [replace(text, neighbours=_find_neighbours(collection, text.text, count)) for text in inspected]
    vectors = np.stack([text.vector for text in inspected])
    if word is not None:
        comparisons = layer_analysis.compare_word(inspected, word)
    else:
        comparisons = layer_analysis.compare_shared_words(inspected)
    return Inspection(
        layer_model.name, tuple(inspected), vectors @ vectors.T, tuple(comparisons),
        layer_analysis.compute_attention_correlation(inspected),
        _TYPICAL_CORRELATION if layer_model.name == BUNDLED_MODEL else None,
    )  # fmt: skip


def _check_texts(texts: Any) -> list[str]:
    """Return the texts as a list. Raises UsageError, InputError."""
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, list | tuple) or not all(isinstance(text, str) for text in several):
        raise InputError(f"expected a text, or a list of texts, got {shorten_repr(texts)}")
    if not 1 <= len(several) <= _TEXTS_MAX:
        raise UsageError(f"expected 1 to {_TEXTS_MAX} texts, got {len(several):,}")
    for number, text in enumerate(several, 1):
        if not text.strip():
            raise UsageError(f"text {number} is empty: expected some words, got {shorten_repr(text)}")
        if not is_unicode(text):
            raise InputError(f"text {number} is no valid Unicode: it holds half of a surrogate pair")
    return list(several)


def _choose_model(model: str | None, collection: Collection | None) -> str | None:
    if collection is None:
        return model
    if model is not None and model != collection.model:
        raise UsageError(f"the collection {collection.name!r} has the model {collection.model}, not {model}: name one of the two")
    return collection.model


def _find_neighbours(collection: Collection, text: str, limit: int) -> tuple[Neighbour, ...]:
    hits = collection.search(text, mode="dense", limit=limit, group_by="document")
    return tuple(Neighbour(hit.id, hit.title or hit.text, float(hit.similarity or 0.0)) for hit in hits)
