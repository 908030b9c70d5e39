from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vecsearch.core.parsed import ChunkSpan, Section
from vecsearch.core.types import Split
from vecsearch.documents.chunking import split

PROSE = (
    "The lease expires at the end of the term, unless one of the parties has asked for its renewal. A renewal is asked for in "
    "writing, and it reaches the other side a month before. What was paid in advance counts towards the new term.\n\n"
    "Nothing in this agreement keeps a tenant from leaving early. The deposit is then returned within thirty days; interest on "
    "it belongs to the tenant. Damage beyond the ordinary wear is taken off, with the bills shown on request.\n"
)

# Words of many kinds: emoji of several code points, combining marks, scripts without spaces, controls that tokenizers drop.
PIECES = [
    "a",
    "word",
    "naïve",
    "cafe\u0301",
    "👩‍👩‍👧",
    "🇩🇪",
    "日本語",
    "한국어",
    "नमस्ते",
    "x" * 120,
    "ŉ",
    "\u200b",
    ".",
    "。",
    "3.14",
    "\x07",
]
SPACES = [" ", "\n", "\n\n", "\t", "  ", "\r", "\u00a0", "\u2028", "\f"]
texts = st.lists(st.sampled_from(PIECES + SPACES), max_size=60).map("".join) | st.text(max_size=80)


def find_word_spans(text):
    """Tokenize for tests about cutting: a word is a token."""
    return [match.span() for match in re.finditer(r"\S+", text)]


@pytest.fixture(scope="session")
def token_spans():
    from vecsearch.encoders import registry

    return registry.load(None).token_spans


def check_spans(text, spans, *, budget, tokens, unit=Split.TOKENS):
    """Check what every cut must keep to."""
    assert spans == sorted(spans, key=lambda span: span.start)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    is_covered = [False] * len(text)
    for span in spans:
        piece = text[span.start : span.end]
        assert piece.strip()
        assert unit is not Split.LINES or "\n" not in piece
        assert len(tokens(piece)) <= budget or len(set(tokens(piece))) == 1
        is_covered[span.start : span.end] = [True] * len(piece)
    if unit is Split.LINES:
        assert all(is_inside or character.isspace() for is_inside, character in zip(is_covered, text, strict=True))
    else:
        assert "".join(text[span.start : span.end] for span in spans) == (text if text.strip() else "")


@pytest.mark.parametrize("unit", Split)
@given(text=texts, budget=st.integers(1, 12))
def test_chunks_are_ordered_within_the_budget_and_give_the_text_back(unit, text, budget):
    check_spans(
        text, split(text, unit=unit, budget=budget, token_spans=find_word_spans), budget=budget, tokens=find_word_spans, unit=unit
    )


