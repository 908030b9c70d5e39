"""Fields of Word show what a reader sees: a sign that their code names, and nothing of what they are made of."""

import pytest

from tests.documents.kinds.word_files import Run, make_doc
from tests.documents.test_office import load_document, make_docx


def make_run(content):
    return f"<w:r>{content}</w:r>"


def make_field(code, shown=None):
    """Make a field of a code, a text or another field's XML, and of what it shows."""
    inner = code if code.startswith("<") else make_run(f"<w:instrText>{code}</w:instrText>")
    result = "" if shown is None else make_run('<w:fldChar w:fldCharType="separate"/>') + make_run(f"<w:t>{shown}</w:t>")
    end = make_run('<w:fldChar w:fldCharType="end"/>')
    return make_run('<w:fldChar w:fldCharType="begin"/>') + inner + result + end


def make_old_field(code, shown=None):
    return f"\x13{code}" + ("" if shown is None else f"\x14{shown}") + "\x15"


SIGNS = [
    (' SYMBOL 109 \\f "Symbol" \\s 12 ', "μ"),
    ("SYMBOL 0x6D \\f Symbol", "μ"),
    ("symbol 61472 \\f Wingdings", " "),
    ('SYMBOL 224 \\f "Wingdings" \\h', "→"),
    ('SYMBOL 150 \\a \\f "Times New Roman"', "–"),
    ("SYMBOL 8364 \\u", "€"),
]


@pytest.mark.parametrize("shown", [None, "", "m"])
@pytest.mark.parametrize(("code", "sign"), SIGNS)
def test_a_sign_is_the_one_that_its_field_names(code, sign, shown):
    body = f"<w:p>{make_run('<w:t>5</w:t>')}{make_field(code, shown)}{make_run('<w:t>g</w:t>')}</w:p>"
    assert load_document(make_docx(body), ".docx").text == f"5{sign}g"
    for old in (False, True):
        data = make_doc([Run(f"5{make_old_field(code, shown)}g\r".encode("cp1252"))], old=old)
        assert load_document(data, ".doc").text == f"5{sign}g"


def test_a_simple_field_shows_its_sign_and_any_other_its_text():
    sign, date = '<w:fldSimple w:instr="SYMBOL 183 \\f Symbol"/>', '<w:fldSimple w:instr="DATE">{}</w:fldSimple>'
    body = f"<w:p>{sign}{date.format(make_run('<w:t> today</w:t>'))}</w:p>"
    assert load_document(make_docx(body), ".docx").text == "• today"


def test_what_a_field_inside_anothers_code_shows_is_no_part_of_the_text():
    inner, condition = make_field("MERGEFIELD sum", "nested"), make_run("<w:instrText>IF </w:instrText>")
    body = f"<w:p>{make_run('<w:t>Pay </w:t>')}{make_field(condition + inner, 'now')}</w:p>"
    assert load_document(make_docx(body), ".docx").text == "Pay now"
    old = make_doc([Run(f"Pay {make_old_field('IF ' + make_old_field('MERGEFIELD sum', 'nested'), 'now')}\r".encode())])
    assert load_document(old, ".doc").text == "Pay now"


def test_what_fields_inside_each_other_show_is_read_and_marks_without_a_partner_cost_nothing():
    shown = make_field("HYPERLINK x", "see ").replace("</w:t></w:r>", "</w:t></w:r>" + make_field("PAGE", "5"))
    stray = make_run('<w:fldChar w:fldCharType="end"/>') + make_run('<w:fldChar w:fldCharType="begin"/>')
    body = f"<w:p>{shown}{stray}{make_run('<w:t>, on</w:t>')}</w:p><w:p>{make_run('<w:t>and on</w:t>')}</w:p>"
    assert load_document(make_docx(body), ".docx").text == "see 5, on\n\nand on"
