"""Parts of Word documents beside plain paragraphs: files in the place of blocks, form fields, drop caps, a second body, pages."""

import pytest

from tests.documents.test_office import STYLES, R, W, load_document, load_items, make_docx, make_relations, p, row
from vecsearch.core.parsed import ParsedDocument, ParseWarning

CHUNK = '<w:altChunk r:id="{}"/>'


def make_docx_with_chunk(name, content, body=None):
    body = p("Before") + CHUNK.format("aFChunk") + p("After") if body is None else body
    relations = make_relations(aFChunk=name)
    return make_docx(body, parts={f"word/{name}": content, "word/_rels/document.xml.rels": relations})


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("c.html", "<h1>Findings</h1><p>Safe &amp; sound.</p>", "Findings\n\nSafe & sound."),
        ("c.xhtml", "<html><body><ul><li>one</li><li>two</li></ul></body></html>", "one\ntwo"),
        ("c.txt", "Plain words.", "Plain words."),
        ("c.rtf", r"{\rtf1\ansi Rich words.}", "Rich words."),
        ("c.docx", make_docx(p("Inner") + "<w:tbl>" + row("a", "b") + row("c", "d") + "</w:tbl>"), "Inner\n\na; b\nc; d"),
    ],
)
def test_a_file_in_the_place_of_a_block_is_read_there(name, content, text):
    assert load_document(make_docx_with_chunk(name, content), ".docx").text == f"Before\n\n{text}\n\nAfter"


def test_headings_of_a_file_inside_stand_above_what_follows():
    document = load_document(make_docx_with_chunk("c.html", "<h1>One</h1><p>x</p><h2>Two</h2><p>y</p>"), ".docx")
    places = [(document.text[section.start :].split("\n")[0], section.location.get("heading")) for section in document.sections]
    assert places == [("Before", None), ("One", ["One"]), ("x", ["One"]), ("Two", ["One", "Two"]), ("y", ["One", "Two"])]


def test_a_file_in_a_cell_and_in_a_header_is_read_once():
    body = f"<w:tbl><w:tr><w:tc>{p('k')}</w:tc><w:tc>{CHUNK.format('aFChunk')}</w:tc></w:tr></w:tbl>" + CHUNK.format("aFChunk")
    assert load_document(make_docx_with_chunk("c.html", "<p>v</p>", body), ".docx").text == "k; v"
    parts = {
        "word/header.xml": f"<w:hdr {W} {R}>{CHUNK.format('aFChunk')}</w:hdr>",
        "word/_rels/header.xml.rels": make_relations(aFChunk="h.txt"),
        "word/h.txt": "On all pages",
    }
    document = load_document(make_docx(p("Body"), parts=parts, header=parts["word/header.xml"]), ".docx")
    assert document.text == "Body\n\nOn all pages"


def test_a_file_inside_that_cannot_be_read_is_told_and_costs_nothing_else():
    warning, document = load_items(make_docx_with_chunk("c.docx", b"PK\3\4 no zip"), ".docx")
    assert isinstance(warning, ParseWarning)
    assert "word/c.docx" in warning.message
    assert document.text == "Before\n\nAfter"


def test_documents_inside_each_other_end_somewhere():
    data = make_docx(p("level 0"))
    for level in range(1, 6):
        data = make_docx_with_chunk("c.docx", data, p(f"level {level}") + CHUNK.format("aFChunk"))
    *warnings, document = load_items(data, ".docx")
    assert document.text == "level 5\n\nlevel 4\n\nlevel 3"
    assert len(warnings) == 1
    assert "too deep" in warnings[0].message


# -- form fields


def make_field(data, shown=""):
    separate = f'<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{shown}</w:t></w:r>' if shown else ""
    return (
        f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'
        f'<w:r><w:instrText> FORM </w:instrText></w:r>{separate}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


CITIES = '<w:listEntry w:val="Oslo"/><w:listEntry w:val="Bergen"/>'


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (make_field("<w:checkBox><w:checked/></w:checkBox>"), "☒"),
        (make_field('<w:checkBox><w:default w:val="1"/></w:checkBox>'), "☒"),
        (make_field('<w:checkBox><w:default w:val="1"/><w:checked w:val="0"/></w:checkBox>'), "☐"),
        (make_field("<w:checkBox/>"), "☐"),
        (make_field(f'<w:ddList><w:result w:val="1"/>{CITIES}</w:ddList>'), "Bergen"),
        (make_field(f'<w:ddList><w:default w:val="1"/>{CITIES}</w:ddList>'), "Bergen"),
        (make_field(f"<w:ddList>{CITIES}</w:ddList>"), "Oslo"),
        (make_field(f'<w:ddList><w:result w:val="7"/>{CITIES}</w:ddList>'), ""),
        (make_field(f'<w:ddList><w:result w:val="1"/>{CITIES}</w:ddList>', "Bergen"), "Bergen"),
        (make_field("<w:textInput/>", "Anna"), "Anna"),
    ],
)
def test_a_form_field_shows_its_value_in_a_paragraph_and_in_a_cell(field, text):
    paragraph = f"<w:p><w:r><w:t>(</w:t></w:r>{field}<w:r><w:t>)</w:t></w:r></w:p>"
    table = f"<w:tbl><w:tr><w:tc>{p('k')}</w:tc><w:tc>{paragraph}</w:tc></w:tr></w:tbl>"
    assert load_document(make_docx(paragraph + table), ".docx").text == f"({text})\n\nk; ({text})"


# -- drop caps, bodies, pages


DROP = '<w:framePr w:dropCap="drop" w:lines="3"/>'


