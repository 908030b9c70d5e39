"""Lists by the shell and from Python: a row a document, refreshed without encoding what has not changed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.conftest import SAMPLE_DATA
from tests.documents.test_sheets import make_xlsx
from tests.fakes import FakeEncoder, RecordingEncoder

COUNT = 1_000
SHELL_ROWS = "sku,name,description,price\nA1,Warm tent,A tent for cold nights,60\nA2,Light tent,A tent for summer nights,40\n"


def make_products(count: int = COUNT) -> list[str]:
    lines = (f'P{n:05},Thing {n % 97},"A thing, number {n}, for cold nights",{n / 100},{n % 7}' for n in range(count))
    return ["sku,name,description,price,stock", *lines]


def test_a_thousand_products_are_refreshed_without_encoding(tmp_path: Path) -> None:
    file, encoder = tmp_path / "products.csv", RecordingEncoder()
    lines = make_products()
    file.write_text("\n".join(lines))
    with vecsearch.open(tmp_path / ".vecsearch", model=encoder) as products:
        report = products.index(file, rows=True)
        assert (report.added, report.failed, len(encoder.texts)) == (COUNT, (), COUNT)
        assert [row.to_dict() for row in report.rows] == [
            {"source": str(file), "id": "sku", "text": ["description"], "title": "name", "qualified": True}
        ]
        (product,) = products.get("P00042")
        assert (product.id, product.title, product.metadata) == ("products.csv#P00042", "Thing 42", {"price": 0.42, "stock": 0})
        assert products.count(where={"price": {"$lt": 5}}) == 500
        encoder.texts.clear()
        file.touch()
        assert products.index(file, rows=True).unchanged == COUNT
        file.write_text("\n".join([lines[0], "NEW,A new one,Something else,1.5,1", *lines[2:]]))
        report = products.index(file, rows=True)
        assert (report.added, report.updated, report.unchanged, report.removed) == (1, 0, COUNT - 1, 1)
        assert len(encoder.texts) == 1
        assert products.index(file, id="sku", text="description", title="name").removed == COUNT
        assert "NEW" in products and len(encoder.texts) == 1
        assert products.index(tmp_path).removed == COUNT
        assert len(products) == 1


def test_a_list_named_on_the_command_line_is_guessed(tmp_path: Path, shell: Any) -> None:
    (tmp_path / "words.txt").write_bytes((SAMPLE_DATA / "words.txt").read_bytes())
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(SHELL_ROWS)
    result = shell("index", "words.txt", "a.csv", "b.csv")
    assert result.status == 0
    assert "words.txt: one document a line; --no-rows for one document" in result.err
    assert "a.csv: one document a row: id=sku, text=description, title=name; --no-rows for one document" in result.err
    hits = json.loads(shell("similar", "--id", "jump", "-n", 5, "--json").out)["hits"]
    assert {"words.txt#leap", "words.txt#hop"} <= {hit["id"] for hit in hits}
    assert "2 files have a row with the id 'A1'; name one: a.csv#A1, b.csv#A1" in shell("similar", "--id", "A1").err
    assert shell("similar", "--id", "a.csv#A1", "--where", "price<50", "-n", 1, "-q").out.split()[1] in ("a.csv#A2", "b.csv#A2")
    assert shell("index", "a.csv", "--no-rows", "-q").status == 0
    assert json.loads(shell("ls", "--source", "a.csv", "--json").out)["documents"][0]["id"] == "a.csv"
    missing = shell("index", "a.csv", "--text", "nope")
    assert missing.status == 1 and "no column 'nope' in it; its columns: sku, name, description, price" in missing.err
    assert shell("index", "a.csv", "--no-rows", "--id", "sku").status == 2
    assert shell("index", "-", "--no-rows", stdin=b"x").status == 2


def test_rows_come_by_a_pipe_by_import_and_from_sheets(tmp_path: Path, shell: Any) -> None:
    piped = shell("index", "-", "--json", stdin=SHELL_ROWS.encode())
    assert json.loads(piped.out)["rows"] == [
        {"source": "stdin", "id": "sku", "text": ["description"], "title": "name", "qualified": True}
    ]
    (tmp_path / "p.csv").write_text(SHELL_ROWS)
    assert shell("import", "p.csv", "-c", "imported", "--id", "name", "--text", "description,sku").status == 0
    assert shell("get", "Warm tent", "-c", "imported").out.rstrip().endswith("A1")
    assert json.loads(shell("import", "-", "-c", "other", "--json", stdin=SHELL_ROWS.encode()).out)["added"] == 2
    header, tent, light = (
        ("sku", "description", "price", "since"),
        "A warm tent for cold nights",
        "A light tent for summer nights",
    )
    rows: list[tuple[Any, ...]] = [header, ("A1", tent, 60, (45000, 1)), ("A2", light, 40, (45413, 1))]
    cells = {f"{'ABCD'[column]}{number}": value for number, row in enumerate(rows, 1) for column, value in enumerate(row)}
    (tmp_path / "book.xlsx").write_bytes(make_xlsx({"Prices": cells}))
    assert json.loads(shell("index", "book.xlsx", "-c", "book", "--json").out)["added"] == 2
    assert json.loads(shell("get", "A2", "-c", "book", "--json").out)["documents"][0]["metadata"] == {
        "price": 40,
        "since": "2024-05-01",
    }


def test_tables_in_memory_are_taken_whatever_made_them(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns: dict[str, Any] = {
        "sku": ["a", "b"], "description": ["a warm tent", None], "price": np.array([1.5, np.nan], np.float32),
        "since": [date(2024, 5, 1), None], "stock": np.array([1, 2]),
    }  # fmt: skip
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as notes:
        assert notes.add_dataframe(columns, text="description", id="sku") == ["a", "b"]
        assert notes.get("a")[0].metadata == {"price": 1.5, "since": "2024-05-01", "stock": 1}
        assert (notes.get("b")[0].text, notes.get("b")[0].metadata) == ("stock: 2", {"stock": 2})
        table = pyarrow.table({"key": [7, 8], "text": ["one", "two"], "n": [1, None]})
        assert notes.add_dataframe(table, text=["text"], id="key", on_conflict="replace") == ["7", "8"]
        assert len(notes.add_dataframe({"text": ("x", "y")})) == 2
        notes.add(iter(["z"]), ids=["z"], metadatas=[{"x": np.nan, "y": np.float32(2), "d": date(2024, 5, 1)}])
        assert notes.get("z")[0].metadata == {"y": 2.0, "d": "2024-05-01"}
        for frame, message in (
            ({"sku": ["a", "b"], "x": [1, {2}]}, "row 1, column 'x': a value must be JSON values: got a set"),
            ({"sku": ["a", "a"], "x": [1, 2]}, "row 1, column 'sku': the id 'a' was given in row 0 already"),
            ({"sku": ["a", None], "x": [1, 2]}, "row 1: column 'sku' must hold a string or a whole number, got None"),
            ({"sku": ["a"], "x": [1, 2]}, "column 'x' must be a list of 1"),
            ({"x": [1]}, "no column 'sku' in the table; its columns: x"),
            ("text", "expected a DataFrame"),
        ):
            with pytest.raises(vecsearch.InputError, match=message):
                notes.add_dataframe(frame, id="sku")


def test_a_data_frame_of_pandas_is_taken(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"sku": ["a", "b"], "text": ["one", "two"], "price": [1.5, None]}, index=[7, 9])
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as notes:
        assert notes.add_dataframe(frame, text="text", id="sku") == ["a", "b"]
        assert [document.metadata for document in notes.get(["a", "b"])] == [{"price": 1.5}, {}]
