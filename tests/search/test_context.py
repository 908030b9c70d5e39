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


def count_words(text: str) -> int:
    return len(text.split())


def make_hit(text, start=0, end=None, *, id="a.md", score=1.0, title=None, place=None):
    end = len(text) if end is None else end
    return Hit(id, 0, score, score, text[start:end], title, f"/x/{id}", start, end, {"k": 1}, place or {})


def list_texts(context):
    return [passage.text for passage in context.passages]


def pack_all(*hits, query="how does a lease end"):
    return pack(query, hits, max_tokens=10_000, count_tokens=count_words)


def test_a_source_has_a_line_with_its_title_id_and_place():
    context = pack_all(
        make_hit(LEASES, id="docs/leases.md", title="How leases expire", place={"page": 3}),
        make_hit("Another word entirely.", id="words.jsonl#12"),
        make_hit("A third one, of a file.", id="b.txt", title="b.txt", place={"lines": [3, 9]}),
        make_hit("A fourth with a\ttitle.", id="c", title="Two\nlines"),
    )
    assert context.to_markdown() == (
        f"[1] How leases expire (docs/leases.md, page 3)\n{LEASES}\n\n[2] words.jsonl#12\nAnother word entirely.\n\n"
        "[3] b.txt (lines 3–9)\nA third one, of a file.\n\n[4] Two lines (c)\nA fourth with a\ttitle."
    )
    assert context.tokens == count_words(context.to_markdown())


def test_a_torn_piece_at_either_end_is_left_out():
    start, end = LEASES.index("has a term"), LEASES.index(" within thirty")
    assert list_texts(pack_all(make_hit(LEASES, start, end))) == ["The lease ends after the last day of its term."]


def test_a_sentence_that_two_hits_share_is_whole():
    cut = LEASES.index("after the last")
    assert list_texts(pack_all(make_hit(LEASES, cut), make_hit(LEASES, 0, cut))) == [LEASES]


def test_a_hit_of_one_piece_is_kept_whole():
    assert list_texts(pack_all(make_hit(LEASES, 20, 60))) == [LEASES[20:60].strip()]


def test_a_list_and_a_documents_beginning_are_not_torn():
    assert list_texts(pack_all(make_hit("- first thing\n- second thing\n- third thing"))) == [
        "- first thing\n- second thing\n- third thing"
    ]
    assert list_texts(pack_all(make_hit("iPhones ring. They stop."))) == ["iPhones ring. They stop."]


def test_touching_and_overlapping_hits_are_one_passage_and_a_gap_is_shown():
    ends = [LEASES.index("The lease"), LEASES.index("The deposit")]
    parts = [
        make_hit(LEASES, ends[1], score=0.9),
        make_hit(LEASES, 0, ends[0], score=0.8),
        make_hit(LEASES, 3, ends[1], score=0.7),
    ]
    assert list_texts(pack_all(*parts)) == [LEASES]
    context = pack_all(*parts[:2])
    assert context.to_markdown().endswith("A lease has a term. […] The deposit is paid back within thirty days.")
    assert [passage.score for passage in context.passages] == [0.8, 0.9]
    assert pack_all(*parts).passages[0].score == 0.9


def test_near_identical_chunks_of_two_documents_do_not_repeat():
    twin = LEASES.replace("term.", "TERM!").replace(" days", "\ndays") + " Only here is this said to anyone."
    context = pack_all(make_hit(LEASES), make_hit(twin, id="b.md"), make_hit(LEASES, id="c.md"))
    assert list_texts(context) == [LEASES, "Only here is this said to anyone."]
    assert [(source.number, source.id) for source in context.sources] == [(1, "a.md"), (2, "b.md")]


def test_short_lines_repeat_where_their_neighbours_are_new():
    first = "def first(value):\n    check(value)\n    return value\n"
    second = first.replace("first(value)", "second(value, other, more)")
    assert list_texts(pack_all(make_hit(first), make_hit(second, id="b.py"))) == [first.strip(), second.strip()]
    assert list_texts(pack_all(make_hit(first), make_hit(first, id="b.py"))) == [first.strip()]


def test_a_small_budget_takes_the_sentences_that_the_query_is_about():
    assert list_texts(pack("deposit paid back", [make_hit(LEASES)], max_tokens=12, count_tokens=count_words)) == [
        "The deposit is paid back within thirty days."
    ]
    assert list_texts(pack("lease term", [make_hit(LEASES)], max_tokens=18, count_tokens=count_words)) == [
        LEASES[: LEASES.index(" The deposit")]
    ]


def test_what_does_not_fit_makes_way_for_a_smaller_hit():
    context = pack(
        "lease",
        [make_hit(LEASES), make_hit("x " * 60 + "end.", id="b"), make_hit("Short one.", id="c")],
        max_tokens=40,
        count_tokens=count_words,
    )
    assert [source.id for source in context.sources] == ["a.md", "c"]


