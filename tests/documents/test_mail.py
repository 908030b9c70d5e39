from __future__ import annotations

import struct
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files" / "good"


def load_items(data, suffix):
    return list(load(RawFile("file", suffix, content=data if isinstance(data, bytes) else data.encode())))


def load_mail(data, suffix=".eml"):
    (draft,) = load_items(data, suffix)
    return draft


def make_multipart(*parts, kind="mixed"):
    return (
        f"Content-Type: multipart/{kind}; boundary=B{kind}\n\n"
        + "".join(f"--B{kind}\n{part}\n" for part in parts)
        + f"--B{kind}--\n"
    )


PLAIN = "Content-Type: text/plain\n\nplain words\n"
PAGE = "Content-Type: text/html\n\n<p>page <b>words</b></p>\n"
SAME = "Content-Type: text/html\n\n<p>plain <b>words</b></p>\n"


# -- headers


def test_a_mail_says_who_wrote_what_to_whom_and_when():
    draft = load_mail(
        "Subject: Tea\nFrom: Ann <a@x.org>\nTo: Bob\n <b@x.org>\nCc: c@x.org\nDate: Fri, 21 Nov 1997 09:55:06 -0600\n\nHello\n"
    )
    assert (draft.id, draft.title, draft.text) == ("file", "Tea", "Hello")
    assert draft.metadata == {
        "author": "Ann <a@x.org>",
        "to": "Bob <b@x.org>",
        "cc": "c@x.org",
        "created": "1997-11-21T09:55:06-06:00",
    }


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("=?utf-8?q?caf=C3=A9?= au lait", "café au lait"),
        ("=?utf-8?b?5pel5pys?=\n =?utf-8?b?6Kqe?=", "日本語"),
        ("=?utf-8?b?5pel5pw=?=\n =?utf-8?b?rOiqng==?=", "日本語"),  # a character in two words
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?windows-1252?q?=93quoted=94?=", "“quoted”"),
        ("=?no-such-charset?q?plain?=", "plain"),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("folded\n\tover lines", "folded over lines"),
        ("café", "café"),
        ("a =? b ?= c", "a =? b ?= c"),
        (r"C:\users\new", r"C:\users\new"),
    ],
)
def test_a_subject_is_read_as_it_is_meant(header, title):
    assert load_mail(f"Subject: {header}\n\nx").title == title


def test_a_subject_in_raw_bytes_of_an_old_encoding_is_read():
    assert load_mail("Subject: déjà vu\n\nx".encode("cp1252")).title == "déjà vu"


@pytest.mark.parametrize("date", ["yesterday", "", "Fri, 99 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 99999999999 09:55:06"])
def test_a_date_that_is_none_is_left_out(date):
    assert load_mail(f"Subject: a\nDate: {date}\n\nx").metadata == {}


def test_a_long_list_of_recipients_is_kept_whole():
    to = ", ".join(f'"Name {n}" <n{n}@example.org>' for n in range(5_000))
    assert load_mail(f"Subject: a\nTo: {to}\n\nx").metadata["to"] == to


# -- bodies


@pytest.mark.parametrize("parts", [(PLAIN, SAME), (SAME, PLAIN)])
def test_of_alternatives_the_plain_one_is_read(parts):
    assert load_mail(make_multipart(*parts, kind="alternative")).text == "plain words"


def test_of_alternatives_without_words_the_next_is_read():
    assert load_mail(make_multipart("Content-Type: text/plain\n\n \n", PAGE, kind="alternative")).text == "page words"


def test_a_page_with_a_plain_footer_keeps_both():
    footer = "Content-Type: text/plain\n\nfooter\n"
    assert load_mail(make_multipart(PAGE, footer)).text == "page words\n\nfooter"
    assert load_mail(make_multipart(make_multipart(PLAIN, SAME, kind="alternative"), footer)).text == "plain words\n\nfooter"


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "x-unknown", "utf-8"])
def test_a_body_in_utf_8_is_read_so_whatever_it_declares(charset):
    assert load_mail(f"Subject: a\nContent-Type: text/plain; charset={charset}\n\ncafé".encode()).text == "café"


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("koi8-r", "koi8-r", "Привет"),
        ("iso-2022-jp", "iso2022_jp", "日本語"),
        ("gb2312", "gbk", "汉字"),
        ("utf-8", "cp1252", "café"),
    ],
)
def test_a_body_in_the_encoding_it_declares_is_read_so(charset, encoding, text):
    assert load_mail(f"Subject: a\nContent-Type: text/plain; charset={charset}\n\n".encode() + text.encode(encoding)).text == text


def test_encoded_bodies_are_decoded():
    assert load_mail("Subject: a\nContent-Transfer-Encoding: quoted-printable\n\nsoft=\nware =C3=A9").text == "software é"
    assert (
        load_mail("Subject: a\nContent-Transfer-Encoding: base64\nContent-Type: text/plain\n\naGVsbG8K\nd29ybGQ=").text
        == "hello\nworld"
    )


