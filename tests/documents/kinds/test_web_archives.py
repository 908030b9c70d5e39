"""Mail and web pages kept as mail (MHTML, emlx, maildir, mailboxes): the bytes decide, whatever the name says."""

from __future__ import annotations

import base64
import io
import quopri
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

PAGE = (
    "<!DOCTYPE html><html><head><title>Bridge page</title></head><body><h1>Marü</h1><p>The old bridge closes.</p></body></html>"
)
SAVED = "From: <Saved by Blink>\nSnapshot-Content-Location: https://example.org/\nSubject: Bridge page"
MAIL = "From: a@x.org\nTo: b@x.org\nSubject: Hi\nDate: Tue, 5 Mar 2024 10:00:00 +0000\n\nbody words\n"
PICTURE = b"Content-Type: image/png\nContent-Location: a.png\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(
    bytes(2_000)
)


def load_items(data, suffix):
    return list(load(RawFile("file", suffix, content=data if isinstance(data, bytes) else data.encode())))


def make_html_part(page, *, charset="utf-8", encoding="quoted-printable", place="https://example.org/a.html", extra=""):
    body = page.encode(charset)
    if encoding != "8bit":
        body = quopri.encodestring(body) if encoding == "quoted-printable" else base64.encodebytes(body)
    head = (
        f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: {encoding}\nContent-Location: {place}\n{extra}\n"
    )
    return head.encode() + body


def make_archive(*parts, head=SAVED, kind='related; type="text/html"'):
    begin = f'{head}\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="--B"\n\n'.encode()
    return begin + b"".join(b"----B\n" + part + b"\n" for part in parts) + b"----B--\n"


@pytest.mark.parametrize("suffix", [".mhtml", ".mht", ".doc", ".xls", ".html", ".txt", ".eml", "", ".bak"])
def test_a_saved_page_is_a_page_whatever_its_name(suffix):
    (document,) = load_items(make_archive(make_html_part(PAGE), PICTURE), suffix)
    assert (document.title, document.text) == ("Bridge page", "Marü\n\nThe old bridge closes.")
    assert document.sections[-1].location == {"heading": ["Marü"]}


CHARSETS = [("utf-8", "Marü"), ("windows-1251", "Мост"), ("shift_jis", "橋"), ("iso-2022-jp", "橋")]


@pytest.mark.parametrize(
    ("charset", "word", "encoding"),
    [(charset, word, encoding) for charset, word in CHARSETS for encoding in ("quoted-printable", "base64", "8bit")]
    + [("utf-16", "Marü", "quoted-printable"), ("utf-16", "Marü", "base64")],
)
def test_a_page_is_read_in_its_encodings(charset, word, encoding):
    (document,) = load_items(make_archive(make_html_part(f"<p>{word}", charset=charset, encoding=encoding)), ".mht")
    assert document.text == word


@pytest.mark.parametrize(
    "head",
    [
        "From: <Saved by Microsoft Internet Explorer 5>\nSubject: Bridge page\nDate: Tue, 5 Mar 2024 10:00:00 +0000",
        "X-Generator: some program",  # as Word begins
        "Date: Tue, 5 Mar 2024 10:00:00 +0000\nMessage-ID: <1.2@wiki>\nSubject: Exported From A Wiki",
    ],
)
def test_the_archives_of_many_programs_are_known(head):
    (document,) = load_items(make_archive(make_html_part(PAGE), head=head), ".doc")
    assert (document.title, document.text) == ("Bridge page", "Marü\n\nThe old bridge closes.")


def test_a_page_in_one_part_and_one_after_a_mark_and_a_blank_line_are_read():
    single = b"\xef\xbb\xbf\r\nMIME-Version: 1.0\r\nSubject: Single\r\n" + make_html_part("<p>words").replace(b"\n", b"\r\n")
    (document,) = load_items(single, ".mht")
    assert (document.title, document.text) == ("Single", "words")


def test_what_stands_in_frames_follows_with_the_name_of_its_file():
    frame = make_html_part("<h2>Sheet</h2><p>cell", place="file:///C:/a_files/sheet%20001.htm")
    (document,) = load_items(make_archive(make_html_part(PAGE), frame), ".mht")
    assert document.text == "Marü\n\nThe old bridge closes.\n\nSheet\n\ncell"
    section = document.sections[-1]
    assert section.location == {"member": "sheet 001.htm", "heading": ["Sheet"]}
    assert document.text[section.start :] == "cell"


def test_the_part_that_a_header_names_is_the_page():
    main = make_html_part("<p>main", extra="Content-ID: <m@x>\n")
    (document,) = load_items(make_archive(make_html_part("<p>menu"), main, kind='related; start="<m@x>"'), ".mht")
    assert document.text == "main\n\nmenu"


def test_a_mail_with_pictures_in_its_page_stays_a_mail():
    head = "From: a@x.org\nTo: b@x.org\nSubject: Letter"
    (document,) = load_items(make_archive(make_html_part(PAGE, place="x"), PICTURE, head=head), ".eml")
    assert (document.title, document.metadata["author"]) == ("Letter", "a@x.org")


