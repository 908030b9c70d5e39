"""The numbers of lists, which a reader sees and the file does not hold, stand before their items."""

import struct
from itertools import takewhile

import pytest

from tests.documents.kinds.test_symbol_fonts import make_opendocument
from tests.documents.test_office import W, load_document, load_real_document, make_docx, make_pptx, p
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.legacy.word_binary import parse_properties
from vecsearch.documents.loaders.legacy.word_lists import ListPlace, parse_style_lists, read_list_place, read_lists
from vecsearch.documents.loaders.list_numbers import format_number


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (3, "decimal", "3"),
        (3, "decimalZero", "03"),
        (27, "lowerLetter", "aa"),
        (28, "upperLetter", "BB"),
        (28, "lowerAlpha", "ab"),
        (703, "upperAlpha", "AAA"),
        (1994, "upperRoman", "MCMXCIV"),
        (0, "lowerAlpha", "0"),
        (4000, "lowerRoman", "4000"),
        (-2, "lowerRoman", "-2"),
        (10, "chineseCounting", "十"),
        (21, "chineseCountingThousand", "二十一"),
        (105, "taiwaneseCountingThousand", "一百零五"),
        (115, "chineseCounting", "一百一十五"),
        (1010, "chineseCountingThousand", "一千零一十"),
        (105, "japaneseCounting", "百五"),
        (12345, "chineseCounting", "一二三四五"),
        (0, "chineseCounting", "0"),
        (20, "decimalEnclosedCircle", "⑳"),
        (21, "decimalEnclosedCircle", "21"),
        (12, "decimalFullWidth", "１２"),
        (1, "russianUpper", "А"),
        (31, "russianLower", "вв"),
    ],
)
def test_a_number_is_written_in_its_kind(number, kind, text):
    assert format_number(number, kind) == text


# -- pages


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<ol start=5 type=a><li>x</li></ol>", "e. x"),
        ("<ol start=-1><li>x<li>y<li>z</ol>", "-1. x\n0. y\n1. z"),
        ("<ol reversed><li>a<li>b<ul><li>u</ul><li>c</ol>", "3. a\n2. b\nu\n1. c"),
        ("<ol reversed start=10><li>a<li>b</ol>", "10. a\n9. b"),
        ("<ol><li>a<li value=7>b<li>c</ol>", "1. a\n7. b\n8. c"),
        ("<ol><li>a<ol type=I><li>b<li>c</ol></li><li>d</ol>", "1. a\nI. b\nII. c\n2. d"),
        ("<ul><li>a<ol><li>b</ol></ul>", "a\n1. b"),
        ("<ol style='list-style-type:lower-roman'><li>a<li type=A>b</ol>", "i. a\nB. b"),
        ("<ol style='list-style: none'><li>a</ol>", "a"),
        ("<ol start=x><li><p>a</p><p>b</p><li><b>c</b> d</ol>", "1. a\nb\n2. c d"),
        ("<ol><li></li><li> </li><li>c</ol>", "3. c"),
        ("<ol><li><pre>x\ny</pre></ol>", "1. x\ny"),
        ("<table><tr><td>k<td><ol><li>a<li>b</ol></table>", "k | 1. a 2. b"),
        ("<ol><li><img alt=tree> b</ol>", "1. tree b"),
        ("<li>alone", "alone"),
    ],
)
def test_items_of_an_ordered_list_of_a_page_have_the_numbers_that_it_shows(page, text):
    assert extract_html_text(page)[1] == text


# -- OpenDocument


