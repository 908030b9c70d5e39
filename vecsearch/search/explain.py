"""Why a chunk is near: mean pooling makes its vector a sum over tokens, so that the cosine is a sum of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.attribution import Attribution, ComponentScore, Explanation, TokenAttribution
from vecsearch.core.lazy_value import LazyValue
from vecsearch.core.types import Span
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.encoders.base import TokenEncoder, TokenRows
from vecsearch.encoders.unit_vectors import encode_tokens
from vecsearch.stores.base import ChunkText
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.sentences import split_sentences

Components: TypeAlias = Mapping[str, ComponentScore]
Vector: TypeAlias = NDArray[np.float32]


def attribute_to_tokens(
    components: Sequence[Components], chunks: Sequence[ChunkText], encoder: TokenEncoder, query: Vector
) -> list[Explanation]:
    """Explain chunks by the share of every token in the similarity, and by the sentence nearest to the query.

    The similarity is that of `components["dense"]`. An encoder that does not pool by the mean has no shares, nor has a passage
    without a word; that is no error. A chunk is encoded once somebody asks for its shares.
    """
    return [
        Explanation(scores, LazyValue(partial(_attribute_tokens, scores.get("dense"), chunk, encoder, query)))
        for scores, chunk in zip(components, chunks, strict=True)
    ]


def _attribute_tokens(dense: ComponentScore | None, chunk: ChunkText, encoder: TokenEncoder, query: Vector) -> Attribution:
    text = format_encoder_input(chunk.title, chunk.context, chunk.text)
    if not text.strip():
        return Attribution()
    (tokens,) = encode_tokens(encoder, [text])
    spans = _locate_tokens(tokens, chunk)
    sentence = _find_nearest_sentence(chunk, spans, tokens.rows, query)
    if not encoder.pools_by_mean or dense is None:  # its vector is still to be made
        return Attribution(sentence)
    mean = tokens.rows.astype(np.float64).mean(axis=0)
    shares = tokens.rows @ query / (len(tokens.rows) * max(float(np.linalg.norm(mean)), 1e-12))
    # the stored vector was rounded, this one was not: what that makes is spread evenly
    shares = shares + (dense.score - shares.sum()) / len(shares)
    attributions = tuple(
        TokenAttribution(*span, float(share)) for span, share in zip(spans, shares, strict=True) if span is not None
    )
    return Attribution(sentence, attributions, dense.score - sum(attribution.weight for attribution in attributions))


def _locate_tokens(tokens: TokenRows, chunk: ChunkText) -> list[tuple[int, int] | None]:
    """Return where each token stands in the document's text; None for those of the title, the context and the model's own."""
    text = chunk.text.strip()
    encoded = format_encoder_input(chunk.title, chunk.context, chunk.text)
    first = len(encoded) - len(text)  # the text is the end of what is encoded
    shift = chunk.start + len(chunk.text) - len(chunk.text.lstrip()) - first
    return [(int(a) + shift, int(b) + shift) if b > a >= first else None for a, b in tokens.spans]


def _find_nearest_sentence(
    chunk: ChunkText, spans: Sequence[tuple[int, int] | None], rows: NDArray[np.float32], query: Vector
) -> Span | None:
    """Find the sentence nearest to the query, by the cosine of the mean of its tokens' rows."""
    best, nearest = None, -np.inf
    for sentence in split_sentences(chunk.text):
        start, end = chunk.start + sentence.start, chunk.start + sentence.end
        own = [at for at, span in enumerate(spans) if span is not None and start <= span[0] < end]
        if own:
            mean = rows[own].mean(axis=0)
            cosine = float(mean @ query) / max(float(np.linalg.norm(mean)), 1e-12)
            if cosine > nearest:
                best, nearest = Span(start, end), cosine
    return best


def attribute_to_terms(
    components: Sequence[Components], chunks: Sequence[ChunkText], term_idfs: Mapping[str, float], stemmer: str
) -> list[Explanation]:
    """Explain chunks by the sentence that holds most of the query, by the sum of idf; None where none holds any of it."""
    return [
        Explanation(scores, LazyValue(partial(_attribute_terms, chunk, term_idfs, stemmer)))
        for scores, chunk in zip(components, chunks, strict=True)
    ]


def _attribute_terms(chunk: ChunkText, term_idfs: Mapping[str, float], stemmer: str) -> Attribution:
    return Attribution(_find_sentence_with_terms(chunk, term_idfs, stemmer))


def _find_sentence_with_terms(chunk: ChunkText, term_idfs: Mapping[str, float], stemmer: str) -> Span | None:
    best, most = None, 0.0
    for sentence in split_sentences(chunk.text):
        stems = set(get_analyzer(stemmer).analyze(chunk.text[sentence.start : sentence.end]).terms)
        idf_sum = sum(idf for stem, idf in term_idfs.items() if stem in stems)
        if idf_sum > most:
            best, most = Span(chunk.start + sentence.start, chunk.start + sentence.end), idf_sum
    return best
