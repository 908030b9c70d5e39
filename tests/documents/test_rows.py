"""Rows of files as documents: what is guessed, what is named, what is wrong with a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLE_DATA
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.row_options import RowOptions
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.rows.row_documents import OpenRows, open_rows
from vecsearch.documents.rows.stream_format import open_stream_rows

GUESS = RowOptions(guess=True)
PRODUCTS = """sku,name,description,price,stock,new,zip,weight
A1,Warm tent,"A tent for cold nights,
with two doors",19.50,3,true,01234,n/a
A2,Folding knife,A knife for the kitchen and the woods,5,0,false,00001,2
A3,Rope,,7.25,,true,1234,3
"""


def open_text(name: str, text: str, options: RowOptions = GUESS, *, explicit: bool = True) -> OpenRows | None:
    return open_rows(RawFile(name, Path(name).suffix, content=text.encode()), options, explicit=explicit)


def read(name: str, text: str, options: RowOptions = GUESS) -> list[LoaderItem]:
    rows = open_text(name, text, options)
    assert rows is not None
    return list(rows.read_items())


def test_a_table_is_guessed_and_its_values_have_types() -> None:
    rows = open_text("p.csv", PRODUCTS)
    assert rows is not None
    assert rows.options == RowOptions("sku", ("description",), "name", qualified=True)
    tent, _, rope = rows.read_items()
    assert tent == ParsedDocument(
        "p.csv#A1", "A tent for cold nights,\nwith two doors", "Warm tent",
        {"price": 19.5, "stock": 3, "new": True, "zip": "01234"},
    )  # fmt: skip
    assert rope == ParsedDocument(
        "p.csv#A3", "price: 7.25; new: true; zip: 1234; weight: 3", "Rope",
        {"price": 7.25, "new": True, "zip": "1234", "weight": 3},
    )  # fmt: skip
    again = open_text("p.csv", PRODUCTS, RowOptions.from_dict(json.loads(json.dumps(rows.options.to_dict()))))
    assert again is not None and list(again.read_items()) == [*rows.read_items()]


def test_named_columns_give_their_own_ids_and_what_is_wrong_is_named_by_row() -> None:
    options = RowOptions("name", ("sku", "description"))
    first, *_ = read("p.csv", PRODUCTS, options)
    assert isinstance(first, ParsedDocument)
    assert (first.id, first.text.partition(",")[0], first.title) == ("Warm tent", "A1\n\nA tent for cold nights", None)
    wrong = "id;text\n1;one text\n;no id\n1;again\n2;3,5\n"
    items = read("w.csv", wrong, RowOptions("id", ("text",)))
    assert [item.message for item in items if isinstance(item, ParseWarning)] == [
        "row 3: no value in the column 'id', which is to be the id", "row 4: the id '1' was given in row 2 already",
    ]  # fmt: skip
    with pytest.raises(UnreadableFileError, match="no column 'colour' in it; its columns: sku, name, description"):
        open_text("p.csv", PRODUCTS, RowOptions(text=("colour",)))
    with pytest.raises(UnreadableFileError, match="no column 'colour' in it; it is a list of plain lines"):
        open_text("w.txt", "one\ntwo\n", RowOptions(id="colour"))


def test_decimal_commas_are_numbers_and_keys_that_come_again_are_counted() -> None:
    text = "wort;preis;text\na;3,5;x\nb;4;y\nc;n/a;z\na;1,25;w\n"
    documents = [item for item in read("w.csv", text, RowOptions("wort", qualified=True)) if isinstance(item, ParsedDocument)]
    assert [document.id for document in documents] == ["w.csv#a", "w.csv#b", "w.csv#c", "w.csv#a (2)"]
    assert [document.metadata.get("preis") for document in documents] == [3.5, 4, None, 1.25]


def test_lines_are_ids_and_repeated_ones_are_left_out() -> None:
    *documents, skipped = read("w.txt", "Bound\nJump\n\nLeap\nJump\n")
    assert [(item.id, item.text) for item in documents if isinstance(item, ParsedDocument)] == [
        (f"w.txt#{word}", word) for word in ("Bound", "Jump", "Leap")
    ]
    assert skipped == SkippedFile("w.txt", "1 row that says the same as one before")


RECORDS: list[dict[str, Any]] = [
    {"sku": f"A{n}", "note": f"a note of some words {n}", "tags": ["x"], "metadata": {"n": n}} for n in range(3)
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.json", json.dumps(RECORDS)),
        ("r.json", json.dumps({"products": RECORDS, "version": 2}, indent=2)),
        ("r.jsonl", "\n".join(map(json.dumps, RECORDS))),
    ],
)
def test_records_of_json_keep_their_values(name: str, text: str) -> None:
    first, *_, last = read(name, text)
    assert first == ParsedDocument(f"{name}#A0", RECORDS[0]["note"], None, {"tags": ["x"], "n": 0})
    assert isinstance(last, ParsedDocument) and last.id == f"{name}#A2"


def test_what_is_no_list_stays_a_document() -> None:
    for path in sorted((SAMPLE_DATA / "docs").rglob("*.txt")):
        assert open_rows(RawFile(path.name, path.suffix, path=path), GUESS) is None, path
    assert open_text("a.json", '{"name": "one", "version": 2}') is None
    assert open_text("a.jsonl", '{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n') is None
    assert open_text("a.csv", "1,2,3\n4,5,6\n7,8,9\n") is None
    assert open_text("a.csv", "year,sales,costs\n2020,5,6\n2021,8,9\n2022,7,7\n") is None
    assert open_text("a.txt", "key=1\nother=2\nthird=3\n") is None
    assert open_text("a.txt", "a sentence that ends with a stop.\nand another one.\nand a third.\n") is None
    assert open_text("notes.txt", "one long line of prose, no list\n", RowOptions(), explicit=False) is None
    assert open_text("notes.txt", "one\ntwo\nthree\n", RowOptions("sku"), explicit=False) is None
    assert open_text("a.csv", "1,2,3\n4,5,6\n", RowOptions()) is not None


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (PRODUCTS, ["A1", "A2", "A3"]),
        (PRODUCTS.replace('"A tent for cold nights,\nwith two doors"', "A tent").replace(",", "\t"), ["A1", "A2", "A3"]),
        (json.dumps(RECORDS), ["A0", "A1", "A2"]),
        ("\n".join(map(json.dumps, RECORDS)), ["A0", "A1", "A2"]),
        ("Bound\nJump, leap\nHop\n", ["Bound", "Jump, leap", "Hop"]),
    ],
    ids=["csv", "tsv", "array", "lines of JSON", "lines"],
)
def test_a_stream_is_known_by_how_it_begins(text: str, ids: list[str]) -> None:
    rows = open_stream_rows(RawFile("stdin", ".jsonl", content=text.encode()), GUESS)
    assert rows is not None
    assert [item.id for item in rows.read_items() if isinstance(item, ParsedDocument)] == ids


def test_an_array_that_breaks_off_fails_at_its_record() -> None:
    rows = open_text("r.json", json.dumps(RECORDS * 60)[:-30], RowOptions())
    assert rows is not None
    with pytest.raises(UnreadableFileError, match="no JSON array: record 180"):
        list(rows.read_items())
