"""Chunks and encoder inputs, over a window whose tokens are words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import vecsearch
from vecsearch.core.parsed import ChunkSpan, ParsedDocument, Section
from vecsearch.core.types import Split
from vecsearch.documents.chunk_inputs import chunk_document, format_encoder_input, hash_content, refit_chunks


class WordWindow:
    """A window of so many words."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\S+", text)]


DOCUMENT = ParsedDocument("x", "one two three four five six", "A title", {}, (Section(0, {"page": 1}, "above"),))


def test_every_input_fits_the_window_with_its_title_and_context() -> None:
    spans, texts = chunk_document(DOCUMENT, Split.TOKENS, WordWindow(6))
    assert [DOCUMENT.text[span.start : span.end] for span in spans] == ["one two three ", "four five six"]
    assert texts == ("A title\nabove\none two three", "A title\nabove\nfour five six")


def test_a_title_alone_is_one_chunk_without_text() -> None:
    assert chunk_document(ParsedDocument("x", "", "A title"), Split.TOKENS, WordWindow(6)) == ((ChunkSpan(0, 0),), ("A title",))


def test_a_long_title_leaves_a_part_of_the_window_to_the_text() -> None:
    document = replace(DOCUMENT, title="a b c d e f g h i j", sections=())
    with pytest.warns(vecsearch.VecsearchWarning, match=r"the title of 'x' has 10 tokens; its first \d are encoded"):
        _, texts = chunk_document(document, Split.TOKENS, WordWindow(8))
    assert all(len(text.split()) <= 8 for text in texts)
    assert " ".join(text.split("\n")[1] for text in texts) == DOCUMENT.text


def test_chunks_of_another_encoder_stay_where_they_fit_and_are_split_where_not() -> None:
    spans = (ChunkSpan(0, 14, {"lines": [1, 1]}, "above"), ChunkSpan(14, 27, {"lines": [1, 1]}, "above"))
    assert refit_chunks(DOCUMENT, spans, WordWindow(8)).spans == spans
    parts, texts = refit_chunks(DOCUMENT, spans, WordWindow(5))
    assert "".join(DOCUMENT.text[part.start : part.end] for part in parts) == DOCUMENT.text
    assert all(len(text.split()) <= 5 and text.startswith("A title\nabove\n") for text in texts)
    assert {part.context for part in parts} == {"above"}


@pytest.mark.parametrize(
    ("title", "context", "text", "encoded"),
    [
        (None, "", " body ", "body"),
        ("Title", "", "body", "Title\nbody"),
        ("Title", "Heading", "body", "Title\nHeading\nbody"),
        ("Title", "Heading", "# Title\nbody", "Heading\n# Title\nbody"),
        ("Title", "", "", "Title"),
    ],
)
def test_the_encoder_sees_title_context_and_text(title: str | None, context: str, text: str, encoded: str) -> None:
    assert format_encoder_input(title, context, text) == encoded


@pytest.mark.parametrize(
    "changed",
    [
        replace(DOCUMENT, title="Another"),
        replace(DOCUMENT, text=DOCUMENT.text + "."),
        replace(DOCUMENT, sections=(Section(0, {"page": 2}, "above"),)),
        replace(DOCUMENT, sections=(Section(0, {"page": 1}, "above", hard_boundary=True),)),
        replace(DOCUMENT, sections=()),
    ],
)
def test_the_hash_changes_with_all_that_changes_chunks_and_vectors(changed: ParsedDocument) -> None:
    assert hash_content(changed, Split.TOKENS) != hash_content(DOCUMENT, Split.TOKENS)


def test_the_hash_changes_with_the_split_and_not_with_id_or_metadata() -> None:
    assert hash_content(DOCUMENT, Split.LINES) != hash_content(DOCUMENT, Split.TOKENS)
    assert hash_content(replace(DOCUMENT, id="y", metadata={"a": 1}), Split.TOKENS) == hash_content(DOCUMENT, Split.TOKENS)
