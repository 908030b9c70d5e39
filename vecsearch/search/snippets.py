"""What of a hit is shown: the sentence that holds most of the query, with its neighbours. Loads no model.

Words are compared by their stems, as the text index does; each counts by its idf, once a sentence. Of a hit that shares no word
with the query, and of one that was asked for without words, the sentence is shown that says most of what the answer is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from vecsearch.core.results import Hit, Snippet
from vecsearch.core.types import Location, Span
from vecsearch.search.related_sentences import AnswerWords, weigh_sentences
from vecsearch.text.analyzer import Analyzer, TokenAnalysis, get_analyzer, is_unspaced
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, load_function_words
from vecsearch.text.sentences import split_sentences

_LENGTH: Final = 400  # characters of a snippet, about two lines of the widest terminal
_LEAD_LENGTH: Final = 60  # characters before the first match of a sentence that is longer than that
_HEADING_SIGNS: Final = "#= \t\n"
_HEADING_MARKS: Final = re.compile(r"#{1,6}\s|=+\s|[#=\s]+$")
_ADORNMENT: Final = re.compile(r"[\W_]{3,}")
_WORD_START: Final = re.compile(r"(?<=\s)\S")


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """What of a query is found in a text: stems with their weights, words as they are written, and beginnings of words."""

    stems: Mapping[str, float] = field(default_factory=dict)
    forms: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, query: LexicalQuery, term_idfs: Mapping[str, float], stemmer: str) -> QueryTerms:
        """Collect the terms of a query; one of which no idf is known weighs 1. Of phrases, function words do not count."""
        functions = load_function_words(stemmer)
        stems: dict[str, float] = {}
        forms, prefixes = set(), []
        for clause in query:
            words = clause.text.split(" ")
            if clause.kind in (ClauseKind.PREFIX, ClauseKind.PHRASE_PREFIX):
                prefixes.append(words.pop())
            if clause.kind is ClauseKind.FORM:
                forms.add(clause.text)
            elif clause.kind is not ClauseKind.PREFIX:
                telling = [word for word in words if word not in functions]
                stems |= {word: term_idfs.get(word, 1.0) for word in telling or words}
        return cls(stems, frozenset(forms), tuple(prefixes))

    def find(self, analyzed: TokenAnalysis) -> set[str]:
        """Return which of them a token holds."""
        terms, forms = analyzed
        found = self.stems.keys() & terms if self.stems else set()
        if self.forms:
            found |= self.forms.intersection(forms)
        if self.prefixes:
            found |= {prefix for prefix in self.prefixes if any(word.startswith(prefix) for word in (*terms, *forms))}
        return found

    def weigh(self, found: Iterable[str]) -> float:
        """Return what some of them weigh together."""
        return sum(self.stems.get(term, 1.0) for term in found)


NO_TERMS: Final = QueryTerms()


_Matching: TypeAlias = Mapping[str, tuple[TokenAnalysis, set[str]]]  # token → its analysis, and the terms that it holds


@dataclass(frozen=True, slots=True)
class _SnippetSentence:
    """A sentence of a hit, and its tokens."""

    span: Span
    tokens: set[str]


def find_snippets(hits: Sequence[Hit], terms: QueryTerms, stemmer: str) -> list[Snippet]:
    """Return what to show of each hit: the sentence that holds most of the terms.

    Each token of the answer is looked at once, and where it stands only in what is shown: ten long chunks take 3 ms.
    """
    return _SnippetFinder(hits, terms, stemmer).find_all()


class _SnippetFinder:
    def __init__(self, hits: Sequence[Hit], terms: QueryTerms, stemmer: str) -> None:
        self._hits, self._terms, self._stemmer, self._analyzer = hits, terms, stemmer, get_analyzer(stemmer)
        self._sentences = [self._split(hit.text) for hit in hits]
        tokens = set().union(*(sentence.tokens for sentence in chain.from_iterable(self._sentences)))
        self._matching = _find_matching(tokens, terms, self._analyzer)
        self._words: AnswerWords | None = None

    def find_all(self) -> list[Snippet]:
        return [self._find(hit, sentences) for hit, sentences in zip(self._hits, self._sentences, strict=True)]

    def _split(self, text: str) -> list[_SnippetSentence]:
        spans = split_sentences(text) or [Span(0, len(text))]
        return [_SnippetSentence(span, set(self._analyzer.split(text[span.start : span.end]))) for span in spans]

    def _find(self, hit: Hit, sentences: Sequence[_SnippetSentence]) -> Snippet:
        text, headings, spans = hit.text, _list_headings(hit), [sentence.span for sentence in sentences]
        best = self._find_best(text, sentences, headings)
        span = _extend(text, spans, best, headings)
        matches = _locate_matches(text, span, self._matching, self._analyzer)
        sentence = spans[best]
        if sentence.end - sentence.start > _LENGTH:
            span, matches = _cut_long_sentence(text, sentence, matches)
        return Snippet(
            text[span.start : span.end],
            hit.start + span.start,
            hit.start + span.end,
            find_line(hit.location, text, max(span.start, sentence.start)),
            tuple(Span(hit.start + match.start, hit.start + match.end) for match in matches),
        )

    def _find_best(self, text: str, sentences: Sequence[_SnippetSentence], headings: frozenset[str]) -> int:
        """Return which sentence weighs most: the first such, and a heading only where there is nothing else."""
        texts = [text[sentence.span.start : sentence.span.end] for sentence in sentences]
        plain = [n for n, sentence in enumerate(texts) if not _is_heading(sentence, headings)]
        if len(plain) < 2:
            return next(iter(plain), 0)
        weights = [self._weigh(sentence.tokens) for sentence in sentences]
        if not any(weights):
            tokens = [sentence.tokens for sentence in sentences]
            weights = weigh_sentences(texts, tokens, [*self._terms.stems, *self._terms.forms], self._load_words())
        return max(plain, key=weights.__getitem__)

    def _weigh(self, tokens: set[str]) -> float:
        matching = self._matching.keys() & tokens
        return self._terms.weigh(set().union(*(self._matching[token][1] for token in matching))) if matching else 0.0

    def _load_words(self) -> AnswerWords:
        if self._words is None:
            tokens = [[sentence.tokens for sentence in sentences] for sentences in self._sentences]
            self._words = AnswerWords(tokens, self._analyzer, load_function_words(self._stemmer))
        return self._words


def _find_matching(tokens: set[str], terms: QueryTerms, analyzer: Analyzer) -> _Matching:
    """Return those of the tokens that hold a term: most hold none, which one look at their stems tells."""
    holds_none, by_stems = terms.stems.keys().isdisjoint, not (terms.forms or terms.prefixes)
    if terms is NO_TERMS:
        return {}
    analyses = zip(tokens, analyzer.analyze_tokens(tokens), strict=True)
    some = (pair for pair in analyses if not (by_stems and holds_none(pair[1][0])))
    return {token: (analysis, found) for token, analysis in some if (found := terms.find(analysis))}


def find_line(location: Location, text: str, offset: int) -> int | None:
    """Return the line, or the row, of a character of a chunk's text in its source; None where neither is known."""
    span = location.get("lines") or location.get("rows")
    if not isinstance(span, Sequence) or len(span) != 2:
        return None
    first = len(text) - len(text.lstrip())
    return min(int(span[0]) + text.count("\n", first, max(first, offset)), int(span[1]))


