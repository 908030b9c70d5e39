"""A word as it is meant in a question: the passages where it means the same come first.

Attention makes of one word as many vectors as it has uses, and most so in the middle of a model, where a word still stands for
itself (measured on CoarseWSD-20: `python -m benchmarks.word_senses`). What all uses of the word share tells none from another, so
most of their mean is taken off first. Nothing is stored: only the best passages that have the word are read, around it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import EncodingError
from vecsearch.core.results import VectorAccess
from vecsearch.core.settings import (
    WORD_CENTER_SHARE,
    WORD_CHUNKS_MAX,
    WORD_FEEDBACK_PART,
    WORD_FORM_BONUS,
    WORD_FORM_SHARE,
    WORD_WEIGHT,
    WORD_WINDOW_TOKENS,
)
from vecsearch.core.types import ChunkId, Mode, Span
from vecsearch.encoders.base import Matrix, TokenEncoder, TokenRows
from vecsearch.encoders.unit_vectors import encode_middle_tokens, scale_rows
from vecsearch.search.fusion import Candidates
from vecsearch.search.retrieval import Query, Ranking, follow, fuse, parse_terms, retrieve
from vecsearch.stores.base import NO_CHUNKS, ChunkSet, Ids, ScoredChunks, Snapshot, VectorHits
from vecsearch.text.sought_word import SoughtWord

Vector = NDArray[np.float32]
Numbers = NDArray[np.float64]

_ABSENT = -1.0  # the cosine of a passage that has the word in its title alone


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where a word stands in a text, and what it means there: a vector of length 1."""

    span: Span
    vector: Vector


@dataclass(frozen=True, slots=True)
class WordInQuestion:
    """The word that a question is about: `rows` are its vectors there, (occurrences, dimension), each of length 1.

    `told_rows` are what they would be in the form in which the word was told, `models` for `model`.
    """

    word: SoughtWord
    rows: Matrix
    told_rows: Matrix
    encoder: TokenEncoder

    @classmethod
    def read(cls, word: SoughtWord, question: str, encoder: TokenEncoder) -> WordInQuestion:
        """Encode the word where it stands in a question. Raises UsageError where it does not stand there."""
        pieces, at = [], 0
        for span in word.find_in_question(question):
            pieces += [question[at : span.start], word.written]
            at = span.end
        questions = dict.fromkeys((question, "".join([*pieces, question[at:]])))
        found = [np.stack([use.vector for use in uses]) for uses in find_occurrences(encoder, word, list(questions)) if uses]
        if len(found) < len(questions):
            raise EncodingError(f"the model {encoder.name} has no token for {word.written!r}")
        return cls(word, found[0], found[-1] if len(found[-1]) == len(found[0]) else found[0], encoder)