def make_level(level, number_format, *, kind="number", **attributes):
    stated = "".join(f' style:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text:list-level-style-{kind} text:level="{level}" style:num-format="{number_format}"{stated}/>'


def make_list_style(name, *levels):
    return f'<text:list-style style:name="{name}">{"".join(levels)}</text:list-style>'


LISTS = "<office:automatic-styles>" + "".join(
    (
        make_list_style(
            "L",
            make_level(1, "1", num_suffix="."),
            make_level(2, "a", num_prefix="(", num_suffix=")"),
            make_level(3, "i", num_suffix=".").replace("/>", ' text:display-levels="3"/>'),
        ),
        make_list_style("B", make_level(1, "", kind="bullet"), make_level(2, "1", num_suffix=".")),
        make_list_style("S", make_level(1, "I").replace("/>", ' text:start-value="4"/>')),
        make_list_style("N", make_level(1, "")),
        make_list_style("F", make_level(1, "1", num_list_format="§ %1%:"), make_level(2, "1", num_list_format="%1%-%2%")),
    )
)
LISTS += "</office:automatic-styles>"


def make_item(text, inner="", **attributes):
    stated = "".join(f' text:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<text:list-item{stated}><text:p>{text}</text:p>{inner}</text:list-item>"


def make_list(style, *items, attributes=""):
    name = f' text:style-name="{style}"' if style else ""
    return f"<text:list{name}{attributes}>{''.join(items)}</text:list>"


DEEP = make_list(
    "L", make_item("a", make_list("", make_item("b", make_list("", make_item("c"))), make_item("d"))), make_item("e")
)
AGAIN = ' text:continue-numbering="true"'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (DEEP, "1. a\n(a) b\n1.a.i. c\n(b) d\n2. e"),
        (make_list("B", make_item("a", make_list("", make_item("b")))), "a\n1. b"),
        (make_list("S", make_item("a"), make_item("b")), "IV a\nV b"),
        (make_list("N", make_item("a")), "a"),
        (make_list("unknown", make_item("a")), "a"),
        (make_list("F", make_item("a", make_list("", make_item("b")))), "§ 1: a\n1-1 b"),
        (make_list("L", make_item("a"), make_item("b", start_value=9), make_item("c")), "1. a\n9. b\n10. c"),
        (make_list("L", "<text:list-header><text:p>h</text:p></text:list-header>", make_item("a")), "h\n1. a"),
        (make_list("L", make_item("a</text:p><text:p>more"), make_item("b")), "1. a\n\nmore\n2. b"),
        (make_list("L", make_item("a")) + make_list("L", make_item("b")), "1. a\n\n1. b"),
        (make_list("L", make_item("a")) + make_list("L", make_item("b"), attributes=AGAIN), "1. a\n\n2. b"),
        (
            make_list("L", make_item("a"), attributes=' xml:id="x"')
            + make_list("S", make_item("o"))
            + make_list("L", make_item("b"), attributes=' text:continue-list="x"'),
            "1. a\n\nIV o\n\n2. b",
        ),
        (make_list("L", "<text:list-item><text:p><text:number>7)</text:number>a</text:p></text:list-item>"), "7) a"),
    ],
)
def test_items_of_an_opendocument_list_have_their_numbers_in_the_text_in_a_box_and_in_a_cell(body, text):
    assert load_document(make_opendocument("text", body, LISTS), ".odt").text == text
    box = f"<text:p><draw:frame><draw:text-box>{body}</draw:text-box></draw:frame></text:p>"
    assert load_document(make_opendocument("text", box, LISTS), ".odt").text == text
    cell = f"<table:table><table:table-row><table:table-cell>{body}</table:table-cell></table:table-row></table:table>"
    assert load_document(make_opendocument("text", cell, LISTS), ".odt").text == " ".join(text.split())
    slide = f"<draw:page><draw:frame><draw:text-box>{body}</draw:text-box></draw:frame></draw:page>"
    assert load_document(make_opendocument("presentation", slide, LISTS), ".odp").text == text


@pytest.mark.parametrize(
    ("number_format", "label"),
    [("一, 二, 三, ...", "二"), ("①, ②, ③, ...", "②"), ("01, 02, 03, ...", "02"), ("А, Б, .., Аа, Аб, ... (ru)", "Б")],
)
def test_an_opendocument_list_is_numbered_in_its_script(number_format, label):
    style = f"<office:automatic-styles>{make_list_style('L', make_level(1, number_format))}</office:automatic-styles>"
    body = make_list("L", make_item("a"), make_item("b"))
    assert load_document(make_opendocument("text", body, style), ".odt").text.split("\n")[1] == f"{label} b"