def _list_headings(hit: Hit) -> frozenset[str]:
    """Return the title and the headings that the hit is shown with."""
    names = [hit.title or "", *map(str, hit.location.get("heading", ()))]
    return frozenset(map(_normalize_heading, names)) - {""}


def _normalize_heading(text: str) -> str:
    return " ".join(text.strip(_HEADING_SIGNS).split()).casefold()


def _is_heading(sentence: str, headings: frozenset[str]) -> bool:
    if not sentence[:1].isalnum() and (_HEADING_MARKS.match(sentence) or _ADORNMENT.fullmatch(sentence)):
        return True
    return bool(headings) and _normalize_heading(sentence) in headings


def _extend(text: str, sentences: Sequence[Span], best: int, headings: frozenset[str]) -> Span:
    """Return the sentence with those after it, and the one before it where there is room; no heading is taken from above."""
    start, end = sentences[best].start, sentences[best].end
    for span in sentences[best + 1 :]:
        if span.end - start > _LENGTH:
            break
        end = span.end
    if best:
        before = sentences[best - 1]
        if end - before.start <= _LENGTH // 2 and not _is_heading(text[before.start : before.end], headings):
            start = before.start
    return Span(start, end)


def _locate_matches(text: str, span: Span, matching: _Matching, analyzer: Analyzer) -> list[Span]:
    """Return where the terms stand within a part of a text."""
    if not matching:
        return []
    matches: list[Span] = []
    for token, start, end in analyzer.locate(text[span.start : span.end]):
        if token in matching:
            matches += _list_matching_parts(Span(span.start + start, span.start + end), token, *matching[token])
    return matches


def _list_matching_parts(span: Span, token: str, analysis: TokenAnalysis, found: set[str]) -> Iterator[Span]:
    """Yield what of a token matches: of a run of a script without spaces the pairs that do, of others all of it."""
    pairs = analysis[0]
    if not is_unspaced(token) or span.end - span.start != len(pairs):
        yield span
        return
    marked = [False] * len(pairs)
    for at, pair in enumerate(pairs):
        if pair in found or any(pair.startswith(term) for term in found):
            marked[at : at + 2] = [True] * len(marked[at : at + 2])
    start = None
    for at, is_marked in enumerate([*marked, False]):
        if is_marked and start is None:
            start = at
        elif not is_marked and start is not None:
            yield Span(span.start + start, span.start + at)
            start = None


def _cut_long_sentence(text: str, sentence: Span, matches: Sequence[Span]) -> tuple[Span, list[Span]]:
    """Return the part of a long sentence, or of a long line, that begins a little before its first match."""
    first = next((match.start for match in matches if match.start >= sentence.start), sentence.start)
    start = sentence.start
    if first - sentence.start > _LENGTH // 2:
        word = _WORD_START.search(text, max(sentence.start, first - _LEAD_LENGTH), first)
        start = word.start() if word else first
    end = min(sentence.end, start + _LENGTH)
    if end < sentence.end:
        end = max(text.rfind(" ", start, end), start + _LENGTH // 2)
    return Span(start, end), [match for match in matches if start <= match.start and match.end <= end]
