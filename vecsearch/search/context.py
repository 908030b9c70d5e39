"""Pack the best passages of an answer into a budget of tokens: whole sentences, nothing twice, every source numbered.

Hits are taken best first, and each adds what it can: all of its sentences, else the run of them that fits and has most of the
query's words. What was shown already, be it of another document, is left out. Every step is measured on the Markdown as it will
be, so the budget holds exactly. Reads no disk and loads no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from itertools import pairwise
from typing import Any, Final

from vecsearch.core.citations import describe_location
from vecsearch.core.previews import format_fields, shorten_text
from vecsearch.core.results import Hit
from vecsearch.core.types import Location, Metadata, Span
from vecsearch.text.sentences import has_sentence_end, split_sentences

GAP: Final = " […] "
SHORT_SENTENCE_WORDS: Final = 4  # a sentence of fewer words may repeat where its neighbours are new: a line of code, a "Yes."
_WORD: Final = re.compile(r"\w+")
_RANGES: Final = ("lines", "rows")

TokenCounter = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class ContextPassage:
    """Whole sentences of one source in a row: its `text`, characters [start, end) of the document; `score` is its best hit's."""

    source_number: int
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class PackedSource:
    """A document that passages come from, numbered from 1. `place` is what holds for all the hits that gave something."""

    number: int
    id: str
    title: str | None
    source: str | None
    location: Location
    metadata: Metadata

    def format_line(self) -> str:
        """Return `[1] title (id, page 3)`, `[2] id (page 3)`, `[3] id`; one line whatever the title holds."""
        name, title = " ".join(self.id.split()), " ".join((self.title or "").split())
        place = " ".join(describe_location(self.location, self.title).split())
        about = [name, place] if title and title != name else [place]
        details = ", ".join(filter(None, about))
        return f"[{self.number}] {title or name}" + (f" ({details})" if details else "")


@dataclass(frozen=True, slots=True, repr=False)
class Context:
    """Passages by source and place, and the sources in the order of the answer; `tokens` is the size of the Markdown.

    `str(context)`, and so an f-string, is that Markdown: what goes into a prompt.

    `pending_vectors`: chunks that could be found by their words alone, as their vectors are still to be made. `reason`: why
    nothing was found at all; see `Hits.reason`.
    """

    query: str
    passages: tuple[ContextPassage, ...] = ()
    sources: tuple[PackedSource, ...] = ()
    tokens: int = 0
    pending_vectors: int = 0
    reason: str | None = None

    def __str__(self) -> str:
        return self.to_markdown()

    def __repr__(self) -> str:
        """Return the query, and how much was packed."""
        amounts = {"passages": len(self.passages), "sources": len(self.sources), "tokens": self.tokens}
        return format_fields("Context", query=shorten_text(self.query), **amounts)

    def _repr_markdown_(self) -> str:
        """Return the Markdown, which notebooks show."""
        return self.to_markdown()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order."""
        return {
            "query": self.query,
            "tokens": self.tokens,
            "pending_vectors": self.pending_vectors,
            "passages": [asdict(passage) for passage in self.passages],
            "sources": [asdict(source) for source in self.sources],
            **({} if self.reason is None else {"reason": self.reason}),
        }

    def to_markdown(self) -> str:
        """Return each source's line, then its passages; an empty line between sources, a mark where text is left out."""
        return "\n\n".join(f"{source.format_line()}\n{GAP.join(self._iterate_texts(source))}" for source in self.sources)

    def _iterate_texts(self, source: PackedSource) -> Iterator[str]:
        return (passage.text for passage in self.passages if passage.source_number == source.number)


def pack(query: str, hits: Sequence[Hit], *, max_tokens: int, count_tokens: TokenCounter) -> Context:
    """Pack the best of some hits, best first, into at most `max_tokens` of Markdown as `count_tokens` counts them.

    Without passages where there are no hits, none has text, or no sentence of the first that has fits.
    """
    packing = _ContextPacker(query, hits, max_tokens, count_tokens, _collect_sentences(hits))
    for hit in hits:
        fresh = packing.find_new(hit)
        if fresh:
            packing.add(fresh if packing.compute_excess(fresh, hit) <= 0 else packing.find_best_run(fresh, hit), hit)
            if not packing.selected:
                break
    return packing.build_context()