def test_a_mail_without_words_or_subject_says_so():
    with pytest.raises(EmptyFileError, match="no text in it"):
        load_mail("From: a@b\n\n")
    assert (load_mail("Subject: only that\n\n").text, load_mail("Subject: only that\n\n").title) == ("", "only that")


@pytest.mark.parametrize("suffix", [".eml", ".mbox", ".msg"])
@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"\0\1\2\3" * 9])
def test_binary_data_is_no_mail(data, suffix):
    with pytest.raises(BinaryFileError, match="not text"):
        load_items(data, suffix)


def test_parts_nested_without_end_are_refused():
    with pytest.raises(UnreadableFileError, match="nested too deeply"):
        load_mail("".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(5_000)) + "\nx")


# -- attachments


def make_attachment(name, kind, data="x"):
    return f"Content-Type: {kind}\nContent-Disposition: attachment; filename={name}\n\n{data}\n"


def test_attachments_are_named_and_read_as_documents_of_their_own():
    mail, attached, other = load_items(
        make_multipart(
            PLAIN, make_attachment("a.csv", "text/csv", "x,y\n1,2"), make_attachment("b.txt", "text/plain", "attached words")
        ),
        ".eml",
    )
    assert (mail.id, mail.text) == ("file", "plain words\n\nattachment: a.csv\nattachment: b.txt")
    assert (attached.id, attached.text, attached.sections[0].location) == (
        "file!a.csv", "x; y\nx: 1; y: 2", {"member": "a.csv", "rows": 1},
    )  # fmt: skip
    assert (other.id, other.text, other.sections[0].location) == (
        "file!b.txt", "attached words\n", {"member": "b.txt", "lines": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    "part",
    [
        make_attachment("=?utf-8?q?na=C3=AFve.txt?=", "text/plain"),
        make_attachment("x", "text/plain; name*=utf-8''na%C3%AFve.txt").replace("filename=x", ""),
    ],
)
def test_an_attached_name_is_decoded(part):
    mail, attached = load_items(make_multipart(PLAIN, part), ".eml")
    assert ("attachment: naïve.txt" in mail.text, attached.id) == (True, "file!naïve.txt")


def test_pictures_of_the_page_are_not_named():
    picture = "Content-Type: image/png; name=logo.png\nContent-Disposition: inline\n\nx\n"
    assert load_mail(make_multipart(PAGE, picture, kind="related")).text == "page words"


def test_a_forwarded_mail_is_a_document_of_its_own():
    inner = "Content-Type: message/rfc822\n\nSubject: Inner\nFrom: a@x.org\n\ninner words\n"
    outer, forwarded = load_items("Subject: Outer\n" + make_multipart(PLAIN, inner), ".eml")
    assert (outer.title, outer.text) == ("Outer", "plain words\n\nattachment: Inner")
    assert (forwarded.id, forwarded.title, forwarded.text) == ("file!Inner", "Inner", "inner words")
    assert (forwarded.metadata, forwarded.sections[0].location) == ({"author": "a@x.org"}, {"member": "Inner"})


def test_a_huge_attachment_is_never_held(monkeypatch):
    monkeypatch.setattr("vecsearch.documents.loaders.mail.mime._MESSAGE_MAX", 10_000)
    monkeypatch.setattr("vecsearch.documents.loaders.mail.mime_lines._ASIDE_MAX", 10_000)
    binary = "Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n" + "QUJD" * 19 + "\n"
    mail, problem = load_items(make_multipart(PLAIN, binary + ("QUJD" * 19 + "\n") * 1_000, PLAIN), ".eml")
    assert mail.text == "plain words\n\nplain words\n\nattachment: a.zip"
    assert problem.message == "a.zip: too large: more than 0 MB attached to one message"
    with pytest.raises(UnreadableFileError, match="too large"):
        load_mail("Subject: a\n\n" + "words\n" * 1_000)


# -- mailboxes


def make_mailbox(*messages):
    return "".join(f"From a@x.org Mon Jul 20 01:01:07 2015\n{message}\n\n" for message in messages)


def test_each_message_of_a_mailbox_is_a_document():
    first, second = load_items(make_mailbox("Subject: One\n\nfirst", "Subject: Two\n\nsecond"), ".mbox")
    assert [(document.id, document.title, document.text) for document in (first, second)] == [
        ("file!1", "One", "first"),
        ("file!2", "Two", "second"),
    ]
    assert [document.sections[0].location for document in (first, second)] == [{"message": 1}, {"message": 2}]


def test_a_line_that_begins_with_from_ends_a_message_only_where_it_can():
    body = "From here on, all is well.\n\nFrom there too.\n\n>From quoted, on Monday"
    (draft,) = load_items(make_mailbox(f"Subject: a\n\n{body}"), ".mbox")
    assert draft.text == body.replace(">From", "From")


@pytest.mark.parametrize(
    "line",
    [
        "From a@x.org",
        "From - Mon Jul 20 01:01:07 2015",
        "From 123@xxx Mon Jul 20 01:01:07 +0000 2015",
        "From a at x.org  Mon Jul 20 01:01:07 2015",
    ],
)
def test_separators_of_many_programs_are_known(line):
    assert len(load_items(f"{line}\nSubject: a\n\nx\n\n{line}\nSubject: b\n\ny\n", ".mbox")) == 2


def test_a_message_that_cannot_be_read_costs_no_other():
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(5_000))
    results = load_items(make_mailbox("Subject: One\n\nfirst", deep, "X: y\n\n", "Subject: Four\n\nfourth"), ".mbox")
    assert [type(result) for result in results] == [ParsedDocument, ParseWarning, SkippedFile, ParsedDocument]
    assert results[1].message == "message 2: its parts are nested too deeply"
    assert (results[2].source, results[3].id) == ("file!3", "file!4")


