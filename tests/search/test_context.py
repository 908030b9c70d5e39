from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.core.results import Hit
from vecsearch.core.types import Split
from vecsearch.documents.chunking import split
from vecsearch.interfaces.rendering.packed_context import build_context_json, format_context
from vecsearch.search.context import Context, _collect_sentences, pack

DOCS = Path(__file__).parents[2] / "sample_data" / "docs"
SEALS = (DOCS / "zoology" / "harbour-seals.txt").read_text(encoding="utf-8")
LEASES = "A lease has a term. The lease ends after the last day of its term. The deposit is paid back within thirty days."


def words(text: str) -> int:
    return len(text.split())


def hit(text, start=0, end=None, *, id="a.md", score=1.0, title=None, place=None):
    end = len(text) if end is None else end
    return Hit(id, 0, score, score, text[start:end], title, f"/x/{id}", start, end, {"k": 1}, place or {})


def told(context):
    return [each.text for each in context.passages]


def plenty(*hits, query="how does a lease end"):
    return pack(query, hits, max_tokens=10_000, count_tokens=words)


def test_a_source_has_a_line_with_its_title_id_and_place():
    context = plenty(
        hit(LEASES, id="docs/leases.md", title="How leases expire", place={"page": 3}),
        hit("Another word entirely.", id="words.jsonl#12"),
        hit("A third one, of a file.", id="b.txt", title="b.txt", place={"lines": [3, 9]}),
        hit("A fourth with a\ttitle.", id="c", title="Two\nlines"),
    )
    assert context.to_markdown() == (
        f"[1] How leases expire (docs/leases.md, page 3)\n{LEASES}\n\n[2] words.jsonl#12\nAnother word entirely.\n\n"
        "[3] b.txt (lines 3–9)\nA third one, of a file.\n\n[4] Two lines (c)\nA fourth with a\ttitle."
    )
    assert context.tokens == words(context.to_markdown())


def test_a_torn_piece_at_either_end_is_left_out():
    start, end = LEASES.index("has a term"), LEASES.index(" within thirty")
    assert told(plenty(hit(LEASES, start, end))) == ["The lease ends after the last day of its term."]


def test_a_sentence_that_two_hits_share_is_whole():
    cut = LEASES.index("after the last")
    assert told(plenty(hit(LEASES, cut), hit(LEASES, 0, cut))) == [LEASES]


def test_a_hit_of_one_piece_is_kept_whole():
    assert told(plenty(hit(LEASES, 20, 60))) == [LEASES[20:60].strip()]


def test_a_list_and_a_documents_beginning_are_not_torn():
    assert told(plenty(hit("- first thing\n- second thing\n- third thing"))) == ["- first thing\n- second thing\n- third thing"]
    assert told(plenty(hit("iPhones ring. They stop."))) == ["iPhones ring. They stop."]


def test_touching_and_overlapping_hits_are_one_passage_and_a_gap_is_shown():
    ends = [LEASES.index("The lease"), LEASES.index("The deposit")]
    parts = [hit(LEASES, ends[1], score=0.9), hit(LEASES, 0, ends[0], score=0.8), hit(LEASES, 3, ends[1], score=0.7)]
    assert told(plenty(*parts)) == [LEASES]
    apart = plenty(*parts[:2])
    assert apart.to_markdown().endswith("A lease has a term. […] The deposit is paid back within thirty days.")
    assert [each.score for each in apart.passages] == [0.8, 0.9]
    assert plenty(*parts).passages[0].score == 0.9


def test_near_identical_chunks_of_two_documents_do_not_repeat():
    twin = LEASES.replace("term.", "TERM!").replace(" days", "\ndays") + " Only here is this said to anyone."
    context = plenty(hit(LEASES), hit(twin, id="b.md"), hit(LEASES, id="c.md"))
    assert told(context) == [LEASES, "Only here is this said to anyone."]
    assert [(each.number, each.id) for each in context.sources] == [(1, "a.md"), (2, "b.md")]


def test_short_lines_repeat_where_their_neighbours_are_new():
    first = "def first(value):\n    check(value)\n    return value\n"
    second = first.replace("first(value)", "second(value, other, more)")
    assert told(plenty(hit(first), hit(second, id="b.py"))) == [first.strip(), second.strip()]
    assert told(plenty(hit(first), hit(first, id="b.py"))) == [first.strip()]


def test_a_small_budget_takes_the_sentences_that_the_query_is_about():
    assert told(pack("deposit paid back", [hit(LEASES)], max_tokens=12, count_tokens=words)) == [
        "The deposit is paid back within thirty days."
    ]
    assert told(pack("lease term", [hit(LEASES)], max_tokens=18, count_tokens=words)) == [LEASES[: LEASES.index(" The deposit")]]


def test_what_does_not_fit_makes_way_for_a_smaller_hit():
    context = pack(
        "lease", [hit(LEASES), hit("x " * 60 + "end.", id="b"), hit("Short one.", id="c")], max_tokens=40, count_tokens=words
    )
    assert [each.id for each in context.sources] == ["a.md", "c"]


