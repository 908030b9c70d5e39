"""From the layers of a model to what can be said of a text: shares, what shapes a word, how a word differs between two texts.

Attention is not explanation: what it says is compared with leave-one-out, the exact measure, which costs a pass for each word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import InputError
from vecsearch.core.inspection import InspectedToken, TextInspection, WordComparison, WordPlace
from vecsearch.core.types import Span
from vecsearch.encoders.layers import LayerModel, Tensor, TokenizedText, pool_rows
from vecsearch.encoders.model_config import Pooling

_TINY: Final = 1e-12
_RANKED_MIN: Final = 3  # other words, that a correlation of ranks says anything
_COMPARED_MAX: Final = 5  # words that two texts share, where none is named


def analyze_text(model: LayerModel, text: str, *, leave_one_out: bool) -> TextInspection:
    """Run a text through a model. Raises InputError for a text in which the model sees no word."""
    tokenized = model.tokenize(text)
    words = _find_words(tokenized)
    if not words:
        raise InputError(f"the model {model.name} sees no word in {text[:80]!r}")
    outputs = model.run(tokenized.ids)
    pooling = model.get_pooling()
    vector = model.encode_text(text) if pooling is None else pool_rows(outputs.rows[-1], pooling)
    mean = outputs.attention.mean(axis=(0, 1), dtype=np.float64)
    special = [at for at, span in enumerate(tokenized.spans) if span is None]
    members = _list_members(tokenized, len(words))
    shaped_by = _compute_word_attention(mean, members)
    turned = _leave_words_out(model, tokenized.ids, members, outputs.rows[-1]) if leave_one_out else None
    for values in (outputs.rows, outputs.attention, vector, shaped_by):
        values.setflags(write=False)
    if turned is not None:
        turned.setflags(write=False)
    return TextInspection(
        text, _build_tokens(tokenized, outputs.rows[-1], vector, pooling), words, outputs.rows, outputs.attention, vector,
        shaped_by, float(mean[:, special].sum() / len(mean)), tokenized.cut_tokens, turned,
    )  # fmt: skip


def _find_words(tokenized: TokenizedText) -> tuple[Span, ...]:
    """Return the characters of each word: from its first piece to its last."""
    words: dict[int, Span] = {}
    for span, word in zip(tokenized.spans, tokenized.words, strict=True):
        if span is not None and word is not None:
            words[word] = Span(words[word].start, span[1]) if word in words else Span(*span)
    return tuple(words[number] for number in range(len(words)))


def _list_members(tokenized: TokenizedText, count: int) -> list[list[int]]:
    """Return the tokens of each word."""
    members: list[list[int]] = [[] for _ in range(count)]
    for at, word in enumerate(tokenized.words):
        if word is not None:
            members[word].append(at)
    return members


def _build_tokens(tokenized: TokenizedText, rows: Tensor, vector: Tensor, pooling: Pooling | None) -> tuple[InspectedToken, ...]:
    norms = np.linalg.norm(rows.astype(np.float64), axis=1).tolist()
    shares: Sequence[float | None] = [None] * len(rows) if pooling is None else compute_shares(rows, vector, pooling).tolist()
    return tuple(
        InspectedToken(piece, int(token), None if span is None else Span(*span), word, norm, share)
        for piece, token, span, word, norm, share in zip(
            tokenized.pieces, tokenized.ids, tokenized.spans, tokenized.words, norms, shares, strict=True
        )
    )


def compute_shares(rows: Tensor, vector: Tensor, pooling: Pooling) -> NDArray[np.float64]:
    """Return the part of each row in the text's vector; they sum to 1.

    The vector is a sum of rows over its length, so a row's part is its component along the vector, over that of the whole sum.
    """
    if pooling is Pooling.FIRST:
        first: NDArray[np.float64] = np.eye(1, len(rows), dtype=np.float64)[0]
        return first
    parts = rows.astype(np.float64) @ vector.astype(np.float64)
    shares: NDArray[np.float64] = parts / parts.sum()
    return shares


def _compute_word_attention(mean: NDArray[np.float64], members: Sequence[Sequence[int]]) -> Tensor:
    """Return how the words attend to the other words: a mean over a word's own pieces, a sum over those attended to."""
    among = np.array([[mean[np.ix_(own, other)].sum(axis=1).mean() for other in members] for own in members])
    np.fill_diagonal(among, 0)
    shares: Tensor = (among / np.maximum(among.sum(axis=1, keepdims=True), _TINY)).astype(np.float32)
    return shares


def _leave_words_out(model: LayerModel, ids: NDArray[np.int64], members: Sequence[Sequence[int]], rows: Tensor) -> Tensor:
    """Return by how much (1 - cosine) each word's last vector turns where another word is left out of the text."""
    before = _compute_word_means(rows, members)
    turned = np.zeros((len(members), len(members)), np.float32)
    for out, left_out in enumerate(members):
        kept = np.setdiff1d(np.arange(len(ids)), left_out)
        others = [word for word in range(len(members)) if word != out]
        if not others:
            continue
        after = _compute_word_means(
            model.run(ids[kept]).rows[-1], [np.searchsorted(kept, members[word]).tolist() for word in others]
        )
        turned[others, out] = 1 - (before[others] * after).sum(axis=1)
    return turned