@pytest.mark.parametrize("unit", Split)
@given(text=texts, budget=st.integers(1, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_holds_for_the_real_tokenizer(token_spans, unit, text, budget):
    check_spans(
        text, split(text, unit=unit, budget=budget, token_spans=token_spans), budget=budget, tokens=token_spans, unit=unit
    )


@pytest.mark.parametrize("unit", Split)
@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n", "\u00a0\u2028"])
def test_a_text_without_words_has_no_chunks(unit, text):
    assert split(text, unit=unit, budget=5, token_spans=find_word_spans) == []


def test_a_text_within_the_budget_is_one_chunk():
    assert split("  two words\n", unit=Split.TOKENS, budget=2, token_spans=find_word_spans) == [ChunkSpan(0, 12)]


def test_lines_gives_a_chunk_a_line_and_passes_over_blank_ones():
    text = "one\n\n  two 👩‍👩‍👧 \n\t\nthree"
    spans = split(text, unit=Split.LINES, budget=9, token_spans=find_word_spans)
    assert [text[span.start : span.end] for span in spans] == ["one", "two 👩‍👩‍👧", "three"]


def test_paragraphs_are_parted_by_lines_without_a_word():
    text = "one\ntwo\n\nthree\n \t \nfour\n\n\n\nfive"
    spans = split(text, unit=Split.PARAGRAPHS, budget=9, token_spans=find_word_spans)
    assert [text[span.start : span.end] for span in spans] == ["one\ntwo\n\n", "three\n \t \n", "four\n\n\n\n", "five"]


@pytest.mark.parametrize("unit", Split)
def test_a_line_or_paragraph_beyond_the_budget_is_cut_further(unit):
    text = "a b c d e f g\n\nh"
    spans = split(text, unit=unit, budget=4, token_spans=find_word_spans)
    assert max(len(find_word_spans(text[span.start : span.end])) for span in spans) <= 4
    assert len(spans) == (2 if unit is Split.TOKENS else 3)


@pytest.mark.parametrize("budget", [32, 64, 254])
def test_prose_is_cut_into_about_the_fewest_chunks_of_about_equal_length(token_spans, budget):
    text = PROSE * 40
    spans = split(text, unit=Split.TOKENS, budget=budget, token_spans=token_spans)
    check_spans(text, spans, budget=budget, tokens=token_spans)
    lengths = [len(token_spans(text[span.start : span.end])) for span in spans]
    fewest = -(-len(token_spans(text)) // budget)
    assert fewest <= len(spans) <= fewest * 1.15 + 1
    assert max(lengths) <= 1.5 * min(lengths)


def test_cuts_fall_at_the_ends_of_sentences_or_lines_where_some_are_near(token_spans):
    text = PROSE * 20
    spans = split(text, unit=Split.TOKENS, budget=254, token_spans=token_spans)
    assert all(text[span.start : span.end].rstrip().endswith((".", ";", ",")) for span in spans)


def test_a_cut_falls_between_characters_that_are_several_tokens_each(token_spans):
    text = "국어"
    assert [len(token_spans(part)) for part in text] == [3, 2]
    assert split(text, unit=Split.TOKENS, budget=3, token_spans=token_spans) == [ChunkSpan(0, 1), ChunkSpan(1, 2)]


def test_a_single_token_beyond_any_budget_stays_whole(token_spans):
    text = "a" * 90_000
    assert split(text, unit=Split.TOKENS, budget=254, token_spans=token_spans) == [ChunkSpan(0, len(text))]


@pytest.mark.parametrize("unit", Split)
def test_long_runs_of_white_space_cost_no_more_than_other_text(unit):
    text = "a\n" + " " * 200_000 + "\nb"
    assert [text[span.start : span.end].strip() for span in split(text, unit=unit, budget=1, token_spans=find_word_spans)] == [
        "a",
        "b",
    ]


@pytest.mark.slow
def test_a_text_of_millions_of_characters_is_cut_within_the_budget_a_block_at_a_time(token_spans):
    seen_texts = []

    def record_text(text):
        seen_texts.append(len(text))
        return token_spans(text)

    text = PROSE * 4_000 + "x" * 250_000 + "\n\n" + "word " * 50_000
    spans = split(text, unit=Split.TOKENS, budget=254, token_spans=record_text)
    check_spans(text, spans, budget=254, tokens=token_spans)
    assert max(seen_texts) <= 100_000


# -- structure and places


def cut(text, sections, *, budget, unit=Split.TOKENS, cost=lambda _: 0):
    return split(text, unit=unit, budget=budget, token_spans=find_word_spans, sections=sections, cost=cost)


places = st.fixed_dictionaries({}, optional={"page": st.integers(1, 9), "lines": st.integers(1, 9), "rows": st.integers(1, 9)})


@st.composite
def draw_structure(draw):
    """Draw a text with sections anywhere, even inside words and runs of white space."""
    text = draw(texts)
    starts = sorted({0, *draw(st.lists(st.integers(0, max(0, len(text) - 1)), max_size=8))})
    levels = st.none() | st.integers(1, 3)
    return text, [
        Section(start, draw(places), draw(st.sampled_from(["", "a b", "one two three"])), draw(st.booleans()), draw(levels))
        for start in starts
    ]


@pytest.mark.parametrize("unit", Split)
@given(structure=draw_structure(), budget=st.integers(4, 12))
def test_any_structure_gives_the_text_back_within_the_budget(unit, structure, budget):
    text, sections = structure
    cost = lambda context: len(context.split())  # noqa: E731
    cuts = cut(text, sections, budget=budget, unit=unit, cost=cost)
    check_spans(text, cuts, budget=budget, tokens=find_word_spans, unit=unit)
    for span in cuts:
        assert len(find_word_spans(text[span.start : span.end])) + cost(span.context) <= budget
        if unit is Split.TOKENS:
            chunk_text = text[span.start : span.end]
            words = range(span.start + len(chunk_text) - len(chunk_text.lstrip()) + 1, span.start + len(chunk_text.rstrip()))
            assert not any(section.hard_boundary and section.start in words for section in sections)


def test_a_page_is_never_mixed_with_the_next():
    text = "one two\n\nthree\n\nfour five six"
    pages = [
        Section(0, {"page": 1}, hard_boundary=True),
        Section(9, {"page": 2}, hard_boundary=True),
        Section(16, {"page": 3}, hard_boundary=True),
    ]
    assert [(text[span.start : span.end], span.location) for span in cut(text, pages, budget=9)] == [
        ("one two\n\n", {"page": 1}), ("three\n\n", {"page": 2}), ("four five six", {"page": 3}),
    ]  # fmt: skip


def test_a_blank_page_costs_no_chunk_and_no_character():
    text = "\n\n \n\none\n\n\n\ntwo"
    pages = [Section(start, {"page": n}, hard_boundary=True) for n, start in enumerate((0, 5, 10, 12), start=1)]
    assert [(text[span.start : span.end], span.location["page"]) for span in cut(text, pages, budget=9)] == [
        ("\n\n \n\none\n\n\n\n", 2), ("two", 4),
    ]  # fmt: skip


def test_a_long_text_is_cut_at_its_best_headings_and_small_neighbours_stay_together():
    text = "# A\na a a\n# B\nb b b b b b\n## C\nc\n## D\nd\n# E\ne\n"
    levels = {"# A": 1, "# B": 1, "## C": 2, "## D": 2, "# E": 1}
    sections = [Section(text.index(f"{line}\n"), {"heading": [line]}, split_priority=level) for line, level in levels.items()]
    parts = [text[span.start : span.end] for span in cut(text, sections, budget=9)]
    assert parts == ["# A\na a a\n", "# B\nb b b b b b\n", "## C\nc\n## D\nd\n", "# E\ne\n"]


def test_small_neighbours_stay_together_in_a_text_of_any_length():
    pieces = [f"# {n}\nshort words here\n" for n in range(20_000)]
    starts = [0]
    for piece in pieces[:-1]:
        starts.append(starts[-1] + len(piece))
    cuts = cut("".join(pieces), [Section(start, {}, split_priority=1) for start in starts], budget=50)
    assert len(cuts) < len(pieces) / 8
    assert {span.start for span in cuts} <= set(starts)


def test_lines_and_rows_are_counted_from_the_section_s_first():
    text = "one\ntwo\n\nthree\nfour five\nsix\n"
    cuts = cut(text, [Section(0, {"lines": 11}), Section(9, {"lines": 40})], budget=2)
    assert [(text[span.start : span.end].split(), span.location["lines"]) for span in cuts] == [
        (["one", "two"], [11, 12]), (["three", "four"], [40, 41]), (["five", "six"], [41, 42]),
    ]  # fmt: skip


def test_a_chunk_of_several_cues_lasts_from_the_first_to_the_last():
    cues = [Section(0, {"time": ["00:01", "00:02"]}), Section(4, {"time": ["00:03", "00:05"]})]
    assert [span.location for span in cut("one\ntwo\n", cues, budget=9)] == [{"time": ["00:01", "00:05"]}]


def test_the_context_is_that_of_the_section_a_chunk_begins_in_and_counts():
    text = "name age\nann 1\nben 2\ncleo 3\n"
    sections = [Section(0, {}), Section(9, {}, "name age")]
    cuts = cut(text, sections, budget=6, cost=lambda context: len(context.split()))
    assert [(text[span.start : span.end].split(), span.context) for span in cuts] == [
        (["name", "age", "ann", "1"], ""), (["ben", "2", "cleo", "3"], "name age"),
    ]  # fmt: skip
