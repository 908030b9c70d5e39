"""Terms: in every state, each kind of clause scores what the formula says over every chunk, in plain Python."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.contract.documents import COLLECTION, Place, locate, make_document, open_snapshot, parse, write
from vecsearch.core.filters import Compare, Comparison
from vecsearch.stores.base import NewDocument, Snapshot, Store
from vecsearch.stores.sqlite.fulltext import bm25, merge_policy, text_analysis
from vecsearch.text.analyzer import get_analyzer, is_unspaced
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, QueryClause

K1, B = 1.2, 0.75
ANALYZER = get_analyzer("none")

words = st.sampled_from(
    [
        "river",
        "rivers",
        "bank",
        "banks",
        "café",
        "C++",
        "foo_bar",
        "foo",
        "bar",
        "v1.0.2",
        "getUserName",
        "東京都",
        "京都",
        "서울은",
        "résumé",
    ]
)
lines = st.lists(words, max_size=6).map(" ".join)
texts = st.lists(lines, min_size=1, max_size=3).map("\n".join)
ids = st.sampled_from([f"d{n}" for n in range(8)])
documents = st.builds(
    lambda id, text, title, odd: make_document(id, text, title=title, metadata={"odd": odd}),
    ids, texts, st.none() | lines.filter(bool), st.booleans(),
)  # fmt: skip
batches = st.lists(documents, max_size=4, unique_by=lambda document: document.id)
steps = st.one_of(batches, st.sets(ids, max_size=3), st.just("optimize"))
questions = st.one_of(
    st.lists(words, min_size=1, max_size=4).map(" ".join),
    st.lists(words, min_size=2, max_size=3).map(lambda phrase: f'"{" ".join(phrase)}"'),
    words.map(lambda word: f'"{word}" river'),
    st.sampled_from(["riv*", "ba* foo", "get*", "1*", "zz*", "東", "missing", "the", "", '"river bank" bank*']),
    st.builds(
        lambda word, more: f'"{word} {more}*"', words, st.sampled_from(["ri", "b", "foo_b", "1.0", "東", "京都", "서", "res"])
    ),
    st.sampled_from(["foo_b*", "getUserNa*", "v1*", "1.0.2*", "C+*", "foo_*", "서울*", "東京*", '"京"', '"東京"', "résu*"]),
)


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A few chunks fill a segment, two segments make a merge, and hopeless candidates are dropped early."""
    monkeypatch.setattr(merge_policy, "FAN", 2)
    monkeypatch.setattr(bm25, "_MANY_CANDIDATES", 1)
    for module in (merge_policy, text_analysis):
        monkeypatch.setattr(module, "SEGMENT_ROWS_MAX", 7)
    yield


class ChunkOracle:
    """What is stored, in the order of its chunks."""

    def __init__(self) -> None:
        self.stored: dict[str, NewDocument] = {}

    def list_chunks(self) -> list[tuple[Place, list[list[str]], set[str]]]:
        """List each chunk's place, the stems of what is above it and of its text, and its forms."""
        chunks = []
        for document in self.stored.values():
            above = ANALYZER.analyze(document.title or "")
            for number, line in enumerate(document.text.split("\n")):
                body = ANALYZER.analyze(line)
                chunks.append(((document.id, number), [above.terms, body.terms], above.forms | body.forms))
        return chunks

    def compute(self, query: LexicalQuery) -> dict[Place, float]:
        """Compute the score of every chunk that has one."""
        chunks = self.list_chunks()
        lengths = {place: sum(map(len, columns)) for place, columns, _ in chunks}
        mean = sum(lengths.values()) / len(chunks) if chunks else 0.0
        scores: dict[Place, float] = {}
        for clause in query:
            counts = {place: count for place, columns, forms in chunks if (count := count_clause(clause, columns, forms))}
            weight = clause.weight * math.log(1 + (len(chunks) - len(counts) + 0.5) / (len(counts) + 0.5))
            for place, count in counts.items():
                norm = K1 * (1 - B + B * lengths[place] / mean) if mean else K1
                is_ranked = clause.kind in (ClauseKind.WORD, ClauseKind.PHRASE)
                scores[place] = scores.get(place, 0.0) + weight * (count * (K1 + 1) / (count + norm) if is_ranked else 1.0)
        return scores


def count_clause(clause: QueryClause, columns: Sequence[Sequence[str]], forms: set[str]) -> int:
    """Count how often a chunk says what a clause looks up."""
    match clause.kind:
        case ClauseKind.FORM:
            return int(clause.text in forms)
        case ClauseKind.PREFIX:
            return int(any(form.startswith(clause.text) for form in forms))
        case ClauseKind.PHRASE_PREFIX:
            *before, beginning = clause.text.split(" ")
            stems = {ANALYZER.find_stem(form) for form in forms if form.startswith(beginning)}
            if is_unspaced(beginning):
                stems = {term for column in columns for term in column if term.startswith(beginning)}
            return int(any(count_phrase([*before, stem], columns) for stem in stems))
        case _:
            return count_phrase(clause.text.split(" "), columns)