def _compute_word_means(rows: Tensor, members: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return the unit mean of the rows of each word's pieces."""
    means = np.array([rows[list(own)].mean(axis=0, dtype=np.float64) for own in members])
    unit: NDArray[np.float64] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _TINY)
    return unit


# -- attention held against leave-one-out


def compute_attention_correlation(texts: Sequence[TextInspection]) -> float | None:
    """Return the mean, over all words with three others or more, of Spearman's ρ between attention and leave-one-out."""
    values = [
        rho
        for text in texts
        if text.leave_one_out is not None and len(text.words) > _RANKED_MIN
        for word in range(len(text.words))
        if (rho := compute_word_correlation(text, word)) is not None
    ]
    return float(np.mean(values)) if values else None


def compute_word_correlation(text: TextInspection, word: int) -> float | None:
    """Return Spearman's ρ between what shapes one word by attention and by leave-one-out; None where one of them is constant."""
    assert text.leave_one_out is not None
    others = np.arange(len(text.words)) != word
    ranks = [_rank(values[word][others]) for values in (text.shaped_by, text.leave_one_out)]
    centered = [rank - rank.mean() for rank in ranks]
    scale = float(np.linalg.norm(centered[0]) * np.linalg.norm(centered[1]))
    return None if scale == 0 else float(centered[0] @ centered[1]) / scale


def _rank(values: Tensor) -> NDArray[np.float64]:
    """Return the rank of each value, equal ones sharing the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return ranks


# -- a word in two places


def compare_word(texts: Sequence[TextInspection], word: str) -> list[WordComparison]:
    """Compare a word, or several in a row, in the first text and in each other one; in a single text its first two occurrences.

    Where a text has it in another form only, that is taken. Raises InputError where it does not occur twice.
    """
    places = [[WordPlace(number, span) for span in _find_occurrences(text, word)] for number, text in enumerate(texts)]
    if len(texts) == 1:
        if len(places[0]) < 2:
            raise InputError(f"the word {word!r} must occur twice in the text, or in two texts; got {_quote(texts[0].text)}")
        return [_compare_places(texts, places[0][0], places[0][1])]
    if lacking := [text.text for text, found in zip(texts, places, strict=True) if not found]:
        raise InputError(f"the word {word!r} does not occur in {_quote(lacking[0])}")
    return [_compare_places(texts, places[0][0], found[0]) for found in places[1:]]


def compare_shared_words(texts: Sequence[TextInspection]) -> list[WordComparison]:
    """Compare the words that the first text shares with each other one: five at most, those that differ most first."""
    own, found = dict(_iterate_words(texts[0])), []
    for number, text in enumerate(texts[1:], 1):
        others = dict(_iterate_words(text))
        shared = [_compare_places(texts, WordPlace(0, own[key]), WordPlace(number, others[key])) for key in own if key in others]
        found += sorted(shared, key=lambda comparison: comparison.similarities[-1])[:_COMPARED_MAX]
    return found


def _iterate_words(text: TextInspection) -> Iterator[tuple[str, Span]]:
    """Yield the words that have a letter or a digit, last to first, so that a mapping keeps the first of equal ones."""
    for span in reversed(text.words):
        word = text.text[span.start : span.end].casefold()
        if any(character.isalnum() for character in word):
            yield word, span


def _find_occurrences(text: TextInspection, word: str) -> list[Span]:
    """Return where a word, or several in a row, stand in what the model sees of a text; else words of the same stem."""
    end = text.words[-1].end
    exact = re.compile(rf"(?<!\w){re.escape(word.strip())}(?!\w)", re.IGNORECASE)
    if spans := [Span(*match.span()) for match in exact.finditer(text.text, 0, end)]:
        return spans
    from vecsearch.text.analyzer import get_analyzer

    analyzer = get_analyzer("en")
    stems = analyzer.analyze(word).terms
    return [span for span in text.words if stems and analyzer.analyze(text.text[span.start : span.end]).terms == stems]


def _compare_places(texts: Sequence[TextInspection], first: WordPlace, second: WordPlace) -> WordComparison:
    a, b = (_compute_word_vectors(texts[place.text], place.span) for place in (first, second))
    text = texts[first.text].text[first.span.start : first.span.end]
    return WordComparison(text, (first, second), tuple((a * b).sum(axis=1).tolist()))


def _compute_word_vectors(text: TextInspection, span: Span) -> NDArray[np.float64]:
    """Return the unit vector of some characters in each layer: the mean of the rows of their tokens."""
    own = [at for at, t in enumerate(text.tokens) if t.span is not None and t.span.start < span.end and t.span.end > span.start]
    means = text.layers[:, own].mean(axis=1, dtype=np.float64)
    unit: NDArray[np.float64] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _TINY)
    return unit


def _quote(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")