# -- the sentences that the hits show


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A complete sentence; `index` counts in its document, with a number left out where the hits leave a gap in the text.
    `leading_space` is the white space between it and the one before, `key` what it has in common with its like."""

    id: str
    index: int
    start: int
    text: str
    leading_space: str
    key: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_short(self) -> bool:
        return self.key.count(" ") < SHORT_SENTENCE_WORDS - 1


def _collect_sentences(hits: Sequence[Hit]) -> dict[str, list[_Sentence]]:
    """Return each document's complete sentences, in its order. A sentence that two neighbouring hits share is complete, too."""
    known: dict[str, list[_Sentence]] = {}
    for hit_id in dict.fromkeys(hit.id for hit in hits):
        sentences = known.setdefault(hit_id, [])
        for start, text in _merge_overlapping_texts([hit for hit in hits if hit.id == hit_id]):
            first = sentences[-1].index + 2 if sentences else 0
            sentences.extend(_number_sentences(hit_id, start, text, first))
    return known


def _merge_overlapping_texts(hits: Sequence[Hit]) -> list[tuple[int, str]]:
    """Return where the known text of a document begins, and that text: stretches that touch or overlap become one."""
    stretches: list[tuple[int, str]] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, hit.end)):
        start, text = stretches[-1] if stretches else (0, "")
        if stretches and hit.start <= start + len(text):
            stretches[-1] = start, text + hit.text[start + len(text) - hit.start :]
        else:
            stretches.append((hit.start, hit.text))
    return stretches


def _number_sentences(hit_id: str, start: int, text: str, first: int) -> Iterator[_Sentence]:
    spans = _drop_torn_ends(text, split_sentences(text), starts_document=start == 0)
    befores = [text[one.end : other.start] for one, other in pairwise(spans)]
    for index, (span, before) in enumerate(zip(spans, ["", *befores], strict=False), first):
        shown = text[span.start : span.end]
        yield _Sentence(hit_id, index, start + span.start, shown, before, " ".join(_WORD.findall(shown.casefold())))


def _drop_torn_ends(text: str, spans: list[Span], *, starts_document: bool) -> list[Span]:
    """Drop a first and a last piece that a cut has torn; a list or code, whose lines all look so, stays as it is."""
    shown = [text[span.start : span.end] for span in spans]
    first, last = 0, len(spans)
    if last > 1 and text[spans[-1].end :].count("\n") == 0 and not has_sentence_end(shown[-1]) and has_sentence_end(shown[-2]):
        last -= 1
    if last > 1 and not starts_document and shown[0][0].islower() and not shown[1][0].islower():
        first = 1
    return spans[first:last]


# -- choosing among them


@dataclass(slots=True)
class _ContextPacker:
    """What was chosen so far: sentences by document and index, with the hit that each came with."""

    query: str
    hits: Sequence[Hit]
    max_tokens: int
    count_tokens: TokenCounter
    sentences: Mapping[str, Sequence[_Sentence]]
    selected: dict[tuple[str, int], tuple[_Sentence, Hit]] = field(default_factory=dict)
    used_keys: set[str] = field(default_factory=set)

    def find_new(self, hit: Hit) -> list[_Sentence]:
        """Return the hit's sentences that say something new."""
        own = [sentence for sentence in self.sentences[hit.id] if sentence.start < hit.end and hit.start < sentence.end]
        is_selected = [(sentence.id, sentence.index) in self.selected for sentence in own]
        is_known, seen = [], set(self.used_keys)
        for sentence, selected in zip(own, is_selected, strict=True):
            is_known.append(selected or sentence.key in seen)
            seen |= set() if sentence.is_short else {sentence.key}
        fresh: list[_Sentence] = []
        gone = True  # a short one goes only with its neighbours
        for sentence, selected, known, next_known in zip(own, is_selected, is_known, [*is_known, True][1:], strict=True):
            gone = selected or (known and (not sentence.is_short or (gone and next_known)))
            if not gone:
                fresh.append(sentence)
        return fresh

    def add(self, run: Sequence[_Sentence], hit: Hit) -> None:
        self.selected |= {(sentence.id, sentence.index): (sentence, hit) for sentence in run}
        self.used_keys |= {sentence.key for sentence in run if sentence.key}

    def compute_excess(self, run: Sequence[_Sentence], hit: Hit) -> int:
        """Return by how many tokens the budget would be passed with these sentences too; not positive where they fit."""
        more = {(sentence.id, sentence.index): (sentence, hit) for sentence in run}
        return self.count_tokens(_build_context(self.query, self.hits, self.selected | more).to_markdown()) - self.max_tokens

    def find_best_run(self, sentences: Sequence[_Sentence], hit: Hit) -> Sequence[_Sentence]:
        """Return the longest runs that fit, of them the one with most of the query's words; empty where no sentence fits."""
        left = -self.compute_excess((), hit)
        while left > 0 and (run := self._find_run(sentences, left)):
            over = self.compute_excess(run, hit)
            if over <= 0:
                return run
            left = min(left, self.count_tokens(_join(run))) - over  # what the source's line takes is known only now
        return ()

    def _find_run(self, sentences: Sequence[_Sentence], budget: int) -> Sequence[_Sentence]:
        query_words = _find_words(self.query)
        runs = [run for row in _group_adjacent(sentences) for run in _find_fitting_runs(row, budget, self.count_tokens)]
        return max(runs, key=lambda run: (len(query_words & _find_words(_join(run))), len(_join(run))), default=())

    def build_context(self) -> Context:
        context = _build_context(self.query, self.hits, self.selected)
        return replace(context, tokens=self.count_tokens(context.to_markdown())) if context.passages else context


