"""Workbooks with cells that lie far apart, and with sheets of macros, which were lost as a whole."""

from __future__ import annotations

import io
import random
import re
import zipfile

import pytest

from tests.documents.kinds.workbook_files import Cells, make_ods, make_xls, make_xlsb, sort_cells
from tests.documents.test_sheets import MAIN
from tests.documents.test_sheets import make_xlsx as make_small_xlsx
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

NEAR: Cells = {"A1": "Name", "B1": "Age", "A2": "Anna", "B2": 31.5}
MACRO_KIND = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"


def make_xlsx(sheets, rewrite=lambda name, text: (name, text)):
    """Make an .xlsx file with cells anywhere; `rewrite` changes the name and the text of any part."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(make_small_xlsx({name: {} for name in sheets}))) as old,
        zipfile.ZipFile(stream, "w") as archive,
    ):
        for name in old.namelist():
            text = old.read(name).decode()
            if number := re.fullmatch(r"xl/worksheets/sheet(\d+)\.xml", name):
                rows: dict[int, str] = {}
                for place, value in list(sheets.values())[int(number[1]) - 1].items():
                    row = int(place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
                    kind = f't="inlineStr"><is><t>{value}</t></is>' if isinstance(value, str) else f"><v>{value}</v>"
                    rows[row] = rows.get(row, "") + f'<c r="{place}" {kind}</c>'
                data = "".join(f'<row r="{row}">{cells}</row>' for row, cells in rows.items())
                text = f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
            archive.writestr(*rewrite(name, text))
    return stream.getvalue()


MAKERS = {".xlsx": make_xlsx, ".xlsb": make_xlsb, ".xls": make_xls, ".ods": make_ods}


def load_workbook(data, suffix):
    (document,) = load(RawFile("file", suffix, content=data))
    assert isinstance(document, ParsedDocument)
    return document


def list_rows(document):
    """Return the sheet, the first row and the text of each stretch of rows."""
    ends = [*(section.start for section in document.sections[1:]), len(document.text)]
    return [
        (section.location["sheet"], section.location["rows"], document.text[section.start : end].strip())
        for section, end in zip(document.sections, ends, strict=True)
    ]


FAR = [(suffix, place) for suffix in (".xlsx", ".xlsb", ".ods") for place in ("Z1048576", "XFD1048576", "XFD500")]


@pytest.mark.parametrize(("suffix", "place"), [*FAR, (".xls", "IV65536"), (".xls", "IV20000")])
def test_one_cell_far_from_the_others_costs_nothing(suffix, place):
    document = load_workbook(MAKERS[suffix]({"S": {**NEAR, place: "stray"}, "T": NEAR}), suffix)
    row = int(place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    near = "Name; Age\nName: Anna; Age: 31.5"
    assert list_rows(document) == [("S", 1, near), ("S", row, "stray"), ("T", 1, near)]


@pytest.mark.parametrize("suffix", MAKERS)
def test_every_cell_is_found_once_in_order_at_its_row(suffix):
    random_numbers = random.Random(24)
    last_row, last_column = (65_536, 256) if suffix == ".xls" else (1_048_576, 16_384)
    letters = {number: name_column(number) for number in range(1, last_column + 1)}
    cells = {
        f"{letters[random_numbers.randint(1, last_column)]}{random_numbers.randint(1, last_row)}": f"w{number}"
        for number in range(300)
    }
    document = load_workbook(MAKERS[suffix]({"S": cells}), suffix)
    assert re.findall(r"w\d+", document.text) == [value for _, _, value in sort_cells(cells)]
    sections = {int(rows): text.split()[0].rstrip(";") for _, rows, text in list_rows(document)}
    first_words = {row + 1: value for row, _, value in reversed(sort_cells(cells))}
    assert sections == {row: value for row, value in first_words.items() if row in sections}


def name_column(number):
    name = ""
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(65 + letter) + name
    return name


def test_a_column_and_a_row_that_fill_their_sheet_are_read():
    cells = {f"A{row}": float(row) for row in range(2, 40_001)} | {f"{name_column(column)}1": 0.5 for column in range(2, 257)}
    document = load_workbook(make_xls({"S": cells}), ".xls")
    assert document.text.split("\n")[:2] == ["; ".join(["0.5"] * 255), "2"]
    assert document.text.endswith("\n39999\n40000")


def test_numbers_stored_together_and_results_of_formulas_keep_their_places():
    cells: Cells = {"A1": 1.0, "C1": "=word", "A60000": 5.0, "IU60000": 8.0}
    document = load_workbook(make_xls({"S": cells}, numbers_together=True), ".xls")
    assert list_rows(document) == [("S", 1, "1; 2; word"), ("S", 60_000, "5; 6; 8; 9")]


def test_cells_without_a_place_of_their_own_stand_behind_the_one_before():
    def drop_places(name, text):
        return name, re.sub(r' r="[BC]\d+"', "", text)

    document = load_workbook(make_xlsx({"S": {"A1": 1, "B1": 2, "A9": 3, "B9": 4, "XFD1048576": 5}}, drop_places), ".xlsx")
    assert list_rows(document) == [("S", 1, "1; 2"), ("S", 9, "3; 4"), ("S", 1_048_576, "5")]


def test_a_cell_that_spans_rows_stands_in_each_of_a_sheet_with_far_cells():
    def merge_cells(name, text):
        return name, text.replace("</sheetData>", '</sheetData><mergeCells><mergeCell ref="C2:C3"/></mergeCells>')

    cells = {"B2": "a", "C2": "both", "B3": "b", "C3": "", "XFD1048576": "stray"}
    assert "b: both" in load_workbook(make_xlsx({"S": cells}, merge_cells), ".xlsx").text.replace("; ", ": ")


# -- sheets of macros


def make_macro_sheet(name, text):
    """Make a sheet of macros of the second sheet of an .xlsx file."""
    if name == "xl/worksheets/sheet2.xml":
        kind = "http://schemas.microsoft.com/office/excel/2006/main"
        text = re.sub("worksheet(?=[ >])", "xm:macrosheet", text).replace(" xmlns", f' xmlns:xm="{kind}" xmlns', 1)
        return "xl/macrosheets/sheet1.xml", text
    relation = r'"[^"]*/worksheet" Target="worksheets/sheet2.xml"'
    return name, re.sub(relation, f'"{MACRO_KIND}" Target="macrosheets/sheet1.xml"', text)


@pytest.mark.parametrize("suffix", [".xlsm", ".xlsb", ".xls"])
@pytest.mark.parametrize("place", ["A2", "IV60000"])
def test_a_sheet_of_macros_is_a_sheet_like_any_other(suffix, place):
    sheets: dict[str, Cells] = {"S": {"A1": "plain"}, "Macro1": {"A1": "ALERT", place: "RETURN"}}
    if suffix == ".xlsm":
        data = make_xlsx(sheets, make_macro_sheet)
    else:
        data = {".xlsb": make_xlsb, ".xls": make_xls}[suffix](sheets, macros=("Macro1",))
    document = load_workbook(data, suffix)
    assert document.text.split() == ["plain", "ALERT", "RETURN"]
    assert list_rows(document)[0] == ("S", 1, "plain")
    assert list_rows(document)[-1][:2] == ("Macro1", 60_000 if place == "IV60000" else 1)
