from __future__ import annotations

from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"


def make_pdf(*pages, info="", catalog="", extra=()):
    """Make a PDF of pages, each given as its lines of text; `extra` are objects with numbers from 100 on."""
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects = {
        1: f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        2: f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        4: f"<<{info}>>",
        **{100 + number: body for number, body in enumerate(extra)},
    }
    for number, lines in enumerate(pages):
        operators = "".join(f"({line})Tj 0 -20 Td " for line in lines)
        stream = f"BT /F1 12 Tf 50 700 Td {operators}ET"
        notes = "/Annots[100 0 R 101 0 R]" if extra and "Annot" in extra[0] else ""
        objects[10 + 2 * number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {11 + 2 * number} 0 R{notes}"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        objects[11 + 2 * number] = f"<</Length {len(stream)}>>stream\n{stream}\nendstream"
    body, places = "%PDF-1.7\n", {}
    for number, text in objects.items():
        places[number] = len(body)
        body += f"{number} 0 obj{text}endobj\n"
    table = "".join(f"{number} 1\n{place:010} 00000 n \n" for number, place in places.items())
    return (
        f"{body}xref\n0 1\n0000000000 65535 f \n{table}trailer<</Root 1 0 R/Info 4 0 R>>\nstartxref\n{len(body)}\n%%EOF".encode(
            "cp1252"
        )
    )


def load_items(data, **options):
    return list(load(RawFile("file.pdf", ".pdf", content=data, **options)))


def load_document(data, **options):
    (document,) = load_items(data, **options)
    assert isinstance(document, ParsedDocument)
    return document


def test_each_page_stands_apart_and_one_without_text_leaves_the_numbers_of_the_others():
    document = load_document(make_pdf(["first", "line"], [], ["third"]))
    assert document.text == "first\nline\n\nthird"
    assert [(document.text[section.start :][:5], section.location, section.hard_boundary) for section in document.sections] == [
        ("first", {"page": 1}, True),
        ("third", {"page": 3}, True),
    ]
    assert (document.title, document.metadata) == (None, {})


def test_what_a_pdf_states_about_itself_is_metadata():
    info = "/Title(A plan)/Author(Ann;Bo)/CreationDate(D:20240501134500+02'00')/ModDate(D:20240502)"
    document = load_document(make_pdf(["x"], info=info, catalog="/Lang(de-CH)"))
    assert document.title == "A plan"
    assert document.metadata == {
        "author": "Ann, Bo", "created": "2024-05-01T13:45:00+02:00", "modified": "2024-05-02", "language": "de-CH"
    }  # fmt: skip


@pytest.mark.parametrize(
    "info", ["/Title()/Author( )", "/Title(untitled)/Author((anonymous))", "/CreationDate(D:20249999)/ModDate(D:99)"]
)
def test_what_says_nothing_is_no_metadata(info):
    document = load_document(make_pdf(["x"], info=info))
    assert (document.title, document.metadata) == (None, {})


def test_a_word_parted_at_the_end_of_a_line_is_whole_and_keeps_a_hyphen_that_it_has_elsewhere():
    document = load_document(make_pdf(["the multi-agent way of poten-", "tially long words in a multi-", "agent world"]))
    assert document.text == "the multi-agent way of potentially long words in a multi-agent world"


def test_bookmarks_are_the_headings_of_what_stands_below_them():
    outlines = (
        "<</Type/Outlines/First 101 0 R/Last 102 0 R/Count 3>>",
        "<</Title(Intro)/Parent 100 0 R/Next 102 0 R/Dest[10 0 R/Fit]>>",
        "<</Title(Main part)/Parent 100 0 R/Prev 101 0 R/Dest[12 0 R/Fit]/First 103 0 R/Last 103 0 R/Count 1>>",
        "<</Title(Unseen)/Parent 102 0 R/Dest[14 0 R/Fit]>>",
    )
    pages = (["Contents", "Intro", "text"], ["still intro", "2.1 Main part", "more"], ["end"])
    document = load_document(make_pdf(*pages, catalog="/Outlines 100 0 R", extra=outlines))
    assert document.text == "Contents\n\nIntro\n\ntext\n\nstill intro\n\n2.1 Main part\n\nmore\n\nend"
    assert [
        (document.text[section.start :].split("\n")[0], section.location, section.context, section.split_priority)
        for section in document.sections
    ] == [
        ("Contents", {"page": 1}, "", None),
        ("Intro", {"page": 1, "heading": ["Intro"]}, "", 1),
        ("text", {"page": 1, "heading": ["Intro"]}, "Intro", None),
        ("still intro", {"page": 2, "heading": ["Intro"]}, "Intro", None),
        ("2.1 Main part", {"page": 2, "heading": ["2.1 Main part"]}, "", 1),
        ("more", {"page": 2, "heading": ["2.1 Main part"]}, "2.1 Main part", None),
        ("end", {"page": 3, "heading": ["2.1 Main part", "Unseen"]}, "2.1 Main part › Unseen", None),
    ]


def test_bookmarks_that_go_in_a_circle_cost_nothing():
    circle = ("<</First 101 0 R/Last 101 0 R>>", "<</Title(A)/Parent 100 0 R/Next 101 0 R/First 101 0 R/Dest[10 0 R/Fit]>>")
    assert load_document(make_pdf(["text"], catalog="/Outlines 100 0 R", extra=circle)).text == "text"


def test_comments_and_filled_fields_follow_their_page():
    notes = (
        "<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(a comment)>>",
        "<</Type/Annot/Subtype/Widget/FT/Tx/T(Name)/V(Ann)/Rect[0 0 9 9]>>",
    )
    assert load_document(make_pdf(["words"], extra=notes)).text == "words\n\na comment\nName: Ann"


def test_pages_without_text_and_pictures_are_empty():
    with pytest.raises(EmptyFileError, match="no text: empty pages, or drawings"):
        load_items(make_pdf([], []))


def test_a_page_that_cannot_be_read_costs_no_other():
    data = make_pdf(["one"], ["two"], ["three"]).replace(b"12 0 obj<</Type/Page/", b"12 0 obj<</Type/Wrong")
    problem, document = load_items(data)
    assert isinstance(problem, ParseWarning)
    assert problem.message.startswith("page 2: ")
    assert [section.location for section in document.sections] == [{"page": 1}, {"page": 3}]


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.4\n" + bytes(range(256)) * 9, make_pdf(["x"])[:120]])
def test_a_damaged_pdf_says_so(data):
    with pytest.raises(UnreadableFileError, match="a PDF is damaged"):
        load_items(data)


def test_an_empty_file_says_so():
    with pytest.raises(EmptyFileError, match="the file is empty"):
        load_items(b"")


def test_a_pdf_is_read_under_any_name():
    document = next(iter(load(RawFile("file.txt", ".txt", content=make_pdf(["words"])))))
    assert isinstance(document, ParsedDocument) and document.text == "words"


# -- real files


def read_real_file(name):
    for folder in ("good", "bad"):
        if (path := DATA / folder / name).exists():
            return path
    return pytest.skip("the real files of ../shared/data/files are not there")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("pdfminer__rc4-40.pdf", "foo"),
        ("pdfminer__aes-128.pdf", "foo"),
        ("pdfminer__aes-256-r6.pdf", "usersecret"),
        ("tika__testPassword4Spaces.pdf", "    "),
    ],
)
def test_an_encrypted_pdf_opens_with_its_password_only(name, password):
    data = read_real_file(name).read_bytes()
    assert load_document(data, passwords=("wrong", password)).text
    with pytest.raises(EncryptedFileError, match="give its password"):
        load_items(data)
    with pytest.raises(EncryptedFileError, match="none of the passwords"):
        load_items(data, passwords=("wrong",))


def test_a_pdf_with_an_empty_password_needs_none():
    assert "pdf encryption test" in load_document(read_real_file("pypdf__r6-empty-password.pdf").read_bytes()).text


def test_words_of_a_real_paper_are_whole():
    text = load_document(read_real_file("markitdown__test.pdf").read_bytes()).text
    for words in ("confirming its general feasibility", "seek reasoning, observations", "potentially backed by LLMs"):
        assert words in text
