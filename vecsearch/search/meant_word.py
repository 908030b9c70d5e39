"""The vector of a word as it is meant: by a sentence that has it, or by a definition. What is near to it in a list of words?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import EncodingError
from vecsearch.core.senses import Sense
from vecsearch.encoders.base import TokenEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.encoders.unit_vectors import encode_tokens, scale_rows
from vecsearch.search.sense_choice import read_uses, score_senses
from vecsearch.search.word_sense import Vector, place_windows, pool_tokens
from vecsearch.stores.base import Snapshot
from vecsearch.text.sought_word import SoughtWord

_ENTRIES_MAX: Final = 100
_BARE_WEIGHT: Final = 0.3  # of the word alone; what it means has the rest. More finds more synonyms, of other meanings too
_SAME_DEFINITION: Final = 0.45  # the cosine of two definitions of one meaning, in two persons' words, is hardly less


def embed_meant_word(word: SoughtWord, about: str, senses: Sequence[Sense], encoder: TokenEncoder) -> Vector:
    """Return a unit vector. `about` is a sentence with a form of the word, or else its definition.

    Beside the word alone, a definition counts, or the word's vector in the sentence, in the last layer, where it is compared with
    whole texts. Of the `senses`, meanings that the word can have, the one that fits the sentence best takes the place of both, or
    the one that is defined nearly so: its description names its synonyms.
    """
    chosen = _choose_sense(word, about, senses, encoder)
    if chosen is not None:
        return np.asarray(encode_documents(encoder, [chosen.describe(word.written)])[0], np.float32)
    bare = encode_documents(encoder, [word.written])[0]
    meant = _embed_use(word, about, encoder) if word.find(about) else encode_documents(encoder, [about])[0]
    return scale_rows(_BARE_WEIGHT * bare + (1 - _BARE_WEIGHT) * meant)


def find_entries(snapshot: Snapshot, word: SoughtWord) -> NDArray[np.int64]:
    """Return the chunks that are the word itself, or a form of it: entries of a list, which are near to whatever it means.

    Of the chunks with the word the 100 with the highest BM25 are looked at: a chunk of nothing else is among these.
    """
    found = snapshot.match(word.clauses, _ENTRIES_MAX).ranked.ids
    texts = snapshot.load_chunk_texts(found.tolist())
    return found[[word.is_all_of(chunk.text) for chunk in texts]] if len(found) else found


def _choose_sense(word: SoughtWord, about: str, senses: Sequence[Sense], encoder: TokenEncoder) -> Sense | None:
    """Return the meaning that a sentence has, or the one whose definition is nearest to that given; None where none is near."""
    if not senses:
        return None
    if word.find(about):
        return senses[int(score_senses(encoder, word.written, senses, read_uses(encoder, word, [about]))[0].argmax())]
    cosines = encode_documents(encoder, [sense.definition for sense in senses]) @ encode_documents(encoder, [about])[0]
    return senses[int(cosines.argmax())] if cosines.max() >= _SAME_DEFINITION else None


def _embed_use(word: SoughtWord, sentence: str, encoder: TokenEncoder) -> Vector:
    (window,) = place_windows(encoder, sentence, word.find(sentence)[:1])
    (tokens,) = encode_tokens(encoder, [window.text])
    used = pool_tokens(tokens, window.spans[0])
    if used is None:
        raise EncodingError(f"the model {encoder.name} has no token for {word.written!r}")
    return used