def test_sources_are_numbered_as_their_documents_appear():
    hits = [make_hit(SEALS, 0, 300, id="s"), make_hit(LEASES, id="l"), make_hit(SEALS, 600, id="s")]
    context = pack_all(*hits)
    assert [(source.number, source.id) for source in context.sources] == [(1, "s"), (2, "l")]
    assert [(passage.source_number, passage.start) for passage in context.passages] == sorted(
        (passage.source_number, passage.start) for passage in context.passages
    )
    assert [passage.source_number for passage in context.passages] == [1, 1, 2]


@pytest.mark.parametrize(
    ("first", "other", "common"),
    [
        ({"page": 3}, {"page": 3}, {"page": 3}),
        ({"page": 3}, {"page": 4}, {}),
        ({"lines": [1, 9]}, {"lines": [20, 30]}, {"lines": [1, 30]}),
        ({"lines": [1, 9], "heading": ["A"]}, {"lines": [20, 30], "heading": ["B"]}, {"lines": [1, 30]}),
        ({"sheet": "A", "rows": [1, 9]}, {"sheet": "B", "rows": [2, 3]}, {}),
        ({"sheet": "A", "rows": [5, 9]}, {"sheet": "A", "rows": [2, 3]}, {"sheet": "A", "rows": [2, 9]}),
    ],
)
def test_a_source_tells_the_place_that_holds_for_all_its_passages(first, other, common):
    context = pack_all(make_hit(LEASES, 0, 40, place=first), make_hit(LEASES, 40, place=other))
    assert [source.location for source in context.sources] == [common]


@pytest.mark.parametrize("hits", [(), (make_hit(""),), (make_hit(" \n "),)], ids=["no hits", "title only", "blank"])
def test_nothing_to_say_is_an_empty_context(hits):
    assert pack_all(*hits, query="q") == Context("q")
    assert list(format_context(pack_all(*hits))) == []


def test_a_hit_without_text_makes_way_for_the_next():
    assert list_texts(pack_all(make_hit("", id="t", title="Only a title"), make_hit(LEASES))) == [LEASES]


def test_a_budget_below_the_best_hits_shortest_sentence_gives_nothing():
    hits = [make_hit(LEASES), make_hit("No.", id="b")]
    assert [list_texts(pack("q", hits, max_tokens=max_tokens, count_tokens=count_words)) for max_tokens in (-1, 0, 1, 6)] == [
        [],
        [],
        [],
        [],
    ]
    assert list_texts(pack("q", hits, max_tokens=7, count_tokens=count_words)) == ["A lease has a term."]


def test_the_surfaces_show_the_same():
    context = pack_all(make_hit("Ein Häschen. 好。\x1b[31m \ud800.", place={"page": 1}))
    assert list(format_context(context)) == ["[1] a.md (page 1)", "Ein Häschen. 好。\ufffd[31m ?."]
    assert json.loads(json.dumps(build_context_json(pack_all(make_hit(LEASES, title="T", place={"page": 1}), query="q")))) == {
        "query": "q",
        "tokens": count_words(LEASES) + 5,
        "pending_vectors": 0,
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
def draw_hits(draw):
    """Draw hits as a search gives them: chunks of a few documents, and stray or overlapping stretches of them."""
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
            make_hit(text, *span, id=name, title=title, place=draw(st.sampled_from([{}, {"page": 2}, {"page": 3}])))
            for span in spans
        ]
    return draw(st.permutations(hits))


@settings(max_examples=200, deadline=None)
@given(draw_hits(), st.integers(-1, 120), st.sampled_from([count_words, len]))
def test_the_laws_hold_for_any_hits_and_budget(hits, budget, count):
    context = pack("when does the lease end", hits, max_tokens=budget * (6 if count is len else 1), count_tokens=count)
    markdown = context.to_markdown()
    assert not context.passages or count(markdown) <= budget * (6 if count is len else 1)
    assert context.tokens == count(markdown)
    assert [source.number for source in context.sources] == list(range(1, len(context.sources) + 1))
    assert {passage.source_number for passage in context.passages} == {source.number for source in context.sources}
    places = [(passage.source_number, passage.start, passage.end) for passage in context.passages]
    assert places == sorted(places)
    assert all(place[0] != other[0] or place[2] <= other[1] for place, other in pairwise(places))
    names = {source.number: source.id for source in context.sources}
    sentences = [
        s
        for passage in context.passages
        for s in _collect_sentences(hits)[names[passage.source_number]]
        if passage.start <= s.start < passage.end
    ]
    assert all(times == 1 for times in Counter(sentence.key for sentence in sentences if not sentence.is_short).values())


@settings(max_examples=200, deadline=None)
@given(draw_hits(), st.integers(0, 400))
def test_a_passage_is_what_the_document_says_there(hits, budget):
    context = pack("lease", hits, max_tokens=budget, count_tokens=len)
    names = {source.number: source.id for source in context.sources}
    for passage in context.passages:
        characters: dict[int, str] = {}
        for hit in hits:
            if hit.id == names[passage.source_number]:
                characters |= dict(enumerate(hit.text, hit.start))
        assert passage.text == "".join(characters[place] for place in range(passage.start, passage.end))
