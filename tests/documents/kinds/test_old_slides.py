"""Presentations of PowerPoint 95, 95 and 97 in one file, and 97 with comments say all they hold, each word on its slide."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.kinds.slide_files import (
    BODY,
    DUAL,
    NOTES,
    OTHER,
    SLIDES,
    TITLE,
    Slide,
    make_container,
    make_powerpoint_95,
    make_powerpoint_97,
    make_summary,
)
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.file_types import detect_file_type
from vecsearch.documents.loaders.raw_file import RawFile

SUMMARY = "\x05SummaryInformation"
DECK = [
    Slide([(OTHER, "A box"), (TITLE, "Herons"), (BODY, "grey\rwhite\vtall")], [(NOTES, "say it slowly"), (OTHER, "*")]),
    Slide([(TITLE, "Cafés – “old”"), (OTHER, "*")]),
]
TEXT = "Herons\n\nA box\n\ngrey\nwhite\ntall\n\nsay it slowly\n\nCafés – “old”"


def load_items(streams, suffix=".ppt"):
    return list(load(RawFile("f", suffix, content=make_container(streams))))


def load_document(streams):
    (document,) = load_items(streams)
    assert isinstance(document, ParsedDocument)
    return document


def make_dual(old, new, **more):
    return {**make_powerpoint_95(old), **{f"{DUAL}/{name}": data for name, data in make_powerpoint_97(new).items()}, **more}


@pytest.mark.parametrize("make", [make_powerpoint_95, make_powerpoint_97])
def test_slides_of_either_version_read_the_same(make):
    document = load_document(make(DECK))
    assert document.text == TEXT
    places = [{"slide": 1, "heading": ["Herons"]}, {"slide": 2, "heading": ["Cafés – “old”"]}]
    assert [section.location for section in document.sections] == [places[0], places[0], places[1]]
    assert document.title == "Herons"


def test_a_file_for_both_versions_is_read_once_from_the_later():
    document = load_document(make_dual([Slide([(BODY, "what 95 kept")])], DECK, Text_Content=b"what 95 kept"))
    assert document.text == TEXT


def test_the_bytes_tell_a_presentation_whatever_its_name():
    new = {f"{DUAL}/{name}": data for name, data in make_powerpoint_97(DECK).items()}
    for streams in (make_powerpoint_95(DECK), make_dual(DECK, DECK), new):
        assert detect_file_type(RawFile("f", ".bin", content=make_container(streams))) == ".ppt"
        assert load_document(streams).text == TEXT


@pytest.mark.parametrize(
    ("codec", "words"),
    [("cp1251", "Привет, мир"), ("cp1253", "Καλημέρα"), ("cp932", "日本語の資料"), ("cp1250", "Příliš žluťoučký")],
)
def test_8_bit_texts_are_in_the_code_page_that_the_file_names(codec, words):
    deck = [Slide([(TITLE, words), (BODY, "x")], [(NOTES, words)])]
    streams = {**make_powerpoint_95(deck, codec), SUMMARY: make_summary(int(codec.removeprefix("cp")))}
    assert load_document(streams).text == f"{words}\n\nx\n\n{words}"


def test_comments_follow_the_slide_they_are_on():
    deck = [
        Slide([(TITLE, "One")], [(NOTES, "a note")], ["more herons?", "no:\rfewer"]),
        Slide([(BODY, "two")]),
        Slide(comments=["why empty?"]),
    ]
    document = load_document(make_powerpoint_97(deck))
    assert document.text == "One\n\na note\n\nmore herons?\n\nno:\nfewer\n\ntwo\n\nwhy empty?"
    assert [section.location["slide"] for section in document.sections] == [1, 1, 2, 3]


def test_slides_from_before_1995_are_refused_by_name():
    with pytest.raises(UnreadableFileError, match="before 1995"):
        load_items({"PP40": b"\xed\xde\xad\x0b"}, "")


@pytest.mark.parametrize("deck", [[], [Slide()], [Slide([(OTHER, "*")])]])
@pytest.mark.parametrize("make", [make_powerpoint_95, make_powerpoint_97])
def test_slides_without_a_word_are_empty(make, deck):
    with pytest.raises(EmptyFileError, match="no text on its slides"):
        load_items(make(deck))


words = st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Zl", "Zp", "Zs", "Cf"]), min_size=1, max_size=8).filter(
    "*".__ne__
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from([make_powerpoint_95, make_powerpoint_97]),
)
def test_every_text_is_found_once_in_order_on_its_slide(slides, make):
    deck = [Slide([(BODY, text) for text in texts[:2]], [(NOTES, text) for text in texts[2:]]) for texts in slides]
    document = load_document({**make(deck), SUMMARY: make_summary(1252)})
    assert document.text.split("\n\n") == [text for texts in slides for text in texts]
    assert [section.location["slide"] for section in document.sections] == list(range(1, len(slides) + 1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=4), st.sampled_from([make_powerpoint_95, make_powerpoint_97]))
def test_damage_costs_no_more_than_an_error_that_says_so(place, patch, make):
    streams = make(DECK)
    data = bytearray(streams[SLIDES])
    place %= len(data)
    data[place : place + len(patch)] = patch
    with suppress(UnreadableFileError):
        assert all(isinstance(item, ParsedDocument | ParseWarning) for item in load_items({**streams, SLIDES: bytes(data)}))


def test_a_slide_cut_short_costs_none_before_it():
    streams = make_powerpoint_97([Slide([(TITLE, "One")]), Slide([(TITLE, "Two")])])
    place = streams[SLIDES].index(struct.pack("<HH", 0xF, 1006), 1)
    damaged = streams[SLIDES][: place + 12] + b"\xff" * 4 + streams[SLIDES][place + 16 :]
    items = load_items({**streams, SLIDES: damaged})
    assert any(isinstance(item, ParsedDocument) and item.text.startswith("One") for item in items)