class WordSenseRanker:
    """Ranks chunks for one question: those that have its word by what it means there, then the others as they always are.

    Of the chunks with the word the best RERANK_DEPTH are read, by the score that they have otherwise.
    """

    def __init__(self, snapshot: Snapshot, query: Query, about: WordInQuestion) -> None:
        """Rank nothing yet."""
        self._snapshot, self._query, self._about = snapshot, query, about
        self._with_word: Ranking | None = None

    def rank(self, within: ChunkSet | None, depth: int) -> Ranking:
        """Return the first `depth` chunks, or all there are."""
        if self._with_word is None:
            self._with_word = self._rank_with_word(within)
        first = self._with_word
        if len(first.ranked) >= depth:
            return first
        others = retrieve(self._snapshot, self._query, within=within, depth=depth)
        return _append(first, others) if len(first.ranked) else others

    def _rank_with_word(self, within: ChunkSet | None) -> Ranking:
        """Return the chunks that have the word, as far as they are answers."""
        snapshot, query = self._snapshot, self._query
        matches = snapshot.match(self._about.word.clauses, WORD_CHUNKS_MAX, within=within)
        is_form_usual = self._is_form_usual(len(matches.ranked), within)
        ids = np.setdiff1d(matches.ranked.ids, query.exclude)
        near = snapshot.compute_similarities(query.get_vector(), ids)
        if query.mode is Mode.DENSE:
            ids = near.ids  # what has no vector is no answer
        bm25 = np.zeros(len(ids))
        if query.mode is not Mode.DENSE:
            assert query.text is not None
            matches = snapshot.match(parse_terms(snapshot, query.text), 1)
            bm25 = matches.score(ids)
        candidates = Candidates(
            ids, near.look_up(ids), bm25, np.isin(ids, near.ids), bm25 > 0, matches.max_score, matches.identifier_share
        )
        hits = VectorHits(ScoredChunks.rank(near.ids, near.scores), exhausted=False, access=VectorAccess.ROWS)
        ranking = fuse(query, hits, matches, candidates)
        return self._reorder_by_sense(ranking, is_form_usual) if len(ranking.ranked) else ranking

    def _is_form_usual(self, count: int, within: ChunkSet | None) -> bool:
        """Return whether nearly all of so many chunks with the word have the form in which it was told. The few that have the
        question's would then come first whatever they mean: forms differ more than meanings."""
        told = self._snapshot.match(self._about.word.form_clauses, WORD_CHUNKS_MAX, within=within)
        return len(told.ranked) >= WORD_FORM_SHARE * count

    def _reorder_by_sense(self, ranking: Ranking, is_form_usual: bool) -> Ranking:
        about, ids = self._about, ranking.top.ids
        texts = [chunk.text for chunk in self._snapshot.load_chunk_texts(ids.tolist())]
        asked = scale_rows(about.rows + about.told_rows) if is_form_usual else about.rows
        uses = CenteredUses.build(find_occurrences(about.encoder, about.word, texts), asked)
        similarity = ranking.similarities.look_up(ids, missing=0.0)

        def compute_scores(likeness: Numbers, nearest: Ids) -> Numbers:
            forms = [n >= 0 and about.word.is_written_in(uses.get_form(int(n), texts)) for n in nearest] if is_form_usual else 0
            return WORD_WEIGHT * likeness + (1 - WORD_WEIGHT) * similarity + WORD_FORM_BONUS * np.array(forms)

        likeness, nearest = uses.compare(uses.asked)
        best_first = np.argsort(-compute_scores(likeness, nearest), kind="stable")
        likeness, nearest = uses.compare(uses.move_asked(nearest[best_first[: len(ids) // WORD_FEEDBACK_PART]]))
        reordered = ranking.reorder(compute_scores(likeness, nearest))
        has_word = nearest >= 0
        words: dict[ChunkId, Span] = {
            chunk: uses.spans[n] for chunk, n in zip(ids[has_word].tolist(), nearest[has_word].tolist(), strict=True)
        }
        return replace(reordered, by_word=ScoredChunks.rank(ids[has_word], likeness[has_word]), words=words)


@dataclass(frozen=True, slots=True)
class CenteredUses:
    """The uses of a word in texts, and those in a question: each less most of the mean of all, of length 1.

    `rows` and `asked` have the shape (uses, dimension); `owners` are the places of the uses' texts, of which there are `texts`.
    """

    texts: int
    spans: Sequence[Span]
    owners: Ids
    rows: Matrix
    asked: Matrix

    @classmethod
    def build(cls, texts: Sequence[Sequence[Occurrence]], asked: Matrix) -> CenteredUses:
        """Center the uses in texts, and those asked about."""
        found = [(n, use) for n, uses in enumerate(texts) for use in uses]
        every = np.vstack([*(use.vector for _, use in found), asked])
        centered = scale_rows(every - WORD_CENTER_SHARE * every.mean(axis=0))
        owners = np.array([n for n, _ in found], np.int64)
        return cls(len(texts), [use.span for _, use in found], owners, centered[: len(found)], centered[len(found) :])

    def compare(self, asked: Matrix) -> tuple[Numbers, Ids]:
        """Return for each text the cosine of its use that is nearest to one of those asked about, and the place of that use.

        Of a text without a use -1 and -1.
        """
        likeness, nearest = np.full(self.texts, _ABSENT), np.full(self.texts, -1)
        if len(self.rows):
            cosines = (self.rows @ asked.T).max(axis=1)
            order = np.argsort(cosines, kind="stable")  # of each text's uses the last stays
            likeness[self.owners[order]], nearest[self.owners[order]] = cosines[order], order
        return likeness, nearest

    def move_asked(self, right: Ids) -> Matrix:
        """Return what is asked about, moved half of the way to the mean of the uses at these places, taken for right; -1 is none.

        Pseudo-relevance feedback (Rocchio, "Relevance feedback in information retrieval", 1971).
        """
        uses = self.rows[right[right >= 0]]
        return scale_rows(self.asked + scale_rows(uses.mean(axis=0))) if len(uses) else self.asked

    def get_form(self, use: int, texts: Sequence[str]) -> str:
        """Return the word as it is written at a use."""
        text, span = texts[int(self.owners[use])], self.spans[use]
        return text[span.start : span.end]


def find_occurrences(encoder: TokenEncoder, word: SoughtWord, texts: Sequence[str]) -> list[list[Occurrence]]:
    """Return where the word stands in each text, encoded with up to WORD_WINDOW_TOKENS tokens on either side."""
    places = [word.find(text) for text in texts]
    placed = [place_windows(encoder, text, spans) for text, spans in zip(texts, places, strict=True)]
    encoded = iter(encode_middle_tokens(encoder, [window.text for windows in placed for window in windows]))
    found: list[list[Occurrence]] = []
    for spans, windows in zip(places, placed, strict=True):
        vectors = []
        for window in windows:
            tokens = next(encoded)
            vectors += [pool_tokens(tokens, span) for span in window.spans]
        found.append([Occurrence(span, row) for span, row in zip(spans, vectors, strict=True) if row is not None])
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text that is encoded, and where the occurrences stand in it that it is encoded for."""

    text: str
    spans: list[Span]


def place_windows(encoder: TokenEncoder, text: str, spans: Sequence[Span]) -> list[Window]:
    """Return the parts of a text to encode. An occurrence that has half a window on either side, as far as the text goes, needs
    no other."""
    if not spans:
        return []
    tokens = np.array(encoder.token_spans(text), np.int64).reshape(-1, 2)
    if not len(tokens):
        return [Window(text, list(spans))]
    placed: list[Window] = []
    start, enough_until = 0, -1  # the last token that the window before gives enough context to
    for span in spans:
        inside = np.flatnonzero((tokens[:, 0] < span.end) & (tokens[:, 1] > span.start))
        first_token, last_token = (int(inside[0]), int(inside[-1])) if len(inside) else (0, 0)
        if not placed or last_token > enough_until:
            first = max(0, first_token - WORD_WINDOW_TOKENS)
            last = min(len(tokens) - 1, last_token + WORD_WINDOW_TOKENS)
            enough_until = last if last == len(tokens) - 1 else last - WORD_WINDOW_TOKENS // 2
            start = int(tokens[first, 0])
            placed.append(Window(text[start : int(tokens[last, 1])], []))
        placed[-1].spans.append(Span(span.start - start, span.end - start))
    return placed


def pool_tokens(tokens: TokenRows, span: Span) -> Vector | None:
    """Return the mean of a word's tokens, of length 1; None where they are not known."""
    inside = (tokens.spans[:, 0] < span.end) & (tokens.spans[:, 1] > span.start)
    return scale_rows(tokens.rows[inside].mean(axis=0)) if inside.any() else None


def _append(first: Ranking, others: Ranking) -> Ranking:
    """Return one ranking: the other chunks, moved below them, follow those of the first."""
    rest = others.ranked[~np.isin(others.ranked.ids, first.ranked.ids)]
    return replace(
        others,
        ranked=follow(first.ranked, rest, rest.scores[0]) if len(rest) else first.ranked,
        similarities=_join(first.similarities, others.similarities),
        bm25=_join(first.bm25, others.bm25),
        by_word=first.by_word,
        words=first.words,
    )


def _join(one: ScoredChunks, other: ScoredChunks) -> ScoredChunks:
    """Return the chunks of both, by ascending id."""
    is_new = ~np.isin(other.ids, one.ids)
    both = ScoredChunks(np.concatenate([one.ids, other.ids[is_new]]), np.concatenate([one.scores, other.scores[is_new]]))
    return both.sort_by_id() if len(both) else NO_CHUNKS
