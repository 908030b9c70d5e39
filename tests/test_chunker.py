from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vecsearch.core.types import Span, Split
from vecsearch.documents.chunker import split

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


def word_spans(text):
    """A tokenizer for tests about cutting: a word is a token."""
    return [match.span() for match in re.finditer(r"\S+", text)]


@pytest.fixture(scope="session")
def token_spans():
    from vecsearch.encoding import registry

    return registry.load(None).token_spans


def holds(text, spans, *, budget, tokens):
    """What every cut must keep to."""
    assert spans == sorted(spans, key=lambda span: span.start)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    covered = [False] * len(text)
    for span in spans:
        piece = text[span.start : span.end]
        assert piece == piece.strip() != ""
        assert len(tokens(piece)) <= budget or len(set(tokens(piece))) == 1
        covered[span.start : span.end] = [True] * len(piece)
    assert all(inside or character.isspace() for inside, character in zip(covered, text, strict=True))


@pytest.mark.parametrize("by", Split)
@given(text=texts, budget=st.integers(1, 12))
def test_chunks_are_ordered_apart_stripped_within_the_budget_and_cover_all_words(by, text, budget):
    holds(text, split(text, by=by, budget=budget, token_spans=word_spans), budget=budget, tokens=word_spans)


@pytest.mark.parametrize("by", Split)
@given(text=texts, budget=st.integers(1, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_holds_for_the_real_tokenizer(token_spans, by, text, budget):
    holds(text, split(text, by=by, budget=budget, token_spans=token_spans), budget=budget, tokens=token_spans)


@pytest.mark.parametrize("by", Split)
@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n", "\u00a0\u2028"])
def test_a_text_without_words_has_no_chunks(by, text):
    assert split(text, by=by, budget=5, token_spans=word_spans) == []


def test_a_text_within_the_budget_is_one_chunk_without_the_space_around_it():
    assert split("  two words\n", by=Split.TOKENS, budget=2, token_spans=word_spans) == [Span(2, 11)]


def test_lines_gives_a_chunk_a_line_and_passes_over_blank_ones():
    text = "one\n\n  two 👩‍👩‍👧 \n\t\nthree"
    spans = split(text, by=Split.LINES, budget=9, token_spans=word_spans)
    assert [text[span.start : span.end] for span in spans] == ["one", "two 👩‍👩‍👧", "three"]


def test_paragraphs_are_parted_by_lines_without_a_word():
    text = "one\ntwo\n\nthree\n \t \nfour\n\n\n\nfive"
    spans = split(text, by=Split.PARAGRAPHS, budget=9, token_spans=word_spans)
    assert [text[span.start : span.end] for span in spans] == ["one\ntwo", "three", "four", "five"]


@pytest.mark.parametrize("by", Split)
def test_a_line_or_paragraph_beyond_the_budget_is_cut_further(by):
    text = "a b c d e f g\n\nh"
    spans = split(text, by=by, budget=4, token_spans=word_spans)
    assert max(len(word_spans(text[span.start : span.end])) for span in spans) <= 4
    assert len(spans) == (2 if by is Split.TOKENS else 3)


@pytest.mark.parametrize("budget", [32, 64, 254])
def test_prose_is_cut_into_about_the_fewest_chunks_of_about_equal_length(token_spans, budget):
    text = PROSE * 40
    spans = split(text, by=Split.TOKENS, budget=budget, token_spans=token_spans)
    holds(text, spans, budget=budget, tokens=token_spans)
    lengths = [len(token_spans(text[span.start : span.end])) for span in spans]
    fewest = -(-len(token_spans(text)) // budget)
    assert fewest <= len(spans) <= fewest * 1.15 + 1
    assert max(lengths) <= 1.5 * min(lengths)


def test_cuts_fall_at_the_ends_of_sentences_or_lines_where_some_are_near(token_spans):
    text = PROSE * 20
    spans = split(text, by=Split.TOKENS, budget=254, token_spans=token_spans)
    assert all(text[span.start : span.end].endswith((".", ";", ",")) for span in spans)


def test_a_cut_falls_between_characters_that_are_several_tokens_each(token_spans):
    text = "국어"
    assert [len(token_spans(each)) for each in text] == [3, 2]
    assert split(text, by=Split.TOKENS, budget=3, token_spans=token_spans) == [Span(0, 1), Span(1, 2)]


def test_a_single_token_beyond_any_budget_stays_whole(token_spans):
    text = "a" * 300_000
    assert split(text, by=Split.TOKENS, budget=254, token_spans=token_spans) == [Span(0, len(text))]


@pytest.mark.parametrize("by", Split)
def test_long_runs_of_white_space_cost_no_more_than_other_text(by):
    text = "a\n" + " " * 200_000 + "\nb"
    assert [text[span.start : span.end] for span in split(text, by=by, budget=1, token_spans=word_spans)] == ["a", "b"]
