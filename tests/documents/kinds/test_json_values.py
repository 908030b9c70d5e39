"""JSON and JSON lines are stored as their values read, not as they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.types import Span
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.json_text import decode_escapes
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.locations import LocationFinder


def load_documents(text: str, suffix: str = ".json") -> list[ParsedDocument]:
    return [item for item in load(RawFile("file", suffix, content=text.encode())) if isinstance(item, ParsedDocument)]


def load_text(text: str, suffix: str = ".json") -> str:
    (document,) = load_documents(text, suffix)
    return document.text


def load_record(record: dict[str, Any]) -> ParsedDocument:
    (document,) = load_documents(json.dumps(record), ".jsonl")
    return document


# -- a file of JSON


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"city": "Köln", "note": "Zu.\nUmleitung"}, {"city": "東京"}], "city: Köln; note: Zu. Umleitung\ncity: 東京"),
        ({"name": "x", "on": True, "off": None, "size": 1.50}, "name: x\non: true\nsize: 1.5"),
        ({"data": {"users": [{"id": 1, "tags": ["a", "b"]}, {"id": 2}]}},
         "data.users.id: 1; data.users.tags: a, b\ndata.users.id: 2"),
        ({"scripts": {"a": "b", "c": {"d": "e"}}}, "scripts.a: b; scripts.c.d: e"),
        ([{"title": "T", "parts": [{"q": "1"}, {"q": "2"}]}], "title: T\nparts.q: 1\nparts.q: 2"),
        ([[1, 2], [3, "𝄞"]], "1, 2\n3, 𝄞"),
        (["one", "two"], "one\ntwo"),
        ("alone: é", "alone: é"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_values_stand_with_their_names_a_record_a_line(value, text, is_ascii, indent):
    assert load_text(json.dumps(value, ensure_ascii=is_ascii, indent=indent)) == text


def test_each_line_knows_where_its_value_stands_in_the_file():
    text = '{\n  "name": "x",\n\n  "rows": [\n    {"a": 1,\n     "b": 2},\n    {"a": 3}\n  ],\n  "last": "y"\n}\n'
    (document,) = load_documents(text)
    assert document.text == "name: x\nrows.a: 1; rows.b: 2\nrows.a: 3\nlast: y"
    finder = LocationFinder(document.text, document.sections)
    places = []
    for line in document.text.split("\n"):
        start = document.text.index(line)
        places += [span.location["lines"][0] for span in finder.locate_spans([Span(start, start + len(line))])]
    assert places == [2, 5, 7, 9]


def test_several_values_one_after_the_other_are_read_as_one_list():
    assert load_text('{"a": "\\u00e9", "b": 1}\n{"a": "o"}\n') == "a: é; b: 1\na: o"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "K\\u00f6ln", // here\n "b": "x\\ny"}', '{"a": "Köln", // here\n "b": "x y"}'),
        ('[{"a": "K\\u00f6ln"}, {"b": "cut off', '[{"a": "Köln"}, {"b": "cut off'),
        ('{a: "\\ud834\\udd1e \\ud834 \\\\u00e9 \\"q\\" C:\\\\dir"}', '{a: "𝄞 \\ud834 \\u00e9 "q" C:\\dir"}'),
        ('{"a": 1,}', '{"a": 1,}'),
        ('{"a": "b\nc"}', "a: b c"),
    ],
)  # fmt: skip
def test_what_is_no_sound_json_stays_as_it_is_but_for_its_escapes(text, expected):
    read = load_text(text).replace("\\ud834", "").replace("  ", " ")
    assert read == expected.replace("\\ud834", "").replace("  ", " ")


def test_a_large_file_is_read_block_by_block(tmp_path: Path):
    path = tmp_path / "large.json"
    path.write_text(json.dumps([{"n": number, "city": "Köln 𝄞 " * 10} for number in range(40_000)]))
    text = "".join(
        item.text for item in load(RawFile("file", ".json", path=path)) if isinstance(item, ParsedDocument) and item.portion
    )
    assert text.count("Köln 𝄞") == 400_000
    assert "\\u" not in text


@given(st.text(max_size=40), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_escapes_read_the_same_however_a_text_comes_in_blocks(text, size):
    escaped = json.dumps(text)
    blocks = [escaped[start : start + size] for start in range(0, len(escaped), size)]
    assert "".join(decode_escapes(blocks)) == "".join(decode_escapes([escaped]))


names = st.sampled_from(["a", "b", "city"])
scalars = st.integers() | st.booleans() | st.none() | st.text("xyzäß ", max_size=6)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)


@given(values, st.sampled_from([None, 1]))
@settings(max_examples=100, deadline=None)
def test_every_value_is_found_once_in_its_order(value, indent):
    def iterate_words(part):
        if isinstance(part, dict | list):
            for child in part.values() if isinstance(part, dict) else part:
                yield from iterate_words(child)
        elif part is not None:
            yield from (str(part).lower() if isinstance(part, bool) else str(part)).split()

    documents = load_documents(json.dumps([value, "end"], indent=indent))
    read = documents[0].text.replace(";", " ").replace(",", " ").split()
    assert [word for word in read if not word.endswith(":")] == [*iterate_words(value), "end"]


# -- JSON lines


@pytest.mark.parametrize(
    ("record", "title", "text", "metadata"),
    [
        ({"question": "Where?", "answer": "There."}, None, "question: Where?; answer: There.",
         {"question": "Where?", "answer": "There."}),
        ({"title": "T", "content": "words", "n": 1}, "T", "words", {"n": 1}),
        ({"page_content": "words", "metadata": {"source": "s"}}, None, "words", {"source": "s"}),
        ({"body": "words", "subject": "s"}, None, "words", {"subject": "s"}),
        ({"title": "T", "year": 1990, "plot": "long"}, "T", "year: 1990; plot: long", {"year": 1990, "plot": "long"}),
        ({"text": None, "content": "", "a": {"b": "c"}}, None, "a.b: c", {"content": "", "a": {"b": "c"}}),
        ({"text": "words", "content": "other"}, None, "words", {"content": "other"}),
        ({"messages": [{"role": "user", "content": "Hi\nyou"}, {"role": "assistant", "content": [{"type": "text", "text": "Yo"},
          {"type": "image_url"}]}]}, None, "user: Hi\nyou\n\nassistant: Yo", {}),
        ({"conversations": [{"from": "human", "value": "Hi"}]}, None, "human: Hi", {}),
        ({"messages": ["a", "b"]}, None, "messages: a, b", {"messages": ["a", "b"]}),
        ({"title": "T", "embedding": [0.5] * 40}, "T", "", {"embedding": [0.5] * 40}),
        ({"title": "T", "metadata": {"a": 1}}, "T", "", {"a": 1}),
    ],
)  # fmt: skip
def test_a_record_says_what_its_usual_key_holds_else_all_its_values(record, title, text, metadata):
    document = load_record({"id": "r", **record})
    assert (document.title, document.text, document.metadata) == (title, text, metadata)


def test_an_id_that_another_program_writes_as_an_object_drops_no_record():
    (document,) = load_documents('{"_id": {"$oid": "65a"}, "text": "words"}', ".jsonl")
    assert (document.text, document.metadata) == ("words", {"_id": {"$oid": "65a"}})
    assert document.id.startswith("sha256:")


def test_escapes_in_records_are_read():
    assert load_text('{"frage": "K\\u00f6ln?"}', ".ndjson") == "frage: Köln?"
