"""Messages of Outlook that are not Unicode, and bodies of every form: no text is lost, and no fault costs more than itself."""

from __future__ import annotations

import struct
from datetime import datetime

import pytest
from compressed_rtf import compress  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.kinds.outlook_files import BINARY, LONG, STRING_8, TIME, UNICODE, make_container, make_message
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.code_pages import get_code_page_codec, get_language_code_page
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.mail.compressed_rtf import decompress_rtf
from vecsearch.documents.loaders.raw_file import RawFile

CLASS, SUBJECT, BODY, RTF, HTML, SENDER, ADDRESS = 0x1A, 0x37, 0x1000, 0x1009, 0x1013, 0x0C1A, 0x0C1F
NAME, RECIPIENT, DATA, HEADERS = 0x3707, 0x3001, 0x3701, 0x7D
CODE_PAGE, INTERNET_CODE_PAGE, LANGUAGE = 0x3FFD, 0x3FDE, 0x3FF1


def load_items(*storages, **options):
    return list(load(RawFile("file", ".msg", content=make_container(make_message(*storages, **options)))))


def make_attachment(name, data, *others, kind=UNICODE, codec="utf-16-le"):
    properties = {(NAME, kind): name.encode(codec), **({(DATA, BINARY): data} if data is not None else {})}
    return "__attach_version1.0_#00000000", make_message(properties, *others, header=8)


TEXTS = [
    (1251, "cp1251", "Привет, мост закрыт", 0x419),
    (932, "cp932", "橋の報告書です", 0x411),
    (950, "big5", "格式測試 報告", 0x404),
    (936, "gbk", "桥梁报告", 0x804),
    (949, "cp949", "다리 보고서", 0x412),
    (1250, "cp1250", "Żółta łódź", 0x415),
    (1252, "cp1252", "déjà vu", 0x40C),
    (1253, "cp1253", "Παλιά γέφυρα", 0x408),
    (1254, "cp1254", "Işık köprüsü", 0x41F),
    (1255, "cp1255", "גשר ישן", 0x40D),
    (1256, "cp1256", "جسر قديم", 0x401),
    (1257, "cp1257", "Ķīšezers", 0x426),
    (874, "cp874", "สะพานเก่า", 0x41E),
]


@pytest.mark.parametrize("key", ["message", "internet", "language"])
@pytest.mark.parametrize(("page", "codec", "text", "language"), TEXTS)
def test_texts_are_read_in_the_code_page_of_the_message_everywhere(page, codec, text, language, key):
    number, value = {"message": (CODE_PAGE, page), "internet": (INTERNET_CODE_PAGE, page), "language": (LANGUAGE, language)}[key]
    data = text.encode(codec)
    properties = {(SUBJECT, STRING_8): data, (BODY, STRING_8): data + b"\r\n\0", (SENDER, STRING_8): data, (number, LONG): value}
    recipient = ("__recip_version1.0_#00000000", make_message({(RECIPIENT, STRING_8): data}, header=8))
    attachment = make_attachment(f"{text}.txt", b"attached words", kind=STRING_8, codec=codec)
    mail, attached = load_items(properties, recipient, attachment)
    assert (mail.title, mail.text) == (text, f"{text}\n\nattachment: {text}.txt")
    assert (mail.metadata["author"], mail.metadata["to"]) == (text, text)
    assert (attached.id, attached.text, attached.sections[0].location) == (
        f"file!{text}.txt", "attached words", {"member": f"{text}.txt", "lines": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "codec"), [(1252, "cp1251"), (0, "cp1251"), (1252, "utf-8"), (1251, "utf-8"), (65001, "cp1251"), (12345, "cp1251")]
)
def test_a_code_page_that_is_wrong_or_missing_is_told_from_the_bytes(stated, codec):
    text = "Старый мост через реку закрыт до весны, потому что его опоры повреждены льдом. Движение идёт по новой дороге."
    properties = {(SUBJECT, STRING_8): "Мост".encode(codec), (BODY, STRING_8): text.encode(codec), (CODE_PAGE, LONG): stated}
    (mail,) = load_items(properties)
    assert (mail.title, mail.text) == ("Мост", text)


@pytest.mark.parametrize("page", [1252, 28591, 20127, 0, 65001])
def test_a_western_message_is_read_as_such(page):
    properties = {(SUBJECT, STRING_8): "Café déjà vu".encode("cp1252"), (BODY, STRING_8): b"\x93Ja\x94", (CODE_PAGE, LONG): page}
    (mail,) = load_items(properties)
    assert (mail.title, mail.text) == ("Café déjà vu", "“Ja”")