def test_a_drop_cap_is_the_first_letter_of_its_paragraph():
    body = (
        p("D", properties=DROP) + p("rop cap.") + p("E", properties=DROP.replace('"drop"', '"margin"')) + p("nd", "berschrift1")
    )
    document = load_document(make_docx(body + p("in a frame", properties="<w:framePr/>"), styles=STYLES), ".docx")
    assert document.text == "Drop cap.\n\nEnd\n\nin a frame"
    assert document.title == "End"


def test_a_drop_cap_without_a_paragraph_is_not_lost():
    assert load_document(make_docx(p("a") + p("D", properties=DROP)), ".docx").text == "a\n\nD"


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next():
    deleted = "<w:rPr><w:del/></w:rPr>"
    body = p("First ", properties=deleted) + p("half, ", properties=deleted) + p("and the rest.") + p("a", properties=deleted)
    assert load_document(make_docx(body + f"<w:tbl>{row('x', 'y')}</w:tbl>"), ".docx").text == (
        "First half, and the rest.\n\na\n\nx; y"
    )


def test_a_second_body_is_read():
    document = load_document(make_docx(p("one") + "</w:body><w:body>" + p("two")), ".docx")
    assert document.text == "one\n\ntwo"


BREAK = "<w:r><w:lastRenderedPageBreak/></w:r>"


def list_pages(document):
    ends = [section.start for section in document.sections[1:]] + [len(document.text)]
    return [
        (s.location.get("page"), document.text[s.start : end].strip()) for s, end in zip(document.sections, ends, strict=True)
    ]


def make_text(text, *, before="", after=""):
    return f"<w:p>{before}<w:r><w:t>{text}</w:t></w:r>{after}</w:p>"


def test_pages_are_those_that_word_laid_out():
    body = (
        make_text("a") + make_text("b", before=BREAK) + make_text("c", after=BREAK + "<w:r><w:t>c2</w:t></w:r>") + make_text("d")
    )
    assert list_pages(load_document(make_docx(body), ".docx")) == [(1, "a"), (2, "b\n\ncc2"), (3, "d")]
    heading = make_text("Head", before='<w:pPr><w:pStyle w:val="berschrift1"/></w:pPr>' + BREAK)
    document = load_document(make_docx(make_text("a") + heading + make_text("b"), styles=STYLES), ".docx")
    assert [section.location for section in document.sections] == [
        {"page": 1},
        {"page": 2, "heading": ["Head"]},
        {"page": 2, "heading": ["Head"]},
    ]


def test_rows_of_a_table_stand_on_their_page():
    def make_row(*cells):
        return "<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>"

    rows = (
        make_row(make_text("Name"), make_text("City"))
        + make_row(make_text("Anna"), make_text("Oslo"))
        + make_row(make_text("Ben", before=BREAK), make_text("Rome"))
        + make_row(make_text("Cleo", after=BREAK), make_text("Pisa", after=BREAK))
        + make_row(make_text("Dan"), make_text("Graz"))
    )
    document = load_document(make_docx(f"<w:tbl>{rows}</w:tbl>" + make_text("after")), ".docx")
    names = ("Anna", "Ben", "Cleo", "Dan", "after")
    assert [(page, [name for name in names if name in text]) for page, text in list_pages(document)] == [
        (1, ["Anna"]),
        (2, ["Ben", "Cleo"]),
        (3, ["Dan"]),
        (3, ["after"]),
    ]
    assert "\f" not in document.text


def test_a_document_that_was_never_laid_out_has_no_pages_and_margins_have_none():
    assert load_document(make_docx(p("a")), ".docx").sections == ()
    header = f"<w:hdr {W}>{p('On all pages')}</w:hdr>"
    document = load_document(make_docx(make_text("a") + make_text("b", before=BREAK), header=header), ".docx")
    assert list_pages(document) == [(1, "a"), (2, "b"), (None, "On all pages")]


def test_every_word_is_found_once_and_in_order_wherever_pages_begin():
    body = "".join(make_text(f"w{n}", before=BREAK * (n % 3), after=BREAK * (n % 2)) for n in range(40))
    document = load_document(make_docx(body), ".docx")
    assert isinstance(document, ParsedDocument)
    assert document.text.split() == [f"w{n}" for n in range(40)]
    pages = [page for page, _ in list_pages(document)]
    assert pages == sorted(pages)


def test_letters_that_are_drawn_are_read():
    drawn = '<w:r><w:pict><v:shape xmlns:v="v"><v:textpath string="DRAFT &amp; more"/></v:shape></w:pict></w:r>'
    header = f"<w:hdr {W}><w:p>{drawn}</w:p></w:hdr>"
    assert load_document(make_docx(p("a") + f"<w:p>{drawn}</w:p>" + p("b"), header=header), ".docx").text == (
        "a\n\nDRAFT & more\n\nb\n\nDRAFT & more"
    )


# -- formulas


def make_math_run(text):
    return f"<m:r><m:t>{text}</m:t></m:r>"


HALF = f"<m:f><m:num>{make_math_run('1')}</m:num><m:den>{make_math_run('2')}</m:den></m:f>"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (make_math_run("2") + HALF, "2 1/2"),
        (make_math_run("1") + make_math_run("0"), "10"),
        (
            "<m:m><m:mPr/>" + "".join(f"<m:mr><m:e>{make_math_run(n)}</m:e><m:e>{make_math_run('0')}</m:e></m:mr>" for n in "12"),
            "1 0; 2 0",
        ),
    ],
)
def test_numbers_in_a_formula_stay_apart_and_whole(formula, text):
    formula += "</m:m>" if formula.startswith("<m:m>") else ""
    body = f'<w:p><m:oMath xmlns:m="math">{formula}</m:oMath></w:p>'
    assert load_document(make_docx(body), ".docx").text == text