OUTLINE = (
    '<office:styles><text:outline-style style:name="Outline">'
    '<text:outline-level-style text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>'
    '<text:outline-level-style text:level="3" style:num-format=""/></text:outline-style></office:styles>'
)


def make_heading(level, text, attributes=""):
    return f'<text:h text:outline-level="{level}"{attributes}>{text}</text:h>'


def test_headings_of_an_opendocument_text_have_their_numbers():
    body = (
        make_heading(1, "One")
        + make_heading(2, "Two")
        + make_heading(3, "Three")
        + make_heading(2, "Four")
        + make_heading(1, "None", ' text:is-list-header="true"')
        + make_heading(1, "Five")
        + make_heading(1, "Six", ' text:restart-numbering="true" text:start-value="9"')
        + make_heading(2, "Seven")
    )
    document = load_document(make_opendocument("text", body, "", shared=OUTLINE), ".odt")
    assert document.text.split("\n\n") == ["1. One", "1.1 Two", "Three", "1.2 Four", "None", "2. Five", "9. Six", "9.1 Seven"]
    assert document.sections[1].location == {"heading": ["1. One", "1.1 Two"]}


def test_headings_in_lists_have_the_numbers_of_the_list():
    def nest(heading, depth):
        for _ in range(depth):
            heading = f"<text:list-item>{heading}</text:list-item>"
            heading = make_list("", heading)
        return heading.replace("<text:list>", f'<text:list text:style-name="Outline"{AGAIN}>', 1)

    body = (
        nest(make_heading(1, "One"), 1)
        + "<text:p>x</text:p>"
        + nest(make_heading(2, "Two"), 2)
        + nest(make_heading(1, "Three"), 1)
    )
    document = load_document(make_opendocument("text", body, "", shared=OUTLINE), ".odt")
    assert document.text.split("\n\n") == ["1. One", "x", "1.1 Two", "2. Three"]


# -- Word


def make_word_level(depth, text, kind="decimal", extra=""):
    return f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>{extra}<w:lvlText w:val="{text}"/></w:lvl>'


def make_numbering(levels):
    """Make a list, and another one that takes its levels by the name of a style."""
    return (
        f'<w:numbering {W}><w:abstractNum w:abstractNumId="4"><w:styleLink w:val="Ours"/>{levels}</w:abstractNum>'
        '<w:abstractNum w:abstractNumId="5"><w:numStyleLink w:val="Ours"/></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="4"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="5"/></w:num></w:numbering>'
    )


def make_word_item(text, depth=0, number=1, mark=""):
    listed = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return p(text, properties=listed + (f"<w:rPr><w:{mark}/></w:rPr>" if mark else ""))


ARTICLES = make_word_level(0, "Article %1.", "upperRoman")