def test_sources_are_numbered_as_their_documents_appear():
    hits = [hit(SEALS, 0, 300, id="s"), hit(LEASES, id="l"), hit(SEALS, 600, id="s")]
    context = plenty(*hits)
    assert [(each.number, each.id) for each in context.sources] == [(1, "s"), (2, "l")]
    assert [(each.source_number, each.start) for each in context.passages] == sorted(
        (each.source_number, each.start) for each in context.passages
    )
    assert [each.source_number for each in context.passages] == [1, 1, 2]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"page": 3}, {"page": 3}, {"page": 3}),
        ({"page": 3}, {"page": 4}, {}),
        ({"lines": [1, 9]}, {"lines": [20, 30]}, {"lines": [1, 30]}),
        ({"lines": [1, 9], "heading": ["A"]}, {"lines": [20, 30], "heading": ["B"]}, {"lines": [1, 30]}),
        ({"sheet": "A", "rows": [1, 9]}, {"sheet": "B", "rows": [2, 3]}, {}),
        ({"sheet": "A", "rows": [5, 9]}, {"sheet": "A", "rows": [2, 3]}, {"sheet": "A", "rows": [2, 9]}),
    ],
)
def test_a_source_tells_the_place_that_holds_for_all_its_passages(one, other, both):
    context = plenty(hit(LEASES, 0, 40, place=one), hit(LEASES, 40, place=other))
    assert [each.location for each in context.sources] == [both]


@pytest.mark.parametrize("hits", [(), (hit(""),), (hit(" \n "),)], ids=["no hits", "title only", "blank"])
def test_nothing_to_say_is_an_empty_context(hits):
    assert plenty(*hits, query="q") == Context("q")
    assert list(format_context(plenty(*hits))) == []


def test_a_hit_without_text_makes_way_for_the_next():
    assert told(plenty(hit("", id="t", title="Only a title"), hit(LEASES))) == [LEASES]


def test_a_budget_below_the_best_hits_shortest_sentence_gives_nothing():
    hits = [hit(LEASES), hit("No.", id="b")]
    assert [told(pack("q", hits, max_tokens=most, count_tokens=words)) for most in (-1, 0, 1, 6)] == [[], [], [], []]
    assert told(pack("q", hits, max_tokens=7, count_tokens=words)) == ["A lease has a term."]


def test_the_surfaces_show_the_same():
    context = plenty(hit("Ein Häschen. 好。\x1b[31m \ud800.", place={"page": 1}))
    assert list(format_context(context)) == ["[1] a.md (page 1)", "Ein Häschen. 好。\ufffd[31m ?."]
    assert json.loads(json.dumps(build_context_json(plenty(hit(LEASES, title="T", place={"page": 1}), query="q")))) == {
        "query": "q",
        "tokens": words(LEASES) + 5,
        "passages": [{"source_number": 1, "text": LEASES, "start": 0, "end": len(LEASES), "score": 1.0}],
        "sources": [
            {"number": 1, "id": "a.md", "title": "T", "source": "/x/a.md", "location": {"page": 1}, "metadata": {"k": 1}}
        ],
    }


# -- laws, for any hits and any budget


SENTENCES = (
    "The lease ends after its term.|the LEASE ends, after its   term!|Yes.|好。|A deposit of 3.14 is paid back by Dr. Who.|???|x|"
    "- an item of a list\n|# Heading\n|return value;\n|It was late.\n\n|Nobody knew about the seals of the north."
).split("|")


@st.composite
def answers(draw):
    """Hits as a search gives them: chunks of a few documents, and stray or overlapping stretches of them."""
    hits = []
    for name in ("a", "b", "c"):
        text = draw(st.sampled_from([" ", "", "\n"])).join(draw(st.lists(st.sampled_from(SENTENCES), max_size=9)))
        cuts = split(
            text,
            unit=draw(st.sampled_from(Split)),
            budget=9,
            token_spans=lambda text: [(i, i + 1) for i in range(0, len(text), 5)],
        )
        spans = [(cut.start, cut.end) for cut in cuts]
        spans += [tuple(sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))) for _ in range(2)]
        title = draw(st.sampled_from([None, name, "A title of words"]))
        hits += [
            hit(text, *span, id=name, title=title, place=draw(st.sampled_from([{}, {"page": 2}, {"page": 3}]))) for span in spans
        ]
    return draw(st.permutations(hits))


@settings(max_examples=200, deadline=None)
@given(answers(), st.integers(-1, 120), st.sampled_from([words, len]))
def test_the_laws_hold_for_any_hits_and_budget(hits, budget, count):
    context = pack("when does the lease end", hits, max_tokens=budget * (6 if count is len else 1), count_tokens=count)
    markdown = context.to_markdown()
    assert not context.passages or count(markdown) <= budget * (6 if count is len else 1)
    assert context.tokens == count(markdown)
    assert [each.number for each in context.sources] == list(range(1, len(context.sources) + 1))
    assert {each.source_number for each in context.passages} == {each.number for each in context.sources}
    places = [(each.source_number, each.start, each.end) for each in context.passages]
    assert places == sorted(places)
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(places))
    names = {each.number: each.id for each in context.sources}
    shown = [
        s
        for each in context.passages
        for s in _collect_sentences(hits)[names[each.source_number]]
        if each.start <= s.start < each.end
    ]
    assert all(times == 1 for times in Counter(each.key for each in shown if not each.is_short).values())


@settings(max_examples=200, deadline=None)
@given(answers(), st.integers(0, 400))
def test_a_passage_is_what_the_document_says_there(hits, budget):
    context = pack("lease", hits, max_tokens=budget, count_tokens=len)
    names = {each.number: each.id for each in context.sources}
    for each in context.passages:
        shown: dict[int, str] = {}
        for one in hits:
            if one.id == names[each.source_number]:
                shown |= dict(enumerate(one.text, one.start))
        assert each.text == "".join(shown[place] for place in range(each.start, each.end))