def count_phrase(terms: Sequence[str], columns: Sequence[Sequence[str]]) -> int:
    """Count how often terms follow each other."""
    return sum(list(column[start : start + len(terms)]) == terms for column in columns for start in range(len(column)))


def apply(store: Store, oracle: ChunkOracle, step: object) -> None:
    match step:
        case list():
            write(store, step)
            oracle.stored = {key: document for key, document in oracle.stored.items() if key not in {new.id for new in step}}
            oracle.stored |= {document.id: document for document in step}
        case set():
            with store.open_writer(COLLECTION) as writer:
                writer.delete_documents(sorted(step))
            oracle.stored = {key: document for key, document in oracle.stored.items() if key not in step}
        case _:
            with store.open_writer(COLLECTION) as writer:
                writer.optimize()


def check(snapshot: Snapshot, oracle: ChunkOracle, question: str) -> None:
    """Compare all scores, the best few, those within a filter, and those of chosen chunks."""
    query = parse(question)
    scores = oracle.compute(query)
    best = sorted(scores.values(), reverse=True)
    odd = {key for key, document in oracle.stored.items() if document.metadata["odd"]}
    every = snapshot.match(query, 1_000).ranked
    assert dict(zip(locate(snapshot, every), (hit.score for hit in every), strict=True)) == pytest.approx(scores, abs=1e-9)
    within = snapshot.match(query, 1_000, within=snapshot.select(Compare("odd", Comparison.EQUAL, True))).ranked
    expected: Mapping[Place, float] = {place: score for place, score in scores.items() if place[0] in odd}
    assert dict(zip(locate(snapshot, within), (hit.score for hit in within), strict=True)) == pytest.approx(expected, abs=1e-9)
    chunk_ids = every.ids[::-2]
    for limit in (1, 3):
        hits = snapshot.match(query, limit)
        assert hits.ranked.scores.tolist() == pytest.approx(best[:limit], abs=1e-9)
        assert hits.score(chunk_ids).tolist() == every.sort_by_id().look_up(chunk_ids).tolist()
        assert list(hits.extend(1_000).ranked) == list(every)


@pytest.mark.usefixtures("small_segments")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(done=st.lists(steps, min_size=1, max_size=8), asked=st.lists(questions, min_size=1, max_size=5))
def test_every_clause_scores_what_the_formula_says(
    make_store: Callable[[], Store], done: Sequence[object], asked: Sequence[str]
) -> None:
    store, oracle = make_store(), ChunkOracle()
    with store.open_snapshot(COLLECTION) as snapshot:
        stored = [] if snapshot is None else snapshot.list_document_ids()
    write(store, [make_document("d0", "river bank")])
    apply(store, oracle, set(stored) | {"d0"})
    for step in done:
        apply(store, oracle, step)
        with open_snapshot(store) as snapshot:
            check(snapshot, oracle, asked[0])
    with open_snapshot(make_store()) as snapshot:  # as another process finds it
        for question in asked:
            check(snapshot, oracle, question)


@pytest.fixture
def three(make_store: Callable[[], Store]) -> Store:
    """Store three documents."""
    store = make_store()
    write(store, [make_document("d0", "river bank\nriver"), make_document("d1", "café café river"), make_document("d2", "bank")])
    return store


@given(counts=st.lists(st.integers(1, 30), min_size=3, max_size=3), order=st.randoms(use_true_random=False))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_word_said_again_counts_more_but_less_each_time(three: Store, counts: list[int], order: random.Random) -> None:
    """By Robertson's (k3 + 1) × qtf / (k3 + qtf), in the scores and in the most that there could be."""
    said = [word for word, count in zip(("river", "bank", "missing"), counts, strict=True) for _ in range(count)]
    order.shuffle(said)
    with open_snapshot(three) as snapshot:
        asked = snapshot.match(parse(" ".join(said)), 10)
        scores, most = dict.fromkeys(asked.ranked.ids.tolist(), 0.0), 0.0
        for word, count in zip(("river", "bank", "missing"), counts, strict=True):
            alone = snapshot.match(parse(word), 10)
            weight = (8 + 1) * count / (8 + count)
            most += weight * alone.max_score
            for hit in alone.ranked:
                scores[hit.chunk_id] += weight * hit.score
        assert dict(zip(asked.ranked.ids.tolist(), asked.ranked.scores.tolist(), strict=True)) == pytest.approx(scores, abs=1e-9)
        assert asked.max_score == pytest.approx(most)
