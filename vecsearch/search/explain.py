"""Why a chunk is near: mean pooling makes its vector a sum over tokens, so that the cosine is a sum of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import Explanation, TokenAttribution
from vecsearch.core.types import Span
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.encoders.base import TokenEncoder, TokenRows
from vecsearch.encoders.unit_vectors import encode_tokens
from vecsearch.stores.base import ChunkText
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.sentences import split_sentences

Vector = NDArray[np.float32]


def attribute_to_tokens(
    explanations: Sequence[Explanation], chunks: Sequence[ChunkText], encoder: TokenEncoder, query: Vector
) -> list[Explanation]:
    """Add the share of every token in each passage's similarity, and the sentence nearest to the query.

    The similarity is that of `components["dense"]`. An encoder that does not pool by the mean has no shares, nor has a passage
    without a word; that is no error.
    """
    explained, inputs = list(explanations), [format_encoder_input(chunk.title, chunk.context, chunk.text) for chunk in chunks]
    worded = [n for n, text in enumerate(inputs) if text.strip()]
    for n, rows in zip(worded, encode_tokens(encoder, [inputs[n] for n in worded]), strict=True):
        explained[n] = _attribute_tokens(explanations[n], chunks[n], rows, encoder, query)
    return explained


def _attribute_tokens(
    explanation: Explanation, chunk: ChunkText, tokens: TokenRows, encoder: TokenEncoder, query: Vector
) -> Explanation:
    spans = _locate_tokens(tokens, chunk)
    sentence = _find_nearest_sentence(chunk, spans, tokens.rows, query)
    if not encoder.pools_by_mean or "dense" not in explanation.components:  # its vector is still to be made
        return replace(explanation, sentence=sentence)
    mean = tokens.rows.astype(np.float64).mean(axis=0)
    shares = tokens.rows @ query / (len(tokens.rows) * max(float(np.linalg.norm(mean)), 1e-12))
    # the stored vector was rounded, this one was not: what that makes is spread evenly
    shares = shares + (explanation.components["dense"].score - shares.sum()) / len(shares)
    attributions = tuple(
        TokenAttribution(*span, float(share)) for span, share in zip(spans, shares, strict=True) if span is not None
    )
    return replace(
        explanation,
        sentence=sentence,
        tokens=attributions,
        remainder=explanation.components["dense"].score - sum(attribution.weight for attribution in attributions),
    )


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
    explanations: Sequence[Explanation], chunks: Sequence[ChunkText], term_idfs: Mapping[str, float], stemmer: str
) -> list[Explanation]:
    """Add the sentence of each passage that holds most of the query, by the sum of idf; None where none holds any of it."""
    return [
        replace(explanation, sentence=_find_sentence_with_terms(passage, term_idfs, stemmer))
        for explanation, passage in zip(explanations, chunks, strict=True)
    ]


def _find_sentence_with_terms(chunk: ChunkText, term_idfs: Mapping[str, float], stemmer: str) -> Span | None:
    best, most = None, 0.0
    for sentence in split_sentences(chunk.text):
        stems = set(get_analyzer(stemmer).analyze(chunk.text[sentence.start : sentence.end]).terms)
        idf_sum = sum(idf for stem, idf in term_idfs.items() if stem in stems)
        if idf_sum > most:
            best, most = Span(chunk.start + sentence.start, chunk.start + sentence.end), idf_sum
    return best