def _find_words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _join(row: Sequence[_Sentence]) -> str:
    """Return the text of sentences in a row, as it stands in the document."""
    return row[0].text + "".join(sentence.leading_space + sentence.text for sentence in row[1:])


def _group_adjacent(sentences: Sequence[_Sentence]) -> list[list[_Sentence]]:
    """Return sentences of one document that follow each other, together; in order."""
    rows: list[list[_Sentence]] = []
    for sentence in sentences:
        if rows and rows[-1][-1].index + 1 == sentence.index:
            rows[-1].append(sentence)
        else:
            rows.append([sentence])
    return rows


def _find_fitting_runs(row: Sequence[_Sentence], budget: int, count_tokens: TokenCounter) -> Iterator[Sequence[_Sentence]]:
    """Yield from each sentence on as many as fit."""
    end = 0
    for first in range(len(row)):
        end = max(end, first)
        while end < len(row) and count_tokens(_join(row[first : end + 1])) <= budget:
            end += 1
        if end > first:
            yield row[first:end]


# -- what is shown of it


def _build_context(query: str, hits: Sequence[Hit], selected: Mapping[tuple[str, int], tuple[_Sentence, Hit]]) -> Context:
    by_document: dict[str, list[tuple[_Sentence, Hit]]] = {hit.id: [] for hit in hits}
    for choice in selected.values():
        by_document[choice[0].id].append(choice)
    passages: list[ContextPassage] = []
    sources: list[PackedSource] = []
    for number, choices in enumerate(filter(None, by_document.values()), 1):
        scores = {sentence.index: hit.score for sentence, hit in choices}
        for row in _group_adjacent(sorted((sentence for sentence, _ in choices), key=lambda sentence: sentence.index)):
            best = max(scores[sentence.index] for sentence in row)
            passages.append(ContextPassage(number, _join(row), row[0].start, row[-1].end, best))
        sources.append(_build_source(number, [hit for _, hit in choices]))
    return Context(query, tuple(passages), tuple(sources))


def _build_source(number: int, hits: Sequence[Hit]) -> PackedSource:
    best = hits[0]
    place = reduce(_intersect_locations, (hit.location for hit in hits))
    return PackedSource(number, best.id, best.title, best.source, place, best.metadata)


def _intersect_locations(one: Location, other: Location) -> Location:
    """Return what holds for two chunks of a document; lines and rows run from first to last, within one sheet or cell."""
    same = {key: value for key, value in one.items() if key in other and other[key] == value}
    if {*one, *other} - {*same, *_RANGES, "heading"}:
        return same
    both = [key for key in _RANGES if key in one and key in other]
    return same | {key: [min(one[key][0], other[key][0]), max(one[key][1], other[key][1])] for key in both}
