"""Why a chunk is near: mean pooling makes its vector a sum over tokens, so that the cosine is a sum of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.answers import Reasons, Share
from vecsearch.core.types import Span
from vecsearch.documents.sentences import sentences
from vecsearch.encoding.forms import encoded_text
from vecsearch.encoding.protocol import TokenEncoder, TokenRows
from vecsearch.persistence.analysis import analyzer
from vecsearch.persistence.reader import Passage

Vector = NDArray[np.float32]


def by_tokens(reasons: Sequence[Reasons], passages: Sequence[Passage], encoder: TokenEncoder, query: Vector) -> list[Reasons]:
    """With the share of every token in each passage's similarity, and the sentence nearest to the query.

    The similarity is that of `parts["dense"]`. Raises nothing for an encoder that does not pool by the mean: it has no shares.
    """
    rows = encoder.encode_tokens([encoded_text(each.title, each.context, each.text) for each in passages])
    return [_shared(*each, encoder, query) for each in zip(reasons, passages, rows, strict=True)]


def _shared(reasons: Reasons, passage: Passage, tokens: TokenRows, encoder: TokenEncoder, query: Vector) -> Reasons:
    spans = _in_document(tokens, passage)
    sentence = _nearest_sentence(passage, spans, tokens.rows, query)
    if not encoder.pools_by_mean:
        return replace(reasons, sentence=sentence)
    mean = tokens.rows.astype(np.float64).mean(axis=0)
    shares = tokens.rows @ query / (len(tokens.rows) * max(float(np.linalg.norm(mean)), 1e-12))
    # the stored vector was rounded, this one was not: what that makes is spread evenly
    shares = shares + (reasons.parts["dense"].score - shares.sum()) / len(shares)
    told = tuple(Share(*span, float(share)) for span, share in zip(spans, shares, strict=True) if span is not None)
    return replace(reasons, sentence=sentence, shares=told, rest=reasons.parts["dense"].score - sum(each.share for each in told))


def _in_document(tokens: TokenRows, passage: Passage) -> list[tuple[int, int] | None]:
    """Where each token stands in the document's text; None for those of the title, the context and the model's own."""
    text = passage.text.strip()
    encoded = encoded_text(passage.title, passage.context, passage.text)
    first = len(encoded) - len(text)  # the text is the end of what is encoded
    shift = passage.start + len(passage.text) - len(passage.text.lstrip()) - first
    return [(int(a) + shift, int(b) + shift) if b > a >= first else None for a, b in tokens.spans]


def _nearest_sentence(
    passage: Passage, spans: Sequence[tuple[int, int] | None], rows: NDArray[np.float32], query: Vector
) -> Span | None:
    """By the cosine of the mean of its tokens' rows."""
    best, nearest = None, -np.inf
    for each in sentences(passage.text):
        start, end = passage.start + each.start, passage.start + each.end
        own = [at for at, span in enumerate(spans) if span is not None and start <= span[0] < end]
        if own:
            mean = rows[own].mean(axis=0)
            cosine = float(mean @ query) / max(float(np.linalg.norm(mean)), 1e-12)
            if cosine > nearest:
                best, nearest = Span(start, end), cosine
    return best


def by_words(
    reasons: Sequence[Reasons], passages: Sequence[Passage], rarity: Mapping[str, float], language: str
) -> list[Reasons]:
    """With the sentence of each passage that says most of the query, by the sum of idf; None where none says any of it."""
    return [replace(each, sentence=_saying(passage, rarity, language)) for each, passage in zip(reasons, passages, strict=True)]


def _saying(passage: Passage, rarity: Mapping[str, float], language: str) -> Span | None:
    best, most = None, 0.0
    for each in sentences(passage.text):
        stems = set(analyzer(language).analyzed(passage.text[each.start : each.end]).terms)
        said = sum(idf for stem, idf in rarity.items() if stem in stems)
        if said > most:
            best, most = Span(passage.start + each.start, passage.start + each.end), said
    return best