def test_broken_texts_cost_no_other():
    properties = {(SUBJECT, STRING_8): b"\xae\xe6\xa6\xff", (BODY, STRING_8): "格式測試".encode("big5"), (CODE_PAGE, LONG): 950}
    assert "格式測試" in load_items(properties)[0].text


@pytest.mark.parametrize("number", [1250, 932, 28592, 28605, 20866, 50220, 10007, 65001, 54936])
def test_code_pages_are_known_by_their_numbers(number):
    assert get_code_page_codec(number) is not None


def test_what_is_no_code_page_has_no_codec():
    assert [get_code_page_codec(number) for number in (0, 1, 28602, 2**32 - 1)] == [None] * 4
    assert [get_language_code_page(number) for number in (0x404, 0x804, 0x409, 0xFFFF)] == [950, 936, 1252, 1252]


# -- bodies


def make_rtf(text):
    return b"{\\rtf1\\ansi " + text + b"\\par}"


def encode(text):
    return text.encode("utf-16-le")


@pytest.mark.parametrize(
    "rtf",
    [
        b"", b"\0" * 10, compress(b"{\\rtf1\\ansi\\par}"), compress(b"{\\rtf1\\ansi\\par}", compressed=False), compress(b" "),
        b"no rich text, and longer than a header", struct.pack("<II4sI", 2**31, 2**31, b"LZFu", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", ["", " \r\n"])
def test_an_empty_or_damaged_rich_body_costs_nothing_else(rtf, body):
    attachment = make_attachment("a.txt", b"attached words")
    items = load_items({(SUBJECT, UNICODE): encode("Contract"), (BODY, UNICODE): encode(body), (RTF, BINARY): rtf}, attachment)
    mail, attached = (item for item in items if isinstance(item, ParsedDocument))
    assert (mail.title, mail.text, attached.text) == ("Contract", "attachment: a.txt", "attached words")


def test_a_rich_body_that_is_plain_text_is_read_as_such():
    (mail,) = load_items({(SUBJECT, UNICODE): encode("Contract"), (RTF, BINARY): compress(b"words, but no rich text")})
    assert (mail.title, mail.text) == ("Contract", "words, but no rich text")


@pytest.mark.parametrize("is_compressed", [True, False])
def test_a_rich_body_stands_where_there_is_no_other(is_compressed):
    rtf = compress(make_rtf(b"Hello from rich text, hello again from rich text"), compressed=is_compressed)
    (mail,) = load_items({(SUBJECT, UNICODE): encode("S"), (BODY, UNICODE): b"", (RTF, BINARY): rtf})
    assert mail.text.strip() == "Hello from rich text, hello again from rich text"


@pytest.mark.parametrize(
    ("kind", "data", "page"),
    [
        (BINARY, "<p>Grüße <b>page</b>".encode(), 65001),
        (BINARY, "<meta charset=windows-1252><p>Grüße <b>page</b>".encode("cp1252"), 1251),
        (BINARY, "<p>Grüße <b>page</b>".encode("cp1252"), 1252),
        (STRING_8, "<p>Grüße <b>page</b>".encode("cp1252"), 1252),
        (UNICODE, encode("<p>Grüße <b>page</b>"), 1252),
    ],
)
def test_a_page_stands_where_there_is_no_plain_text_or_it_says_something_else(kind, data, page):
    properties = {(SUBJECT, UNICODE): encode("S"), (HTML, kind): data, (INTERNET_CODE_PAGE, LONG): page}
    assert load_items(properties)[0].text == "Grüße page"
    assert load_items({**properties, (BODY, UNICODE): encode("View in browser")})[0].text == "View in browser\n\nGrüße page"
    assert load_items({**properties, (BODY, UNICODE): encode("Grüße page")})[0].text == "Grüße page"


# any order of bytes, with what repeats near and far, longer than the window
@given(
    pieces=st.lists(
        st.sampled_from([b"abc", b"\\par ", b"x" * 40, b"Times New Roman", bytes(range(256)), b"{\\rtf1"]), max_size=40
    )
)
def test_compressed_rich_text_comes_back(pieces):
    data = b"".join(pieces)
    assert decompress_rtf(compress(data)) == data
    assert decompress_rtf(compress(data, compressed=False)) == data


@given(data=st.binary(max_size=200))
def test_damaged_compressed_text_does_no_harm(data):
    assert len(decompress_rtf(struct.pack("<II4sI", 0, 2**31, b"LZFu", 0) + data)) <= 9 * len(data)


# -- headers, dates, what is attached


def test_headers_go_before_properties_and_dates_are_found_in_both():
    ticks = int((datetime(2024, 3, 5, 10) - datetime(1601, 1, 1)).total_seconds()) * 10_000_000
    properties = {(SUBJECT, UNICODE): encode("S"), (BODY, UNICODE): encode("words"), (0x39, TIME): ticks}
    sender = {(SENDER, UNICODE): encode("Ann"), (ADDRESS, UNICODE): encode("a@x.org")}
    (mail,) = load_items({**properties, **sender})
    assert mail.metadata == {"author": '"Ann" <a@x.org>', "created": "2024-03-05T10:00:00+00:00"}
    headers = "From: =?utf-8?q?J=C3=BC?= <j@x.org>\r\nTo: b@x.org\r\nCc: c@x.org\r\nDate: Wed, 6 Mar 2024 10:00:00 +0100\r\n\r\n"
    (mail,) = load_items({**properties, **sender, (HEADERS, UNICODE): encode(headers)})
    assert mail.metadata == {
        "author": "Jü <j@x.org>", "created": "2024-03-06T10:00:00+01:00", "to": "b@x.org", "cc": "c@x.org",
    }  # fmt: skip


def test_those_in_copy_are_told_from_those_it_was_sent_to():
    recipients = [
        (f"__recip_version1.0_#{number:08X}", make_message({(RECIPIENT, UNICODE): encode(name), (0x0C15, LONG): kind}, header=8))
        for number, (name, kind) in enumerate([("Ann", 1), ("Ben", 2), ("Cleo", 1)])
    ]
    (mail,) = load_items({(SUBJECT, UNICODE): encode("x")}, *recipients)
    assert (mail.metadata["to"], mail.metadata["cc"]) == ("Ann, Cleo", "Ben")


def test_an_attached_message_is_a_document_with_its_own_attachments():
    inner = make_message(
        {(SUBJECT, UNICODE): encode("Inner"), (BODY, UNICODE): encode("inner words")},
        make_attachment("b.csv", b"x,y\n1,2\n"),
        header=24,
    )
    mail, message, table = load_items(
        {(SUBJECT, UNICODE): encode("Outer"), (BODY, UNICODE): encode("outer words")},
        make_attachment("", None, (f"__substg1.0_{DATA:04X}000D", inner)),
    )
    assert mail.text == "outer words\n\nattachment: Inner"
    assert (message.id, message.title, message.text) == ("file!Inner", "Inner", "inner words\n\nattachment: b.csv")
    assert (table.id, table.text, table.sections[0].location) == (
        "file!Inner/b.csv", "x; y\nx: 1; y: 2", {"member": "Inner/b.csv", "rows": 1},
    )  # fmt: skip


def test_messages_inside_each_other_are_read_to_a_limit():
    storage = make_message({(SUBJECT, UNICODE): encode("deepest")}, header=24)
    for depth in range(15):
        attached = make_attachment("", None, (f"__substg1.0_{DATA:04X}000D", storage))
        storage = make_message({(SUBJECT, UNICODE): encode(f"S{depth}")}, attached, header=24 if depth < 14 else 32)
    items = list(load(RawFile("file", ".msg", content=make_container(storage))))
    mails = [item for item in items if isinstance(item, ParsedDocument)]
    assert items[0] == ParseWarning("more than 10 messages inside each other")
    assert [mail.title for mail in mails] == [f"S{depth}" for depth in range(14, 3, -1)]


def test_a_signed_message_is_read_from_what_is_attached():
    mime = b"Content-Type: multipart/signed; boundary=B\n\n--B\nContent-Type: text/plain\n\nsigned words\n--B--\n"
    (mail,) = load_items({(SUBJECT, UNICODE): encode("S")}, make_attachment("smime.p7m", mime))
    assert (mail.title, mail.text) == ("S", "signed words")


def test_a_meeting_says_when_and_where():
    names = struct.pack("<IHHIHHIHH", 0x8208, 2, 0, 0x820D, 2, 1, 0x820E, 2, 2)
    begin = int((datetime(2024, 3, 5, 10) - datetime(1601, 1, 1)).total_seconds()) * 10_000_000
    properties = {
        (CLASS, UNICODE): encode("IPM.Schedule.Meeting.Request"), (SUBJECT, UNICODE): encode("Board"),
        (BODY, UNICODE): encode("Agenda"), (0x8000, UNICODE): encode("Room Turing"), (0x8001, TIME): begin,
        (0x8002, TIME): begin + 36_000_000_000,
    }  # fmt: skip
    (mail,) = load_items(properties, ("__nameid_version1.0", {"__substg1.0_00030102": names}))
    assert mail.text == "Agenda\n\n2024-03-05 10:00 UTC – 2024-03-05 11:00 UTC\nRoom Turing"


def test_a_message_that_says_nothing_is_damaged():
    with pytest.raises(UnreadableFileError, match="an Outlook message is damaged: it says nothing"):
        load_items({(CLASS, UNICODE): encode("IPM.Note")})
