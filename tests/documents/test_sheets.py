from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (  # style 1 is a date, 2 a date and a time, 3 a time
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="170" formatCode="hh:mm"/></numFmts><cellXfs><xf numFmtId="0"/>'
    '<xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="170"/></cellXfs></styleSheet>'
)


def make_relations(targets):
    relationships = "".join(
        f'<Relationship Id="{relation_id}" Type="{RELATION}/{kind}" Target="{target}"/>' for relation_id, kind, target in targets
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relationships}</Relationships>'


def make_cell(place, value):
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    value, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def make_xlsx(sheets, *, parts=None, relations=()):
    """Make a workbook of sheets, by name, with cells by their places; `relations` are those of the first sheet."""
    stream = io.BytesIO()
    numbers = range(1, len(sheets) + 1)
    sheet_list = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, start=1))
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", make_relations([("r", "officeDocument", "xl/workbook.xml")]))
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{RELATION}"><sheets>{sheet_list}</sheets></workbook>'
        )
        archive.writestr("xl/_rels/workbook.xml.rels", make_relations([("s", "styles", "styles.xml"), *(
            (f"r{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers)]))  # fmt: skip
        archive.writestr("xl/styles.xml", STYLES)
        for number, cells in enumerate(sheets.values(), start=1):
            rows: dict[str, str] = {}
            for place, value in cells.items():
                row = place.lstrip("ABCDEFGH")
                rows[row] = rows.get(row, "") + make_cell(place, value)
            data = "".join(f'<row r="{row}">{text}</row>' for row, text in rows.items())
            merge_cells = '<mergeCells><mergeCell ref="A2:A3"/></mergeCells>' if "merged" in str(cells.get("A2")) else ""
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData>{merge_cells}</worksheet>',
            )
        archive.writestr("xl/worksheets/_rels/sheet1.xml.rels", make_relations(relations))
        for name, text in (parts or {}).items():
            archive.writestr(name, text)
    return stream.getvalue()


def load_document(data, suffix=".xlsx"):
    (document,) = load(RawFile("file", suffix, content=data))
    assert isinstance(document, ParsedDocument)
    return document


def list_places(document):
    return [
        (document.text[section.start :].split("\n")[0], section.location, section.context, section.hard_boundary)
        for section in document.sections
    ]


def test_each_sheet_stands_apart_and_a_row_is_a_line_with_the_names_of_its_columns():
    document = load_document(make_xlsx({"Tea": {"A1": "kind", "B1": "price", "A2": "black", "B2": 2}, "Other": {"B3": "alone"}}))
    assert document.text == "kind; price\nkind: black; price: 2\n\nalone"
    assert list_places(document) == [
        ("kind; price", {"sheet": "Tea", "rows": 1}, "Tea", True),
        ("alone", {"sheet": "Other", "rows": 3}, "Other", True),
    ]


def test_values_stand_as_a_person_reads_them():
    values = [42.0, 3.5, 0.1 + 0.2, -1e-7, 1234567890123456, (45413, 1), (45413.573, 2), (0.5, 3)]
    document = load_document(make_xlsx({"S": dict(zip(("A1", "B1", "C1", "D1", "E1", "F1", "G1", "H1"), values, strict=True))}))
    assert document.text == "42; 3.5; 0.3; -1e-07; 1234567890123456; 2024-05-01; 2024-05-01 13:45:07; 12:00"


def test_rows_keep_their_numbers_over_empty_ones_and_tables_apart_have_names_of_their_own():
    cells = {
        "A1": "Report", "A2": "kind", "B2": "price", "A3": "tea", "B3": 2, "A5": "milk", "B5": 1,
        "A8": "town", "B8": "people", "A9": "Bern", "B9": 9,
    }  # fmt: skip
    document = load_document(make_xlsx({"S": cells}))
    assert document.text == (
        "Report\nkind; price\nkind: tea; price: 2\n\nkind: milk; price: 1\n\ntown; people\ntown: Bern; people: 9"
    )
    assert [(text, place["rows"]) for text, place, _, _ in list_places(document)] == [
        ("Report", 1),
        ("kind: milk; price: 1", 5),
        ("town; people", 8),
    ]


def test_no_name_of_a_column_is_lost_and_a_row_of_numbers_is_no_header():
    assert load_document(make_xlsx({"S": {"A1": "name", "B1": "sign", "A2": "Ann"}})).text == "name; sign\nname: Ann"
    assert load_document(make_xlsx({"S": {"A1": "a", "B1": 1.5, "A2": "b", "B2": 2}})).text == "a; 1.5\nb; 2"
    assert (
        load_document(make_xlsx({"S": {"A1": "town", "B1": 2019, "A2": "Bern", "B2": 2}})).text
        == "town; 2019\ntown: Bern; 2019: 2"
    )


def test_a_cell_that_spans_rows_stands_in_each():
    cells = {"A1": "group", "B1": "item", "A2": "merged", "B2": "x", "B3": "y", "A4": "single", "B4": "z"}
    assert load_document(make_xlsx({"S": cells})).text == (
        "group; item\ngroup: merged; item: x\ngroup: merged; item: y\ngroup: single; item: z"
    )


def test_comments_text_boxes_and_charts_follow_the_rows_of_their_sheet():
    a, c = "http://schemas.openxmlformats.org/drawingml/2006/main", "http://schemas.openxmlformats.org/drawingml/2006/chart"
    words = "<a:p><a:r><a:t>{}</a:t></a:r></a:p>"
    parts = {
        "xl/c.xml": f'<comments xmlns="{MAIN}"><authors><author>Ann</author><author>tc=1</author></authors><commentList>'
        '<comment ref="A1" authorId="0"><text><r><t>why</t></r><r><t>?</t></r></text></comment>'
        '<comment ref="A2" authorId="1"><text><t>[Threaded comment]</t></text></comment></commentList></comments>',
        "xl/t.xml": '<ThreadedComments><threadedComment ref="A2"><text>so</text></threadedComment></ThreadedComments>',
        "xl/d.xml": f'<d xmlns:a="{a}" xmlns:c="{c}" xmlns:r="{RELATION}"><sp><txBody>{words.format("boxed")}</txBody></sp>'
        '<graphicFrame><c:chart r:id="k"/></graphicFrame></d>',
        "xl/_rels/d.xml.rels": make_relations([("k", "chart", "k.xml")]),
        "xl/k.xml": f'<c:chartSpace xmlns:c="{c}" xmlns:a="{a}"><c:title>{words.format("Ducks")}</c:title></c:chartSpace>',
    }
    relations = [("1", "comments", "../c.xml"), ("2", "threadedComment", "../t.xml"), ("3", "drawing", "../d.xml")]
    document = load_document(make_xlsx({"S": {"A1": "cell"}}, parts=parts, relations=relations))
    assert document.text == "cell\n\n[A1, Ann: why?]\n\n[A2: so]\n\nboxed\n\nDucks"
    assert list_places(document)[-1] == ("[A1, Ann: why?]", {"sheet": "S"}, "S", False)


def test_sheets_without_a_value_have_no_text():
    with pytest.raises(EmptyFileError, match="no text in its cells"):
        load_document(make_xlsx({"S": {}}))


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".ods"])
@pytest.mark.parametrize("data", [b"PK\x03\x04" + b"\0" * 40, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_a_damaged_spreadsheet_says_so_in_one_line(data, suffix):
    with pytest.raises(UnreadableFileError, match=r"\A[^\n]+\Z"):
        load_document(data, suffix)


# -- values in text files


def test_rows_of_values_know_their_numbers_as_a_spreadsheet_counts_them():
    document = load_document(b"a,b\n1,2\n\n\n3,4\n5,6\n", ".csv")
    assert document.text == "a; b\na: 1; b: 2\na: 3; b: 4\na: 5; b: 6"
    assert [(document.text[section.start :].split("\n")[0], section.location) for section in document.sections] == [
        ("a; b", {"rows": 1}),
        ("a: 3; b: 4", {"rows": 5}),
    ]


def test_a_record_over_several_lines_is_one_row():
    document = load_document(b'a\tb\n"1\n1"\t2\n3\t4\n', ".tsv")
    assert [(section.start, section.location) for section in document.sections] == [(0, {"rows": 1})]


def test_a_title_above_a_table_is_no_header():
    document = load_document(b"Prices,\nkind,price\ntea,2\n", ".csv")
    assert document.text == "Prices\nkind; price\nkind: tea; price: 2"
    assert [section.location for section in document.sections] == [{"rows": 1}]


# -- real files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("docling__legacy_sample.xls", "Year: 2024; Freshwater Ducks: 180"),
        ("tika__testEXCEL_dateFormats.xls", "date\n2018-09-20\n1996-08-10"),
        ("tika__testEXCEL.strict.xlsx", "cb=1: 1; cb=10: 10; cb=2: 2; cb=sum: 13"),
        ("tika__test-columnar.ods", "date: 1960-01-17; datetime: 1960-01-01 00:01:39"),
        ("docling__xlsx_comments.xlsx", "[F7, Marcus Sterling (MS): I never thought it would be so low]"),
    ],
)
def test_real_spreadsheets_give_their_values(name, words):
    path = DATA / "good" / name
    if not path.exists():
        pytest.skip("the real files of ../shared/data/files are not there")
    assert words in load_document(path.read_bytes(), path.suffix).text