def test_a_mailbox_with_windows_line_ends_or_without_its_first_line_is_read():
    text = make_mailbox("Subject: One\n\nfirst\nline", "Subject: Two\n\nsecond")
    for data in (text.replace("\n", "\r\n"), text.partition("\n")[2]):
        assert [document.title for document in load_items(data, ".mbox")] == ["One", "Two"]


# -- Outlook


def read_real_file(name):
    if not (DATA / name).exists():
        pytest.skip("the real files of ../shared/data/files are not there")
    return (DATA / name).read_bytes()


def make_outlook_message(kind, content):
    """Make a real message whose body is of another kind."""
    data = read_real_file("docling__msg_simple.msg")
    body = "Hello Bob,\n\nThis is a simple email body.".encode("utf-16-le")
    assert data.count(body) == 1
    data = data.replace(body, content.ljust(len(body), b" "))
    data = data.replace("__substg1.0_1000001F".encode("utf-16-le"), f"__substg1.0_{kind:08X}".encode("utf-16-le"))
    return data.replace(struct.pack("<I", 0x1000001F), struct.pack("<I", kind))


def test_a_message_of_outlook_says_what_a_mail_says():
    draft = load_mail(read_real_file("docling__msg_simple.msg"), ".msg")
    assert (draft.title, draft.text) == ("Simple Email", "Hello Bob,\n\nThis is a simple email body.")
    assert draft.metadata == {
        "author": '"Alice Example" <alice@example.com>',
        "to": "Bob Example <bob@example.com>",
        "created": "2026-05-20T10:30:00+00:00",
    }


def test_a_message_of_outlook_without_plain_text_is_read_from_its_page_or_its_rtf():
    assert load_mail(make_outlook_message(0x10130102, b"<p>caf&eacute; <b>page</b>"), ".msg").text == "café page"
    rtf = rb"{\rtf1\ansi Hello from RTF\par}"
    container = struct.pack("<3I", len(rtf) + 12, len(rtf), 0x414C454D) + bytes(4) + rtf
    assert load_mail(make_outlook_message(0x10090102, container), ".msg").text.strip() == "Hello from RTF"


def test_a_damaged_message_of_outlook_says_so():
    with pytest.raises(UnreadableFileError, match="an Outlook message is damaged"):
        load_mail(read_real_file("docling__msg_simple.msg")[:3_000], ".msg")


def test_a_damaged_body_of_outlook_costs_no_headers():
    assert load_mail(make_outlook_message(0x10090102, b"no RTF"), ".msg").title == "Simple Email"


def test_plain_mail_under_outlook_s_suffix_is_read():
    assert load_mail("Subject: a\n\nwords", ".msg").text == "words"


# -- real files


@pytest.mark.parametrize(
    ("name", "documents", "words"),
    [
        ("tika__testRFC822_multipart_attachments.eml", 3, "This is Test TXTB File for parser"),
        ("tika__testThunderbirdEml.eml", 1, "Dear Vladimir"),
        ("tika__testMSG.msg", 1, "please\nlet me know about your use cases"),
        ("tika__test-outlook.msg", 1, "Hors connexion"),
        ("tika__complex.mbox", 3, "JobControl and ChainMapper/ChainReducer"),
        ("tika__testMBOX_complex.mbox", 1, "My name is Another Person. body 1"),
    ],
)
def test_real_mail_is_read(name, documents, words):
    results = load_items(read_real_file(name), Path(name).suffix)
    assert len(results) == documents
    assert all(isinstance(result, ParsedDocument) for result in results)
    assert all(result.title and result.metadata["author"] for result in results if "member" not in result.sections[0].location)
    assert words.lower() in "\n".join(document.text for document in results).lower()