@pytest.mark.parametrize(
    ("levels", "items", "text"),
    [
        (ARTICLES + make_word_level(1, "%1.%2", extra="<w:isLgl/>"), [("a", 0), ("b", 1)], "Article I. a\n1.1 b"),
        (make_word_level(0, "第%1章", "chineseCountingThousand"), [("a", 0), ("b", 0)], "第一章 a\n第二章 b"),
        (ARTICLES + make_word_level(1, "%1.%2", extra='<w:isLgl w:val="0"/>'), [("a", 0), ("b", 1)], "Article I. a\nI.1 b"),
        (
            ARTICLES + make_word_level(1, "§ %2", extra='<w:lvlRestart w:val="0"/>') + make_word_level(2, "(%3)"),
            [("a", 0), ("b", 1), ("c", 2), ("d", 0), ("e", 1), ("f", 2)],
            "Article I. a\n§ 1 b\n(1) c\nArticle II. d\n§ 2 e\n(1) f",
        ),
        (
            ARTICLES + make_word_level(1, "%2)") + make_word_level(2, "(%3)", extra='<w:lvlRestart w:val="1"/>'),
            [("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 2), ("f", 0), ("g", 2)],
            "Article I. a\n1) b\n(1) c\n2) d\n(2) e\nArticle II. f\n(1) g",
        ),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_levels_of_word_begin_anew_and_show_others_as_they_say(levels, items, text, number):
    body = "".join(make_word_item(words, depth, number) for words, depth in items)
    assert load_document(make_docx(body, numbering=make_numbering(levels)), ".docx").text == text


def test_an_item_without_words_is_counted_and_one_whose_end_was_deleted_is_none():
    levels = make_word_level(0, "%1.")
    body = make_word_item("a") + make_word_item("") + make_word_item("c", mark="del") + make_word_item(" d") + make_word_item("e")
    assert load_document(make_docx(body, numbering=make_numbering(levels)), ".docx").text == "1. a\n3. c d\n4. e"


# -- PowerPoint


def make_paragraph(text, numbering="", level=0):
    return f'<a:p><a:pPr lvl="{level}">{numbering}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'


def number(scheme="arabicPeriod", start=""):
    return f'<a:buAutoNum type="{scheme}"' + (f' startAt="{start}"/>' if start else "/>")


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        (make_paragraph("a", number()) + make_paragraph("b", number()), "1. a\n2. b"),
        (make_paragraph("a", number("alphaUcParenR", 3)) + make_paragraph("b", number("alphaUcParenR", 3)), "C) a\nD) b"),
        (make_paragraph("a", number("romanLcParenBoth")), "(i) a"),
        (make_paragraph("a", number("arabicPlain")), "1 a"),
        (make_paragraph("a", number("circleNumDbPlain")), "1. a"),
        (
            make_paragraph("a", number()) + make_paragraph("b", number("alphaLcPeriod"), 1) + make_paragraph("c", number()),
            "1. a\na. b\n2. c",
        ),
        (make_paragraph("a", number()) + make_paragraph("b", level=1) + make_paragraph("c", number()), "1. a\nb\n2. c"),
        (make_paragraph("a", number()) + make_paragraph("b") + make_paragraph("c", number()), "1. a\nb\n1. c"),
        (make_paragraph("a", number()) + make_paragraph("") + make_paragraph("c", number()), "1. a\n2. c"),
        (
            f"<a:lstStyle><a:lvl1pPr>{number()}</a:lvl1pPr></a:lstStyle>"
            + make_paragraph("a")
            + make_paragraph("b", "<a:buNone/>")
            + make_paragraph("c"),
            "1. a\nb\n1. c",
        ),
    ],
)
def test_paragraphs_of_a_slide_have_the_numbers_that_it_shows(paragraphs, text):
    shape = f"<p:sp><p:txBody>{paragraphs}</p:txBody></p:sp>"
    assert load_document(make_pptx(shape), ".pptx").text == text
    cell = f"<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody>{paragraphs}</a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>"
    assert load_document(make_pptx(cell), ".pptx").text == " ".join(text.split())


# -- Word before 2007


def pack_level(start, kind, text, flags=0, limit=0):
    head = struct.pack("<iBB18xBBBx", start, kind, flags, 3, 2, limit)
    return head + bytes(5) + struct.pack("<H", len(text)) + text.encode("utf-16-le")


def pack_lists(*lists):
    """Pack lists, each an identifier and its levels: nine, or one."""
    heads = b"".join(struct.pack("<i22xBx", identifier, len(levels) == 1) for identifier, levels in lists)
    return struct.pack("<H", len(lists)) + heads + b"".join(level for _, levels in lists for level in levels)


def pack_uses(*uses):
    """Pack uses of lists, each an identifier and changes, which are bytes each."""
    heads = b"".join(struct.pack("<i8xB3x", identifier, len(changes)) for identifier, *changes in uses)
    return struct.pack("<I", len(uses)) + heads + b"".join(bytes(4) + b"".join(changes) for _, *changes in uses)


LEVELS = [pack_level(1, 0, "\0."), pack_level(1, 4, "(\1)"), pack_level(5, 2, "\0.\1.\2"), *[pack_level(1, 23, "\uf0b7")] * 6]


def test_lists_of_an_old_word_document_are_counted_on_each_level_and_by_each_use():
    restart, own = struct.pack("<iI", 7, 0x10), struct.pack("<iI", 0, 0x21) + pack_level(1, 1, "\1:")
    lists = read_lists(
        b"xx" + pack_lists((44, LEVELS), (55, [pack_level(3, 0, "\0)")])), 2, pack_uses((44,), (55,), (44, restart), (44, own))
    )
    asked = [(1, 0), (1, 1), (1, 1), (1, 2), (1, 3), (1, 0), (1, 1), (2, 0), (2, 0), (3, 0), (3, 0), (4, 1), (2, 1), (9, 0)]
    labels = [lists.format_next_label(str(number), level) for number, level in asked]
    assert labels == ["1.", "(a)", "(b)", "1.b.v", "", "2.", "(a)", "3)", "4)", "7.", "8.", "I:", "", ""]


def test_levels_of_an_old_word_document_begin_anew_and_show_others_as_they_say():
    levels = [
        pack_level(1, 1, "\0."),
        pack_level(1, 0, "\0.\1", 4),
        pack_level(1, 0, "(\2)", 8, 1),
        *[pack_level(1, 0, "\3")] * 6,
    ]
    lists = read_lists(pack_lists((44, levels)), 0, pack_uses((44,)))
    labels = [lists.format_next_label("1", level) for level in (0, 1, 2, 1, 2, 0, 2)]
    assert labels == ["I.", "1.1", "(1)", "1.2", "(2)", "II.", "(1)"]


def test_damaged_lists_cost_their_numbers_only():
    table, uses = pack_lists((44, LEVELS)), pack_uses((44,))
    for size in range(len(table)):
        assert read_lists(table[:size], 0, uses).format_next_label("1", 0) in ("", "1.")
    for size in range(len(uses)):
        assert read_lists(table, 0, uses[:size]).format_next_label("1", 0) in ("", "1.")


def test_a_paragraph_is_of_its_own_list_or_of_that_of_its_style():
    def pack_style(base, properties, *, kind=1):
        style = struct.pack("<HHHHH", 0x0FFF, kind | base << 4, 2, 0, 0) + struct.pack("<H2sH", 1, b"x\0", 0)
        style += struct.pack("<HH", 2 + len(properties), 0) + properties + b"\0" * (len(properties) % 2)
        return struct.pack("<H", len(style)) + style

    of_list, on_level = struct.pack("<HH", 0x460B, 3), struct.pack("<HB", 0x260A, 2)
    styles = [
        pack_style(0xFFF, of_list),
        pack_style(0, on_level),
        b"\0\0",
        pack_style(1, b""),
        pack_style(0xFFF, of_list, kind=2),
        pack_style(5, of_list),
    ]
    sheet = struct.pack("<HHH", 4, len(styles), 10) + b"".join(styles)
    places = parse_style_lists(sheet, parse_properties)
    assert places == [ListPlace(3, 0), ListPlace(3, 2), ListPlace(), ListPlace(3, 2), ListPlace(), ListPlace(3, 0)]
    assert read_list_place({0x460B: 0}, places[1]) == ListPlace(0, 2)
    assert read_list_place({0x460B: 0xF801, 0x260A: 12}, places[0]) == ListPlace(0, 8)


def test_an_old_word_document_has_the_numbers_of_the_same_one_in_the_new_format():
    def read_lines(suffix):
        lines = load_real_document(f"tika__testWORD_numbered_list{suffix}").text.split("\n")
        return list(filter(None, takewhile(lambda line: line != "Intervening paragraph", lines)))

    assert read_lines(".doc") == read_lines(".docx")
    assert {"1. Footnote list 1", "2. comment list 2", "1. Short"} <= set(
        load_real_document("tika__testWORD_numbered_list.doc").text.split("\n")
    )
