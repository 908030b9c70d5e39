"""A large plain text comes in portions, which joined are its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, Section
from vecsearch.core.settings import PORTION_CHARACTERS, STREAM_MIN_BYTES
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError, decode
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.parser_process import ParseRequest, ParserProcess
from vecsearch.documents.portions import split_portions

pieces = st.lists(
    st.sampled_from(["word ", "a longer line of text\n", "\n", "   ", " \n", "e\u0301", "\u200d", "🇩🇪", "👍🏽", "猫"]),
    max_size=60,
)


@given(pieces, st.integers(4, 40), st.integers(1, 30))
def test_portions_are_the_text_whatever_the_blocks_it_comes_in(parts, size, block):
    text = "".join(parts)
    portions = list(split_portions([text], size))
    assert "".join(portions) == (text if text.strip() else "")
    assert all(portion.strip() for portion in portions)
    assert list(split_portions([text[n : n + block] for n in range(0, len(text), block)], size)) == portions


@given(pieces, pieces, st.integers(4, 40))
def test_what_is_appended_changes_the_last_portions_alone(parts, more, size):
    text = "".join(parts)
    before, after = list(split_portions([text], size)), list(split_portions([text + "".join(more)], size))
    assert after[: max(0, len(before) - 2)] == before[: max(0, len(before) - 2)]


def test_a_portion_ends_with_a_paragraph_else_a_line_else_a_word():
    paragraphs = "one two\nthree\n\nfour five six seven eight"
    assert list(split_portions([paragraphs], 26)) == ["one two\nthree\n\n", "four five six seven eight"]
    assert list(split_portions(["one two\nthree four five six seven"], 12)) == ["one two\n", "three four ", "five six ", "seven"]


@pytest.mark.parametrize("grapheme", ["e\u0301\u0323", "👩\u200d🚀", "👍🏽", "🇩🇪"])
def test_no_portion_begins_within_a_character_as_readers_see_it(grapheme):
    for size in range(8, 20):
        for portion in split_portions([f"{grapheme}x" * 40], size):
            assert portion.startswith((grapheme, "x")), size


def load_documents(path, name="large"):
    return [item for item in load(RawFile(name, path.suffix, path)) if isinstance(item, ParsedDocument)]


def write_large(path, line="line {} speaks of café number {}\n", count=160_000, encoding="utf-8"):
    path.write_bytes("".join(line.format(n, n % 97) for n in range(count)).encode(encoding))
    assert path.stat().st_size > STREAM_MIN_BYTES
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", ["large.txt", "large.log", "large"])
def test_a_large_file_gives_portions_which_know_their_lines(tmp_path, name, encoding):
    path = write_large(tmp_path / name, encoding=encoding)
    documents = load_documents(path)
    assert "".join(document.text for document in documents) == decode(path.read_bytes())
    start = lines = 0
    for document in documents:
        assert (document.id, document.title, document.metadata) == ("large", None, {})
        assert PORTION_CHARACTERS / 2 <= len(document.text) <= PORTION_CHARACTERS or document is documents[-1]
        assert document.portion is not None and document.portion.start == start
        assert document.portion.is_last == (document is documents[-1])
        assert document.sections == (Section(0, {"lines": 1 + lines}),)
        start, lines = start + len(document.text), lines + document.text.count("\n")


def test_a_smaller_file_and_one_of_a_single_portion_are_whole(tmp_path):
    small, blank = tmp_path / "small.txt", tmp_path / "blank.txt"
    small.write_text("a word\n" * 100_000)
    blank.write_text("a word" + "\n" * STREAM_MIN_BYTES)
    for path in (small, blank):
        (document,) = load_documents(path)
        assert document.portion is None
        assert document.text == path.read_text()


def test_a_large_file_without_a_word_is_empty_and_a_damaged_one_says_where(tmp_path):
    (tmp_path / "blank.txt").write_text(" \n" * STREAM_MIN_BYTES)
    with pytest.raises(EmptyFileError, match="no text in it"):
        load_documents(tmp_path / "blank.txt")
    (tmp_path / "zeros.bin").write_bytes(b"\0" * STREAM_MIN_BYTES)
    with pytest.raises(BinaryFileError, match="binary"):
        load_documents(tmp_path / "zeros.bin")
    damaged = write_large(tmp_path / "damaged.txt")
    size = damaged.stat().st_size
    with damaged.open("ab") as file:
        file.write(b"\xc3")
    with pytest.raises(UnreadableFileError, match=f"broken UTF-8 at byte {size:,}"):
        load_documents(damaged)


def test_portions_come_through_the_parser_process_as_they_are(tmp_path):
    path = write_large(tmp_path / "large.txt", count=400_000)
    with ParserProcess() as parser:
        for result in parser.read([ParseRequest(path, "large", path.stat().st_size)]):
            items = [item for item in result.read_items() if isinstance(item, ParsedDocument)]
            assert "".join(item.text for item in items) == path.read_text()
            assert [item.portion is not None and item.portion.is_last for item in items] == [False] * (len(items) - 1) + [True]
            assert result.digest is not None
