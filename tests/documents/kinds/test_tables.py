"""A table's first row names the columns only where the file says so, or the rows below are of another kind; it is never lost."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.kinds.word_files import IN_TABLE, ROW_END, ROW_IS_HEADER, Run, make_doc
from tests.documents.kinds.workbook_files import make_ods, make_xls, make_xlsb
from tests.documents.test_office import W, make_docx, make_opendocument, make_pptx
from tests.documents.test_sheets import make_xlsx
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_table

PEOPLE = [["Anna Berg", "Oslo"], ["Ben Cole", "Leeds"], ["Carla Diaz", "Lima"]]
PEOPLE_TEXT = "Anna Berg; Oslo\nBen Cole; Leeds\nCarla Diaz; Lima"
NAMED = [["Name", "City"], *PEOPLE]
NAMED_LINES = "Name: Anna Berg; City: Oslo\nName: Ben Cole; City: Leeds\nName: Carla Diaz; City: Lima"
FRUIT = [["Fruit", "Colour"], ["apple", "red"], ["pear", "green"]]  # by its words alone it has no header
PAIRS = [["Name", "Anna Berg"], ["Born", "1990-02-01"], ["City", "Oslo"]]
PAIRS_TEXT = "Name: Anna Berg\nBorn: 1990-02-01\nCity: Oslo"


def load_document(data, suffix):
    (document,) = load(RawFile("file", suffix, content=data.encode() if isinstance(data, str) else data))
    assert isinstance(document, ParsedDocument)
    return document


def load_text(data, suffix):
    return load_document(data, suffix).text


# -- each format, with what it says of the header


def write_csv(rows, delimiter=","):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


def write_docx_table(rows, look="", *, style="", header_rows=0):
    text = ""
    for number, row in enumerate(rows):
        mark = "<w:trPr><w:tblHeader/></w:trPr>" if number < header_rows else ""
        cells = (cell if cell.startswith("<w:tbl>") else f"<w:p><w:r><w:t>{cell}</w:t></w:r></w:p>" for cell in row)
        text += f"<w:tr>{mark}{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"
    style = f'<w:tblStyle w:val="{style}"/>' if style else ""
    return f"<w:tbl><w:tblPr>{style}{look}</w:tblPr>{text}</w:tbl>"


def write_pptx(rows, properties="<a:tblPr/>"):
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    text = "".join(f"<a:tr>{''.join(map(cell.format, row))}</a:tr>" for row in rows).replace("a:txBody", "p:txBody")
    return make_pptx(f"<p:graphicFrame><a:tbl>{properties}{text}</a:tbl></p:graphicFrame>")


def write_odt_table(rows, header_rows=0):
    lines = ["<table:table-row>" + "".join(f"<table:table-cell>{cell if cell.startswith('<') else f'<text:p>{cell}</text:p>'}"
             "</table:table-cell>" for cell in row) + "</table:table-row>" for row in rows]  # fmt: skip
    head = f"<table:table-header-rows>{''.join(lines[:header_rows])}</table:table-header-rows>" if header_rows else ""
    return f"<table:table>{head}{''.join(lines[header_rows:])}</table:table>"


def place_cells(rows):
    return {f"{'ABC'[column]}{row}": cell for row, cells in enumerate(rows, start=1) for column, cell in enumerate(cells)}


SILENT = {
    ".csv": write_csv,
    ".tsv": lambda rows: write_csv(rows, "\t"),
    ".docx": lambda rows: make_docx(write_docx_table(rows)),
    ".pptx": write_pptx,
    ".odt": lambda rows: make_opendocument("text", write_odt_table(rows)),
    ".odp": lambda rows: make_opendocument("presentation", write_odt_table(rows)),
    ".xlsx": lambda rows: make_xlsx({"S": place_cells(rows)}),
    ".xlsb": lambda rows: make_xlsb({"S": place_cells(rows)}),
    ".xls": lambda rows: make_xls({"S": place_cells(rows)}),
    ".ods": lambda rows: make_ods({"S": place_cells(rows)}),
    ".rtf": lambda rows: "{\\rtf1 " + "".join(
        "\\trowd " + "".join(f"{cell}\\cell " for cell in row) + "\\row " for row in rows) + "\\pard end\\par}",
}  # fmt: skip


@pytest.mark.parametrize("suffix", SILENT)
def test_where_the_file_says_nothing_the_rows_tell_and_the_first_one_stays(suffix):
    def read(rows):
        return load_text(SILENT[suffix](rows), suffix).removesuffix("\n\nend")

    assert read(PEOPLE) == PEOPLE_TEXT
    assert read(NAMED) == f"Name; City\n{NAMED_LINES}"
    assert read(FRUIT) == "Fruit; Colour\napple; red\npear; green"
    assert read(PAIRS) == PAIRS_TEXT
    assert read([[f"{key}:", value] for key, value in PAIRS]) == PAIRS_TEXT


STYLES = (
    f'<w:styles {W}><w:style w:type="table" w:styleId="Grid"/><w:style w:type="table" w:styleId="Fancy">'
    '<w:tblStylePr w:type="firstRow"/></w:style></w:styles>'
)
LOOK = "<w:tblLook {}/>"


@pytest.mark.parametrize(
    ("look", "style", "is_header"),
    [
        (LOOK.format('w:firstRow="0" w:val="0000"'), "Fancy", False),
        (LOOK.format('w:firstRow="false"'), "", False),
        (LOOK.format('w:val="0480"'), "", False),  # the older form, one number
        (LOOK.format('w:firstRow="1" w:val="04A0"'), "Fancy", True),
        (LOOK.format('w:val="04A0"'), "Fancy", True),
        (LOOK.format('w:firstRow="1" w:val="04A0"'), "Grid", None),  # what Word writes of every new table
        ("", "Fancy", None),
    ],
)
def test_what_a_table_of_word_says_of_its_first_row_is_heeded(look, style, is_header):
    def read(rows):
        return load_text(make_docx(write_docx_table(rows, look, style=style), styles=STYLES), ".docx")

    fruit = "Fruit: apple; Colour: red\nFruit: pear; Colour: green" if is_header else "Fruit; Colour\napple; red\npear; green"
    assert read(FRUIT) == fruit
    named = {True: NAMED_LINES, None: f"Name; City\n{NAMED_LINES}", False: f"Name; City\n{PEOPLE_TEXT}"}
    assert read(NAMED) == named[is_header]


def test_rows_that_word_repeats_on_each_page_are_the_header():
    assert load_text(make_docx(write_docx_table(FRUIT, header_rows=1)), ".docx") == (
        "Fruit: apple; Colour: red\nFruit: pear; Colour: green"
    )
    rows = [["", "Sales", "Sales"], ["Shop", "May", "June"], ["North", "one", "two"]]
    assert load_text(make_docx(write_docx_table(rows, header_rows=2)), ".docx") == "Shop: North; Sales May: one; Sales June: two"


@pytest.mark.parametrize(("first_row", "is_header"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_what_a_slide_says_of_the_first_row_is_heeded(first_row, is_header):
    text = load_text(write_pptx(FRUIT, f'<a:tblPr firstRow="{first_row}"/>'), ".pptx")
    assert text == (
        "Fruit: apple; Colour: red\nFruit: pear; Colour: green" if is_header else "Fruit; Colour\napple; red\npear; green"
    )
    if not is_header:
        assert load_text(write_pptx(NAMED, f'<a:tblPr firstRow="{first_row}"/>'), ".pptx") == f"Name; City\n{PEOPLE_TEXT}"


@pytest.mark.parametrize("suffix", [".odt", ".odp"])
def test_header_rows_of_opendocument_are_heeded(suffix):
    kind = {".odt": "text", ".odp": "presentation"}[suffix]
    assert load_text(make_opendocument(kind, write_odt_table(FRUIT, 1)), suffix) == (
        "Fruit: apple; Colour: red\nFruit: pear; Colour: green"
    )


def write_rtf_row(cells, mark=""):
    return f"\\trowd{mark}\\intbl " + "".join(f"{cell}\\cell " for cell in cells) + "\\row "


def test_header_rows_of_rich_text_are_heeded():
    head, *rows = FRUIT
    body = write_rtf_row(head, "\\trhdr") + "".join(map(write_rtf_row, rows))
    named = "Fruit: apple; Colour: red\nFruit: pear; Colour: green"
    assert load_text(f"{{\\rtf1 {body}}}", ".rtf") == named
    late = "".join(map(write_rtf_row, rows)) + write_rtf_row(head, "\\trhdr")
    assert load_text(f"{{\\rtf1 {late}}}", ".rtf") == "apple; red\npear; green\nFruit; Colour"
    inner = "\\itap2 a\\nestcell{\\*\\nesttableprops\\trowd\\trhdr\\nestrow}b\\nestcell{\\*\\nesttableprops\\trowd\\nestrow}"
    assert load_text(f"{{\\rtf1 \\trowd\\intbl x\\cell {inner}\\itap1\\cell\\row}}", ".rtf") == "x; a: b"


def test_header_rows_of_old_word_documents_are_heeded():
    def write_row(cells, mark=b""):
        return [*(Run(cell.encode() + b"\7", paragraph=IN_TABLE) for cell in cells),
                Run(b"\7", paragraph=ROW_END + mark)]  # fmt: skip

    head, *rows = FRUIT
    runs = [*write_row(head, ROW_IS_HEADER), *(run for row in rows for run in write_row(row)), Run(b"End\r")]
    assert load_text(make_doc(runs), ".doc") == "Fruit: apple; Colour: red\nFruit: pear; Colour: green\n\nEnd"


def test_a_page_names_columns_by_its_header_cells_alone_and_rows_by_theirs():
    def read(*rows):
        page = load_document(f"<table>{''.join(rows)}</table>", ".html")
        return page.text, [section.context for section in page.sections]

    assert read("<tr><td>Anna Berg<td>Oslo", "<tr><td>Ben Cole<td>Leeds") == ("Anna Berg | Oslo\nBen Cole | Leeds", [])
    assert read("<tr><th>Fruit<th>Colour", "<tr><td>apple<td>red") == ("Fruit | Colour\napple | red", ["", "Fruit | Colour"])
    assert read("<thead><tr><td>Fruit<td>Colour</thead>", "<tr><td>pear<td>red")[1] == ["", "Fruit | Colour"]
    assert read("<tr><th>Name<td>Anna", "<tr><th>City:<td>Oslo") == ("Name: Anna\nCity: Oslo", [])
    assert read("<tr><td>Name:<td>Anna<td>City:<td>Oslo") == ("Name: Anna | City: Oslo", [])
    assert read("<tr><th>Name<th>City", "<tr><th>Anna<td>Oslo")[0] == "Name | City\nAnna | Oslo"


SAID_BY_DEFAULT = {
    ".docx": lambda rows: make_docx(write_docx_table(rows, LOOK.format('w:val="04A0"'), style="Fancy"), styles=STYLES),
    ".pptx": lambda rows: write_pptx(rows, '<a:tblPr firstRow="1" bandRow="1"/>'),
    ".odt": lambda rows: make_opendocument("text", write_odt_table(rows, 1)),
    ".rtf": lambda rows: "{\\rtf1 " + write_rtf_row(rows[0], "\\trhdr") + "".join(map(write_rtf_row, rows[1:])) + "}",
}


@pytest.mark.parametrize("suffix", SAID_BY_DEFAULT)
def test_a_key_is_no_header_though_the_program_says_so_of_any_first_row(suffix):
    def read(rows):
        return load_text(SAID_BY_DEFAULT[suffix](rows), suffix)

    assert read(PAIRS) == PAIRS_TEXT
    assert read([["Owner:", "Anna", "Ben"], ["Colour:", "red", "blue"]]) == "Owner: Anna; Ben\nColour: red; blue"
    assert read(FRUIT) == "Fruit: apple; Colour: red\nFruit: pear; Colour: green"


def test_a_column_of_one_kind_with_values_that_are_missing_has_a_name():
    rows = [["Region", "Sales"], ["North", "12"], ["South", "n/a"], ["East", "7"], ["West", "-"]]
    assert load_text(write_csv(rows), ".csv").split("\n")[1:3] == ["Region: North; Sales: 12", "Region: South; Sales: n/a"]


@pytest.mark.parametrize(("mark", "is_header"), [("", True), (' headerRowCount="1"', True), (' headerRowCount="0"', False)])
def test_what_a_workbook_says_of_its_tables_is_heeded(mark, is_header):
    def read(rows, reference):
        cells = {
            f"{'BCD'[column]}{row}": cell for row, line in enumerate(rows, start=3) for column, cell in enumerate(line) if cell
        }
        table = f'<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="1" ref="{reference}"{mark}/>'
        data = make_xlsx({"S": cells}, parts={"xl/tables/table1.xml": table}, relations=[("t", "table", "../tables/table1.xml")])
        return load_text(data, ".xlsx")

    named = "Fruit: apple; Colour: red\nFruit: pear; Colour: green"
    plain = "apple; red\npear; green"
    assert read(FRUIT, "B3:C5") == "Fruit; Colour\n" + (named if is_header else plain)
    assert read([["All of May"], *FRUIT], "B4:C6").startswith("All of May\nFruit; Colour\n" + (named if is_header else "apple"))
    assert read(NAMED, "B3:C6").endswith(NAMED_LINES if is_header else PEOPLE_TEXT)
    wider = [[*row, "x"] for row in FRUIT]  # something else stands in its row
    assert read(wider, "B3:C5") == "Fruit; Colour; x\napple; red; x\npear; green; x"


def test_two_columns_of_a_page_are_keys_and_values_where_they_say_so():
    def read(rows, cell="<td>{}</td>"):
        return load_text(f"<table>{''.join('<tr>' + ''.join(map(cell.format, row)) for row in rows)}</table>", ".html")

    assert read(PAIRS) == PAIRS_TEXT
    assert read(PAIRS, "<td><b>{}</b> ") == PAIRS_TEXT
    assert read(PEOPLE) == PEOPLE_TEXT.replace(";", " |")
    assert read([[f"Key{number}", str(number)] for number in range(300)]).startswith("Key0 | 0\nKey1 | 1\n")
    assert read([["Left", "x<table><tr><td>Name<td>Anna Berg<tr><td>Born<td>1990-02-01<tr><td>City<td>Oslo</table>"]]) == (
        f"Left\n\nx\n\n{PAIRS_TEXT}"
    )


# -- nested tables


def test_a_table_in_a_cell_is_read_before_the_row_that_holds_it():
    def nest(write):
        return write([["Order", "Items"], ["one", write([["Item", "Price"], ["tea", "2"], ["milk", "1"]])], ["two", "none"]])

    items = "Item; Price / Item: tea; Price: 2 / Item: milk; Price: 1"
    expected = f"Order; Items\nOrder: one; Items: {items}\nOrder: two; Items: none"
    assert load_text(make_docx(nest(write_docx_table)), ".docx") == expected
    assert load_text(make_opendocument("text", nest(write_odt_table)), ".odt") == expected


# -- what tells a header


@pytest.mark.parametrize(
    ("first", "below"),
    [
        ("id,name", "7,Anna\n8,Ben"),
        ("Ware;Preis".replace(";", ","), "Apfel,2\nBirne,3"),
        ("Город,Население", "Москва,13 000 000\nКазань,1 300 000"),
        ("first,second", "One,Two\nThree,Four"),  # in small letters, and no value is
        ("MODEL,MAKER", "Golf,Volkswagen\nPanda,Fiat"),
        ("Question,Answer", "Where is it?,There\nWho was it?,Nobody"),
        ("firstName,homeTown", "Anna,Oslo\nBen,Leeds"),
        ("Town,2019,2020", "Bern,1,2\nOslo,3,4"),
        ("Person,Since", "Anna,2020-01-31\nBen,2021-02-28"),
        ("Person,Contact", "Anna,anna@example.org\nBen,ben@example.org"),
    ],
)
def test_a_row_of_another_kind_than_those_below_is_their_header(first, below):
    names = first.split(",")
    lines = ["; ".join(f"{name}: {cell}" for name, cell in zip(names, row.split(","), strict=True)) for row in below.split("\n")]
    assert load_text(f"{first}\n{below}\n", ".csv") == "\n".join(["; ".join(names), *lines])


@pytest.mark.parametrize(
    "table",
    [
        "Anna Berg,Oslo\nBen Cole,Leeds",
        "Anna,31\nBen,42",
        "2020-01-31,Start\n2020-02-28,End",
        "Anna,anna@example.org\nBen,ben@example.org",
        "Anna,n/a\nBen,42\nCarla,17",
        "one,two\nthree,four",
        "ONE,TWO\nTHREE,FOUR",
        "東京,日本\n大阪,日本",
        "London,1.5,yes\nParis,2.5,no",
        "Anna,Oslo",
    ],
)
def test_a_row_like_those_below_is_a_row(table):
    assert load_text(f"{table}\n", ".csv") == table.replace(",", "; ")


# -- what stands above a table


@pytest.mark.parametrize("mark", ["# ", "#", "// ", "%", "## "])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_comments_above_a_table_are_lines_and_no_rows_of_it(mark, suffix):
    delimiter = {".csv": ",", ".tsv": "\t"}[suffix]
    text = f"{mark}made by a machine, on Monday\n\n{mark}again\n" + write_csv(NAMED, delimiter)
    document = load_document(text, suffix)
    first = mark.strip() + (" " if mark.endswith(" ") else "") + "made by a machine, on Monday"
    assert document.text.split("\n", 2)[0] == first
    assert document.text.endswith(f"\nName; City\n{NAMED_LINES}")
    assert [section.location["rows"] for section in document.sections] == [1, 3]


def test_a_comment_may_name_the_columns():
    assert load_text("# made in May\n#gene\tlength\nBRCA1\t81\nTP53\t19\n", ".tsv") == (
        "# made in May\n#gene length\ngene: BRCA1; length: 81\ngene: TP53; length: 19"
    )


def test_a_title_above_a_table_is_a_line():
    assert load_text("Staff of the north\nName,City\nAnna,Oslo\nBen,Leeds\n", ".csv") == (
        "Staff of the north\nName; City\nName: Anna; City: Oslo\nName: Ben; City: Leeds"
    )
    assert load_text("#1 seed,Anna\n#2 seed,Ben\n", ".csv") == "#1 seed; Anna\n#2 seed; Ben"


# -- long names


def test_a_long_name_stands_whole_above_and_short_in_each_row():
    question = (
        "How satisfied are you; on a scale from one to ten; with the cleanliness of the trains that you used in the last weeks?"
    )
    first, *rows = load_text(write_csv([["question", question], ["Anna", "7"], ["Ben", "9"]]), ".csv").split("\n")
    assert first == f"question; {question}"
    name = rows[0].removeprefix("question: Anna; ").removesuffix("…: 7")
    assert question.startswith(name)
    assert 50 < len(name) <= 100
    assert rows == [f"question: Anna; {name}…: 7", f"question: Ben; {name}…: 9"]
    assert format_table([["k", question], ["a", "b"]], 1).split("\n")[0] == f"k; {question}"


# -- the law


words = st.text("abcdeXYZ0123", min_size=1, max_size=5)


@given(st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=6), st.sampled_from([None, 0, 1, 2, 9]))
@settings(max_examples=200, deadline=None)
def test_every_value_of_a_table_is_found_in_its_order(rows, header_rows):
    marked = [[f"{cell}r{row}c{column}" for column, cell in enumerate(cells)] for row, cells in enumerate(rows)]
    text = format_table(marked, header_rows)
    body = marked[header_rows or 0 :] or marked
    places = [text.rindex(cell) for cells in body for cell in cells]
    assert all(cell in text for cells in marked for cell in cells)
    if header_rows is not None:
        assert places == sorted(places)
