"""The vector of a word as it is meant: by a sentence that has it, or by a definition. What is near to it in a list of words?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vecsearch.core.senses import Sense
from vecsearch.encoders.base import TokenEncoder
from vecsearch.encoders.unit_vectors import encode_documents, encode_tokens
from vecsearch.search.sense_choice import read_uses, score_senses
from vecsearch.search.word_sense import Vector, normalize, place_windows, pool_tokens
from vecsearch.text.sought_word import SoughtWord

_BARE_WEIGHT: Final = 0.4  # of the word alone; its use in the sentence has the rest


def embed_meant_word(word: SoughtWord, about: str, senses: Sequence[Sense], encoder: TokenEncoder) -> Vector:
    """Return a unit vector. `about` is a sentence with a form of the word, or else its definition.

    A definition counts half, the word alone the other half. A sentence makes the vector of the word in it, in the last layer,
    where it is compared with whole texts; with the meanings that the word can have, that of the definition which fits the
    sentence best, and which names its synonyms.
    """
    spans = word.find(about)
    if not spans:
        return normalize(encode_documents(encoder, [word.written, about]).sum(axis=0))
    if senses:
        best = senses[int(score_senses(encoder, word.written, senses, read_uses(encoder, word, [about]))[0].argmax())]
        return np.asarray(encode_documents(encoder, [best.describe(word.written)])[0], np.float32)
    (window,) = place_windows(encoder, about, spans[:1])
    (tokens,) = encode_tokens(encoder, [window.text])
    (bare,) = encode_documents(encoder, [word.written])
    used = pool_tokens(tokens, window.spans[0])
    return bare if used is None else normalize(_BARE_WEIGHT * bare + (1 - _BARE_WEIGHT) * used)