@given(words=st.lists(st.text(alphabet="abcü橋", min_size=1, max_size=8), min_size=1, max_size=6))
def test_each_paragraph_of_a_page_comes_back_once_in_its_place(words):
    page = "".join(f"<p>{number}{word}</p>" for number, word in enumerate(words))
    (document,) = load_items(make_archive(make_html_part(page)), ".mhtml")
    assert document.text == "\n\n".join(f"{number}{word}" for number, word in enumerate(words))


# -- pages and mail under other names


@pytest.mark.parametrize(
    "data",
    [
        PAGE,
        f"<!-- saved from url=(0014)about:internet -->\n{PAGE}",
        f"<?xml version='1.0'?>\n{PAGE}".replace("<!DOCTYPE html>", ""),
        PAGE.encode("utf-16"),
        f"\ufeff\n{PAGE}",
    ],
)
@pytest.mark.parametrize("suffix", [".doc", ".xls", ".rtf"])
def test_a_page_under_the_name_of_an_office_document_is_a_page(data, suffix):
    (document,) = load_items(data, suffix)
    assert (document.title, document.text) == ("Bridge page", "Marü\n\nThe old bridge closes.")


def test_xml_under_the_name_of_an_office_document_is_read_as_such():
    data = "<?xml version='1.0'?><?mso-application progid='Word.Document'?><w:doc xmlns:w='x'><w:p>words</w:p></w:doc>"
    assert [document.text for document in load_items(data, ".doc")] == ["words"]


@pytest.mark.parametrize("suffix", [".emlx", ".txt", ".eml", ""])
def test_a_message_of_apple_s_program_is_read_without_its_notes(suffix):
    (document,) = load_items(f"{len(MAIL)}      \n{MAIL}<?xml version='1.0'?><plist><dict/></plist>", suffix)
    assert (document.title, document.text) == ("Hi", "body words")


@pytest.mark.parametrize("suffix", [".host:2,s", "", ".0", ".r1"])
@pytest.mark.parametrize("head", ["", "Return-Path: <a@x.org>\nReceived: from y\n\tby z\n", "Delivered-To: b@x.org\n"])
def test_a_message_of_a_maildir_is_a_mail(suffix, head):
    (document,) = load_items(head + MAIL, suffix)
    assert (document.title, document.text, document.metadata["to"]) == ("Hi", "body words", "b@x.org")


@pytest.mark.parametrize("suffix", ["", ".txt", ".mbox", ".bak"])
def test_a_mailbox_is_one_whatever_its_name(suffix):
    items = load_items(f"From - Mon Jul 20 01:01:07 2015\n{MAIL}\n" * 2, suffix)
    assert [(item.id, item.sections[0].location) for item in items] == [("file!1", {"message": 1}), ("file!2", {"message": 2})]


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        (f"From {'a' * 40} Mon Sep 17 00:00:00 2001\n{MAIL}---\n+x\n", ".patch"),
        (MAIL, ".txt"),  # a note: nothing in it says that it is more
        ("Title: x\nFrom: here\n\nwords\n", ""),
        ("From: a@x.org\nto be continued\n\nwords\n", ""),
        ("Metadata-Version: 2.1\nName: x\nVersion: 1\n\nwords\n", ""),
        ("From Monday on, all is well.\n", ""),
        ("12\n24\n36\n", ""),
        ("MIME-Version: 1.0\nis a header, they say\n", ".txt"),
    ],
)
def test_a_text_that_only_begins_like_mail_stays_a_text(text, suffix):
    (document,) = load_items(text, suffix)
    assert (document.text, document.title) == (text, None)


def test_pages_and_mail_in_an_archive_are_read_alike():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("a.mhtml", make_archive(make_html_part(PAGE), make_html_part("<p>framed", place="x/f.htm")))
        target.writestr("cur/1.host:2,S", MAIL)
    page, mail = load_items(file.getvalue(), ".zip")
    assert isinstance(page, ParsedDocument)
    assert (page.id, page.title, page.sections[-1].location) == ("file!a.mhtml", "Bridge page", {"member": "a.mhtml/f.htm"})
    assert (mail.id, mail.title, mail.sections[0].location) == ("file!cur/1.host:2,S", "Hi", {"member": "cur/1.host:2,S"})


@pytest.mark.parametrize("suffix", [".doc", ".xls", ".rtf", ".docx"])
@pytest.mark.parametrize(
    "page",
    [
        "<table border=1><tr><td>Anna<td>Oslo</table>",
        "<body><p>Anna | Oslo</body>",
        "<!-- by hand --><TITLE>x</TITLE><p>Anna | Oslo",
        "<style>td {color: red}</style><div>Anna | Oslo</div>",
        "\ufeff<meta charset=utf-8><center>Anna | Oslo</center>",
    ],
)
def test_a_page_under_an_offices_name_is_read_as_one_however_it_begins(page, suffix):
    (document,) = load(RawFile("file", suffix, content=page.encode()))
    assert isinstance(document, ParsedDocument)
    assert document.text == "Anna | Oslo"


@pytest.mark.parametrize("text", ["<Anna> to Oslo", "<p-value> below", "a <table>"])
def test_a_text_under_an_offices_name_is_no_page_for_a_bracket(text):
    (document,) = load(RawFile("file", ".doc", content=text.encode()))
    assert isinstance(document, ParsedDocument)
    assert document.text == text
