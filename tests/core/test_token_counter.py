"""Counted word by word a text has as many tokens as the tokenizer gives for the whole of it."""

from __future__ import annotations

import string
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.token_counter import TokenCounter
from vecsearch.core.types import Split
from vecsearch.documents.chunk_inputs import chunk_document
from vecsearch.documents.chunking import split
from vecsearch.encoders import model_files
from vecsearch.encoders.base import TextEncoder

ODD = [
    "[SEP]", "x[SEP]y", "[sep]", "[UNK] [MASK]", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "a\u00a0b", "a\u200bb", "ab\u00adc",
    "don't[MASK].", "naïve,co-op", "self.assertEqual(f(x),", "≠\u0338=\u0338.", "„Wort“", "a_b\u0301-c", "漢字、かな。",
    "x" * 99 + "." + "y" * 101,
    "é", "e\u0301", " \u0301a", "漢字かな", "don't", "C++", "\ufffd\x00", "ﬁ", "İ", "x" * 200, "\u3000", "🙂",
]  # fmt: skip
texts = st.lists(
    st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(ODD)), max_size=12
).map(" ".join)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The default model's, which is given whole texts."""
    tokenizer = Tokenizer.from_file(str(model_files.find_model_folder(model_files.BUNDLED_MODEL) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@given(texts)
def test_it_is_the_number_of_tokens(tokenizer: Tokenizer, encoder: TextEncoder, text: str) -> None:
    assert hasattr(encoder, "count_tokens")
    expected = tokenizer.encode(text, add_special_tokens=False).offsets
    for _ in range(2):  # learned, then known
        assert list(encoder.token_spans(text)) == expected
        assert encoder.count_tokens(text) == len(expected)


@given(texts, st.integers(-3, 3))
def test_whether_a_text_fits_is_told_by_its_number_of_tokens(tokenizer: Tokenizer, text: str, more: int) -> None:
    count, counter = len(tokenizer.encode(text, add_special_tokens=False)), TokenCounter(tokenizer)
    for _ in range(2):  # by the lengths of words, then by their tokens
        assert counter.has_at_most(text, count + more) == (more >= 0)
        counter.count(text)


def test_no_character_is_more_tokens_than_it_is_reckoned(tokenizer: Tokenizer) -> None:
    for code in (*range(0xD800), *range(0xE000, 0x110000)):
        text = chr(code) * 4
        if len(unicodedata.normalize("NFD", chr(code))) > 1 or chr(code).lower() != chr(code):
            assert len(tokenizer.encode(text, add_special_tokens=False)) <= 4 * len(text), hex(code)


@given(texts)
def test_each_token_is_given_its_place_or_that_of_its_word(encoder: TextEncoder, text: str) -> None:
    assert hasattr(encoder, "token_starts")
    exact, starts = [start for start, _ in encoder.token_spans(text)], encoder.token_starts(text)
    if starts is None:
        assert any(mark in text for mark in ("[SEP]", "[UNK]", "[MASK]", "[CLS]", "[PAD]", *"\x0b\x0c\x1c\x1d\x1e\x1f\x85"))
        return
    assert len(starts) == len(exact) and all(start <= place for start, place in zip(starts, exact, strict=True))
    for start, place in zip(starts, exact, strict=True):
        assert not any(c.isspace() or c in string.punctuation for c in text[start:place])  # the same word


@given(texts.filter(str.strip), st.integers(1, 12), st.sampled_from(list(Split)))
def test_chunks_are_the_same_without_starts_of_words(encoder: TextEncoder, text: str, budget: int, unit: Split) -> None:
    assert hasattr(encoder, "token_starts")
    plain = split(text, unit=unit, budget=budget, token_spans=encoder.token_spans)
    quick = split(text, unit=unit, budget=budget, token_spans=encoder.token_spans, token_starts=encoder.token_starts)
    starts = encoder.token_starts(text)
    if starts is None or set(starts.tolist()) <= {start for start, _ in encoder.token_spans(text)}:
        assert quick == plain
    else:  # a word begins with what the tokenizer drops: a cut before it may come before that
        tokens = [len(encoder.token_spans(text[span.start : span.end])) for span in quick]
        assert all(count <= budget or span.end - span.start == 1 for span, count in zip(quick, tokens, strict=True))


def test_what_is_kept_is_bounded(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.core.token_counter._WORDS_KEPT", 10)
    counter = TokenCounter(tokenizer)
    for n in range(30):
        text = f"word{n} and word{n + 1} or {'long' * 50}"
        assert counter.count(text) == len(tokenizer.encode(text, add_special_tokens=False))
        assert len(counter._counts) <= 10 and len(counter._older) <= 10 and "long" * 50 not in counter._counts


def test_several_threads_share_one(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.core.token_counter._WORDS_KEPT", 20)
    counter = TokenCounter(tokenizer)
    texts = [f"word{n % 40} and word{n % 7} or Word{n % 11}, {n}" for n in range(2_000)]
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(counter.count, texts))
    assert counts == [len(tokenizer.encode(text, add_special_tokens=False)) for text in texts]


def test_chunks_are_the_same_without_counting(encoder: TextEncoder) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()

    class Plain:
        max_tokens = encoder.max_tokens
        token_spans = staticmethod(encoder.token_spans)

    for size in (300, 900, 1_500, 5_000):
        for start in range(0, len(readme), size):
            document = ParsedDocument("a", readme[start : start + size], "A title of it")
            assert chunk_document(document, Split.TOKENS, encoder) == chunk_document(document, Split.TOKENS, Plain())


def test_a_tokenizer_that_takes_words_together_is_asked_for_the_whole_text() -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "b": 3}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    for parts, count in ((pre_tokenizers.BertPreTokenizer(), 2), (pre_tokenizers.Split("-", "removed"), 1)):
        tokenizer.pre_tokenizer = parts
        assert TokenCounter(tokenizer).count("a b") == len(tokenizer.encode("a b")) == count
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_tokens(["a b"])
    assert TokenCounter(tokenizer).count("a b") == len(tokenizer.encode("a b")) == 1
