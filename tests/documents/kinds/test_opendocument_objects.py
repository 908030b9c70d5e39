"""Formulas and charts that lie in an OpenDocument file as parts of their own stand where they are shown."""

import io
import zipfile

import pytest

from tests.documents.kinds.test_symbol_fonts import make_opendocument
from tests.documents.test_office import load_document, load_items
from vecsearch.core.parsed import ParseWarning

MATH = (
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics>{}'
    '<annotation encoding="StarMath 5.0">raw</annotation></semantics></math>'
)
CHART = (
    '<office:document-content xmlns:office="o" xmlns:chart="c" xmlns:table="t" xmlns:text="x"><office:body><office:chart>'
    '<chart:chart chart:class="chart:bar"><chart:title><text:p>Sales of tea</text:p></chart:title>'
    "<chart:plot-area><chart:axis><chart:title><text:p>Year</text:p></chart:title></chart:axis></chart:plot-area>"
    "<table:table><table:table-header-rows>{}</table:table-header-rows><table:table-rows>{}</table:table-rows></table:table>"
    "</chart:chart></office:chart></office:body></office:document-content>"
)


def make_row(*cells):
    return (
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
        + "</table:table-row>"
    )


SALES = CHART.format(make_row("", "North", "South"), make_row("2024", "3", "4") + make_row("2025", "5", ""))
SHOWN = "Sales of tea\nYear\nBar chart\n2024; North: 3; South: 4\n2025; North: 5"


def make_frame(name):
    return f'<draw:frame><draw:object xlink:href="./{name}"/><draw:image xlink:href="./ObjectReplacements/{name}"/></draw:frame>'


def make_file(body, kind="text", **objects):
    stream = io.BytesIO(make_opendocument(kind, body, ""))
    with zipfile.ZipFile(stream, "a") as archive:
        for name, text in objects.items():
            archive.writestr(f"{name}/content.xml", text)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("<mrow><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></mrow>", "E = mc^2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a+b)/2"),
        ("<msqrt><mi>x</mi></msqrt><mroot><mi>y</mi><mn>3</mn></mroot>", "√(x)√3(y)"),
        ("<msubsup><mo>∫</mo><mn>0</mn><mi>n</mi></msubsup><mi>f</mi>", "∫_0^nf"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>", "∑_(i = 1)^ni"),
        ("<mfenced open='[' close=']'><mi>a</mi><mi>b</mi></mfenced>", "[a, b]"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>", "1 2; 3"),
        ("<mi>sin</mi><mi>x</mi><mtext>if</mtext><mi>x</mi>", "sin x if x"),
        ("<mn>2</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2 1/2"),
        ("<mi>f</mi><mphantom><mn>9</mn></mphantom>", "f"),
        ("<mmultiscripts><mi>U</mi><mn>1</mn><none/><mprescripts/><mn>92</mn><mn>235</mn></mmultiscripts>", "U_1_92^235"),
        ("<mi>μ</mi><mo>≤</mo><mtext>five  grams</mtext>", "μ ≤ five grams"),
    ],
)
def test_a_formula_stands_in_its_sentence(formula, text):
    body = f"<text:p>where {make_frame('Object1')} holds</text:p>"
    document = load_document(make_file(body, Object1=MATH.format(f"<mrow>{formula}</mrow>")), ".odt")
    assert document.text == f"where {text} holds"


def test_a_formula_is_read_that_lies_in_its_element_and_on_a_slide():
    frame = f"<draw:frame><draw:object>{MATH.format('<mi>π</mi>')}</draw:object></draw:frame>"
    assert load_document(make_file(f"<text:p>a {frame}</text:p>"), ".odt").text == "a π"
    document = load_document(make_file(f"<draw:page>{frame}</draw:page>", "presentation"), ".odp")
    assert (document.text, document.sections[0].location) == ("π", {"slide": 1})


def test_a_chart_follows_its_paragraph_with_its_titles_and_a_line_a_row():
    body = f"<text:p>before {make_frame('Object1')}</text:p><text:p>after</text:p>"
    assert load_document(make_file(body, Object1=SALES), ".odt").text == f"before\n\n{SHOWN}\n\nafter"
    document = load_document(make_file(f"<draw:page>{make_frame('Object1')}</draw:page>", "presentation", Object1=SALES), ".odp")
    assert document.text == SHOWN


def test_an_object_that_is_shown_many_times_is_read_once():
    body = "".join(f"<text:p>p{n} {make_frame('Object1')}</text:p>" for n in range(3))
    assert load_document(make_file(body, Object1=SALES), ".odt").text.count("Sales of tea") == 1
    assert load_document(make_file(body, Object1=MATH.format("<mi>π</mi>")), ".odt").text.count("π") == 1


def test_an_object_that_is_not_there_or_damaged_costs_nothing_else():
    body = f"<text:p>a {make_frame('Object1')} b</text:p>"
    assert load_document(make_file(body), ".odt").text == "a  b"
    warning, document = load_items(make_file(body, Object1="<math><mi>x"), ".odt")
    assert isinstance(warning, ParseWarning)
    assert document.text.startswith("a")


def make_inner(kind, body, styles=""):
    return (
        '<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:draw="d" xmlns:xlink="l" xmlns:style="s">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
        "</office:document-content>"
    )


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (
            make_inner("spreadsheet", f"<table:table>{make_row('Item', 'Price')}{make_row('Nail', '5')}</table:table>"),
            "Item; Price\nItem: Nail; Price: 5",
        ),
        (make_inner("text", "<text:h text:outline-level='1'>Inner</text:h><text:p>words</text:p>"), "Inner\n\nwords"),
        (make_inner("drawing", "<draw:page><draw:rect><text:p>drawn words</text:p></draw:rect></draw:page>"), "drawn words"),
    ],
)
def test_a_document_inside_is_read_where_it_is_shown(inner, text):
    shown = load_document(make_file(f"<text:p>See {make_frame('A')}</text:p><text:p>end</text:p>", A=inner), ".odt").text
    assert shown.startswith("See\n\n")
    assert shown.endswith(f"{text}\n\nend")


def test_documents_inside_each_other_are_read_to_a_limit():
    inner = {"/".join("A" * depth): make_inner("text", f"<text:p>w{depth}</text:p>{make_frame('A')}") for depth in range(1, 10)}
    assert load_document(make_file(f"<text:p>w0</text:p>{make_frame('A')}", **inner), ".odt").text.split() == [
        f"w{depth}" for depth in range(6)
    ]


def test_a_point_without_a_value_is_left_out_and_one_without_a_text_is_not():
    value = '<table:table-cell/><table:table-cell office:value="7.25"/><table:table-cell office:string-value="x"/>'
    rows = make_row("2024", "NaN", "4") + f"<table:table-row>{value}</table:table-row>"
    text = load_document(
        make_file(f"<text:p>{make_frame('A')}</text:p>", A=CHART.format(make_row("", "N", "S"), rows)), ".odt"
    ).text
    assert text.split("\n")[-2:] == ["2024; S: 4", "N: 7.25; S: x"]


def test_what_a_ruby_says_of_how_words_are_read_is_no_part_of_them():
    ruby = "<text:ruby><text:ruby-base>東</text:ruby-base><text:ruby-text>とう</text:ruby-text></text:ruby>"
    assert load_document(make_file(f"<text:p>{ruby}京</text:p>"), ".odt").text == "東京"
