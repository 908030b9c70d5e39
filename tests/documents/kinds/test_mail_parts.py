"""What mail has besides its text: pages behind a stub, winmail.dat, signed messages, invitations, attached documents."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import load, raw_file
from vecsearch.documents.loaders.mail.signed_content import extract_signed_content
from vecsearch.documents.loaders.raw_file import RawFile

HEAD = "From: Ann <a@x.org>\nSubject: Letter\nMIME-Version: 1.0\n"


def load_items(data, suffix=".eml", name="file"):
    return list(load(RawFile(name, suffix, content=data if isinstance(data, bytes) else data.encode())))


def collect_texts(items):
    return {item.id: item.text for item in items if isinstance(item, ParsedDocument)}


def make_part(data, media_type, name=None, *, disposition="attachment"):
    head = f"Content-Type: {media_type}\nContent-Transfer-Encoding: base64\n"
    head += f'Content-Disposition: {disposition}; filename="{name}"\n' if name else ""
    return head + "\n" + base64.encodebytes(data if isinstance(data, bytes) else data.encode()).decode()


def make_mail(*parts, kind="mixed", head=HEAD):
    boundary = f"{kind.partition(';')[0]}-{zlib.crc32(''.join(parts).encode())}"
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'{head}Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


def make_zip(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return file.getvalue()


PLAIN = "Content-Type: text/plain\n\nplain words\n"
LETTER = "The library opens again on Monday at nine. Bring your card and the books that are due."
JAPANESE = "図書館は月曜日の九時に再び開きます。カードと本を持ってきてください。"


# -- pages behind a stub


def make_alternatives(plain, page):
    return make_mail(f"Content-Type: text/plain; charset=utf-8\n\n{plain}\n", make_part(page, "text/html"), kind="alternative")


@pytest.mark.parametrize(
    "stub",
    [
        "View this email in your browser: https://example.org/x",
        "Your mail program cannot show this message. Visit https://example.org/x",
        "Sehen Sie sich diese Nachricht im Browser an",
        "このメールをブラウザで見る",
    ],
)
def test_a_page_behind_a_stub_is_read_beside_it(stub):
    assert load_items(make_alternatives(stub, f"<p>{LETTER}"))[0].text == f"{stub}\n\n{LETTER}"


@pytest.mark.parametrize("stub", ["", " \n", "https://example.org/x", "The library opens again"])
def test_a_stub_without_words_of_its_own_gives_way(stub):
    assert load_items(make_alternatives(stub, f"<p>{LETTER}"))[0].text == LETTER


@pytest.mark.parametrize("text", [LETTER, f"{LETTER}\n\n--\nAnn", LETTER.upper(), JAPANESE])
def test_a_plain_text_that_says_what_the_page_says_is_read_alone(text):
    page = f"<style>p {{}}</style><p>{text.partition(chr(10))[0]} <a href='https://example.org'>https://example.org</a>"
    assert load_items(make_alternatives(text, page))[0].text == text


def test_what_is_attached_to_an_alternative_is_not_lost():
    rich = make_mail(make_part(f"<p>{LETTER}", "text/html"), make_part("attached words", "text/plain", "a.txt"), head="")
    items = load_items(make_mail(f"Content-Type: text/plain\n\n{LETTER}\n", rich, kind="alternative"))
    assert collect_texts(items) == {"file": f"{LETTER}\n\nattachment: a.txt", "file!a.txt": "attached words"}


def test_forms_for_watches_are_read_only_where_there_is_no_other():
    watch = "Content-Type: text/watch-html\n\nwatch\n"
    assert load_items(make_mail(watch, PLAIN, kind="alternative"))[0].text == "plain words"
    assert load_items(make_mail(watch, kind="alternative"))[0].text == "watch"


# -- invitations


EVENT = """BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Board meeting
DTSTART;TZID="Europe/Berlin":20240305T100000
DTEND;TZID=Europe/Berlin:20240305T110000
LOCATION:Room Turing\\, 2nd floor
DESCRIPTION:Agenda: budget\\nand
  roof\\; any other
ORGANIZER;CN="Jane: Roe":mailto:jane@example.org
ATTENDEE;RSVP=TRUE;CN=John:MAILTO:john@example.org
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
"""
LINES = [
    "Board meeting", "2024-03-05 10:00 Europe/Berlin – 2024-03-05 11:00 Europe/Berlin", "Room Turing, 2nd floor",
    "Agenda: budget", "and roof; any other", "Jane: Roe <jane@example.org>", "John <john@example.org>",
]  # fmt: skip


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("shape", ["alone", "alternative", "attached", "both"])
def test_an_invitation_is_said_once_wherever_it_stands(shape, line_end):
    event = EVENT.replace("\n", line_end)
    calendar = make_part(event, "text/calendar; method=REQUEST; charset=utf-8")
    attached = make_part(event, "application/ics", "invite.ics")
    mails = {
        "alone": f"{HEAD}{calendar}", "alternative": make_mail(PLAIN, calendar, kind="alternative"),
        "attached": make_mail(PLAIN, attached),
        "both": make_mail(make_mail(PLAIN, calendar, kind="alternative", head=""), attached),
    }  # fmt: skip
    (mail,) = load_items(mails[shape])
    lines = mail.text.split("\n")
    assert [line for line in lines if line in LINES] == LINES
    assert "Reminder" not in mail.text and ("attachment: invite.ics" in lines) == (shape in ("attached", "both"))


def test_what_the_mail_says_itself_is_not_repeated():
    body = "Content-Type: text/plain\n\nYou are invited to the Board meeting.\nAgenda: budget\n"
    (mail,) = load_items(make_mail(body, make_part(EVENT, "text/calendar"), kind="alternative"))
    assert [mail.text.count(line) for line in ("Board meeting", "Agenda: budget", "Room Turing")] == [1, 1, 1]


def test_a_calendar_is_a_document_a_paragraph_an_event():
    day = "BEGIN:VEVENT\nSUMMARY:Holiday\nDTSTART;VALUE=DATE:20240501\nEND:VEVENT\n"
    task = "BEGIN:VTODO\nSUMMARY:Task\nDUE:20240502T083000Z\nEND:VTODO\n"
    (calendar,) = load_items(f"BEGIN:VCALENDAR\n{day}{task}END:VCALENDAR\n", ".ics")
    assert (calendar.title, calendar.text) == (None, "Holiday\n2024-05-01\n\nTask\n2024-05-02 08:30 UTC")
    assert load_items(EVENT, ".ics")[0].title == "Board meeting"
    with pytest.raises(EmptyFileError, match="no text"):
        load_items("BEGIN:VCALENDAR\nEND:VCALENDAR\n", ".ics")


# -- winmail.dat


def make_attribute(number, value):
    return struct.pack("<BII", 1, number, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def make_properties(*properties):
    """Make a list of MAPI properties: (number, type, bytes), texts and binaries with their count and length."""
    data = struct.pack("<I", len(properties))
    for number, kind, value in properties:
        data += struct.pack("<HH", kind, number)
        counted = kind in (0x1E, 0x1F, 0x102, 0x0D)
        data += struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4) if counted else value
    return data


def make_tnef(*attributes, page=1252):
    head = struct.pack("<IH", 0x223E9F78, 1) + make_attribute(0x69007, struct.pack("<II", page, 0))
    return head + b"".join(make_attribute(number, value) for number, value in attributes)


def make_packed(name, data):
    return [(0x69002, bytes(14)), (0x18010, name + b"\0"), (0x6800F, data)]


MAPI = make_properties(
    (0x1000, 0x1E, b"packed words\0"), (0x3FF1, 3, struct.pack("<I", 1033)), (0x37, 0x1F, "Packed".encode("utf-16-le"))
)
TNEF = make_tnef((0x69003, MAPI), *make_packed(b"a.csv", b"x,y\n1,2\n"), *make_packed(b"b.txt", b"attached words"))


@pytest.mark.parametrize(
    ("media_type", "name"),
    [("application/ms-tnef", "winmail.dat"), ("application/vnd.ms-tnef", None), ("application/octet-stream", "WINMAIL.DAT")],
)
def test_what_outlook_packs_is_read_in_its_place(media_type, name):
    items = load_items(make_mail(PLAIN, make_part(TNEF, media_type, name)))
    assert collect_texts(items) == {
        "file": "plain words\n\nPacked\n\npacked words\n\nattachment: a.csv\nattachment: b.txt",
        "file!a.csv": "x; y\nx: 1; y: 2",
        "file!b.txt": "attached words",
    }
    assert (items[0].title, items[1].sections[0].location) == ("Letter", {"member": "a.csv", "rows": 1})


def test_a_packed_message_is_known_by_its_bytes_alone():
    for data, suffix in ((TNEF, ".dat"), (f"X: y\n{make_part(TNEF, 'application/ms-tnef')}", ".eml")):
        items = load_items(data, suffix)
        assert [(item.id, item.title) for item in items] == [("file", "Packed"), ("file!a.csv", None), ("file!b.txt", None)]
        assert items[0].text == "packed words\n\nattachment: a.csv\nattachment: b.txt"


def test_what_the_mail_says_itself_is_not_packed_out_again():
    body = "Content-Type: text/plain\n\npacked words\n"
    mail = make_mail(body, make_part(TNEF, "application/ms-tnef"), head="Subject: Packed\n")
    assert load_items(mail)[0].text.count("packed words") == 1


@pytest.mark.parametrize(
    ("page", "codec", "text"), [(1251, "cp1251", "Мост закрыт"), (932, "cp932", "橋の報告"), (1252, "cp1252", "Café")]
)
def test_packed_texts_are_read_in_their_code_page(page, codec, text):
    data = text.encode(codec)
    packed = make_tnef((0x18004, data), (0x2800C, data), *make_packed(data + b".txt", b"x"), page=page)
    items = load_items(packed, ".tnef")
    assert (items[0].title, items[0].text, items[1].id) == (text, f"{text}\n\nattachment: {text}.txt", f"file!{text}.txt")


def test_a_message_packed_with_another_is_a_document_of_its_own():
    inner = make_properties((0x3701, 0x0D, bytes(16) + TNEF), (0x3001, 0x1F, "Inner".encode("utf-16-le")))
    items = load_items(make_tnef((0x69003, MAPI), (0x69002, bytes(14)), (0x69005, inner)), ".tnef")
    assert [item.id for item in items] == ["file", "file!Inner", "file!Inner/a.csv", "file!Inner/b.txt"]


@given(size=st.integers(0, len(TNEF)))
def test_a_packed_message_that_was_cut_off_gives_what_it_has(size):
    text = collect_texts(load_items(make_mail(PLAIN, make_part(TNEF[:size], "application/ms-tnef", "winmail.dat"))))["file"]
    assert "plain words" in text
    assert "packed words" in text or size < TNEF.index(b"packed words") + len(MAPI)


@pytest.mark.parametrize(
    "data", [b"", make_properties((0x1000, 0x101E, b"")), struct.pack("<IHHI", 2**32 - 1, 0x101E, 0x1000, 2**32 - 1)]
)
def test_properties_that_announce_too_much_do_no_harm(data):
    items = load_items(make_mail(PLAIN, make_part(make_tnef((0x69003, data)), "application/ms-tnef")))
    assert items[0] == ParseWarning("winmail.dat: damaged, not read to its end")
    assert items[1].text == "plain words"


# -- signed messages


def make_element(tag, *contents, indefinite=False):
    content = b"".join(contents)
    if indefinite:
        return bytes([tag, 0x80]) + content + b"\0\0"
    length = bytes([len(content)]) if len(content) < 128 else b"\x84" + struct.pack(">I", len(content))
    return bytes([tag]) + length + content


def make_signed(content, *, kind="signed", indefinite=False):
    """Make a message of CMS without certificates and signatures."""
    data = bytes.fromhex("2a864886f70d010701")
    kinds = {"signed": data[:-1] + b"\2", "enveloped": data[:-1] + b"\3", "compressed": bytes.fromhex("2a864886f70d0109100109")}
    pieces = [make_element(4, content[place : place + 50]) for place in range(0, len(content), 50)]
    octets = make_element(0x24, *pieces, indefinite=True) if indefinite else make_element(4, content)
    wrapped = [make_element(0xA0, octets, indefinite=indefinite)] if content else []
    holder = make_element(0x30, make_element(6, data), *wrapped, indefinite=indefinite)
    algorithms = make_element(0x30 if kind == "compressed" else 0x31, make_element(6, b"\x2a\3"))
    message = make_element(0x30, make_element(2, b"\1"), algorithms, holder, make_element(0x31), indefinite=indefinite)
    wrapper = make_element(0xA0, message, indefinite=indefinite)
    return make_element(0x30, make_element(6, kinds[kind]), wrapper, indefinite=indefinite)


def make_signed_mail(data, media_type="application/pkcs7-mime", name="smime.p7m"):
    return HEAD + make_part(data, media_type, name)


INNER = make_mail(
    "Content-Type: text/plain\n\nsigned words\n", make_part("attached words", "text/plain", "a.txt"), head=""
).encode()


@pytest.mark.parametrize("indefinite", [False, True], ids=["DER", "BER"])
@pytest.mark.parametrize("media_type", ["application/pkcs7-mime; smime-type=signed-data", "application/x-pkcs7-mime"])
def test_a_message_signed_as_a_whole_is_read(media_type, indefinite):
    data = make_signed(INNER, indefinite=indefinite)
    for mail in (make_signed_mail(data, media_type), make_mail(make_part(data, media_type, "smime.p7m"))):
        items = load_items(mail)
        assert collect_texts(items) == {"file": "signed words\n\nattachment: a.txt", "file!a.txt": "attached words"}
        assert items[0].title == "Letter"


def test_a_compressed_message_is_read_within_limits(monkeypatch):
    mail = make_signed_mail(make_signed(zlib.compress(INNER), kind="compressed"), name="smime.p7z")
    assert load_items(mail)[0].text == "signed words\n\nattachment: a.txt"
    monkeypatch.setattr("vecsearch.documents.loaders.mail.signed_content.TOTAL_MIN", 1_000)
    items = load_items(make_signed_mail(make_signed(zlib.compress(bytes(10**6)), kind="compressed")))
    assert items[0] == ParseWarning("smime.p7m: expands to more than 0 MB: too much for its size")


def test_an_encrypted_message_says_so_and_keeps_its_subject():
    problem, mail = load_items(make_signed_mail(make_signed(b"x", kind="enveloped")))
    assert problem == ParseWarning("smime.p7m: encrypted for the keys of those it was sent to, which are not asked for")
    assert (mail.title, mail.text) == ("Letter", "attachment: smime.p7m")


def test_a_signed_message_in_a_signed_message_is_read_to_a_limit():
    content = INNER
    for depth in range(12):
        content = make_part(make_signed(content), "application/pkcs7-mime").encode()
        items = load_items(HEAD.encode() + content)
        assert depth >= 10 or items[0].text.startswith("signed words")
    assert items[0] == ParseWarning("smime.p7m: more than 10 messages inside each other")


def test_signed_documents_are_read_attached_and_as_files():
    signed = make_signed(b"x,y\n1,2\n")
    assert collect_texts(load_items(make_mail(PLAIN, make_part(signed, "application/octet-stream", "a.csv.p7m")))) == {
        "file": "plain words\n\nattachment: a.csv", "file!a.csv": "x; y\nx: 1; y: 2",
    }  # fmt: skip
    for data in (signed, b"-----BEGIN PKCS7-----\n" + base64.encodebytes(signed) + b"-----END PKCS7-----\n"):
        assert collect_texts(load_items(data, ".p7m", "a.csv.p7m")) == {"a.csv.p7m": "x; y\nx: 1; y: 2"}
    assert load_items(make_signed(HEAD.encode() + INNER), ".p7m")[0].text.startswith("signed words")


def test_a_signature_apart_from_the_message_is_named_and_not_opened():
    parts = (
        "Content-Type: text/plain\n\nsigned words\n",
        make_part(make_signed(b""), "application/pkcs7-signature", "smime.p7s"),
    )
    (mail,) = load_items(make_mail(*parts, kind='signed; protocol="application/pkcs7-signature"'))
    assert mail.text == "signed words\n\nattachment: smime.p7s"


@given(st.binary(max_size=100), st.booleans(), st.integers(0, 400))
def test_signed_content_comes_back_and_damage_does_no_harm(content, indefinite, place):
    data = bytearray(make_signed(content, indefinite=indefinite))
    assert extract_signed_content(bytes(data)) == content
    data[place % len(data)] ^= 0xFF
    try:
        extract_signed_content(bytes(data))
    except UnreadableFileError as error:
        assert str(error)


def test_an_encoding_nested_without_end_is_refused():
    with pytest.raises(UnreadableFileError, match="damaged"):
        extract_signed_content(b"\x30\x80" * 100_000)


# -- attached documents


def test_attached_documents_are_documents_with_the_message_as_their_place():
    document = make_part("# Head\n\nwords", "application/octet-stream", "a.md")
    mail = make_mail(PLAIN, document, make_part("x,y\n1,2\n", "text/csv", "t"))
    items = load_items("".join(f"From a@x.org Mon Jul 20 01:01:07 2015\n{mail}\n" for _ in range(2)), ".mbox")
    assert [item.id for item in items] == ["file!1", "file!1/a.md", "file!1/t", "file!2", "file!2/a.md", "file!2/t"]
    assert items[4].sections[-1].location == {"message": 2, "member": "a.md", "heading": ["Head"], "lines": 3}
    assert (items[4].title, items[5].sections[0].location) == ("Head", {"message": 2, "member": "t", "rows": 1})


def test_an_attached_archive_is_opened_and_one_in_it_is_not():
    message = make_mail(PLAIN, make_part("deep", "text/plain", "c.txt"))
    members = {"d/b.txt": "inner words", "in.zip": make_zip({"x.txt": "x"}), "m.eml": message}
    items = load_items(make_mail(PLAIN, make_part(make_zip(members), "application/zip", "a.zip")))
    assert list(collect_texts(items)) == ["file", "file!a.zip/d/b.txt", "file!a.zip/m.eml", "file!a.zip/m.eml/c.txt"]
    assert items[1].sections[0].location == {"member": "a.zip/d/b.txt", "lines": 1}
    assert SkippedFile("file!a.zip/in.zip", "an archive inside an archive") in items
    packed = make_mail(PLAIN, make_part(make_zip({"x.txt": "x"}), "application/zip", "b.zip"))
    (skipped,) = (item for item in load_items(make_zip({"a.eml": packed}), ".zip", "a.zip") if isinstance(item, SkippedFile))
    assert skipped == SkippedFile("a.zip!a.eml/b.zip", "an archive inside an archive")


def test_names_of_attachments_are_made_safe_and_unlike():
    names = ["../../a.txt", "/a.txt", "a.txt", "C:\\\\x\\\\b.txt", "x" * 5_000 + ".txt", "a\tb.txt", ".."]
    items = load_items(make_mail(*(make_part(f"words {number}", "text/plain", name) for number, name in enumerate(names))))
    ids = [item.id for item in items[1:]]
    assert ids[:4] == ["file!a.txt", "file!a (2).txt", "file!a (3).txt", "file!C:/x/b.txt"]
    assert (max(map(len, ids)) < 250, len(set(ids))) == (True, len(names))
    assert [item.text for item in items[1:]] == [f"words {number}" for number in range(len(names))]


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251", "utf-8", "utf-16"])
def test_an_attached_text_is_read_in_the_encoding_that_its_part_states(charset):
    part = make_part("Мост".encode(charset), f"text/plain; charset={charset}", "a.txt")
    assert load_items(make_mail(PLAIN, part))[1].text == "Мост"


def test_what_has_no_words_is_named_and_what_cannot_be_read_says_why():
    items = load_items(
        make_mail(
            PLAIN,
            make_part(b"\x89PNG\r\n\x1a\n", "image/png", "a.png"),
            make_part(b"\0\1\2\3" * 9, "application/octet-stream", "b.bin"),
            make_part(b"%PDF-1.4 damaged", "application/pdf", "c.pdf"),
            make_part(b"{", "application/json", "d.ipynb"),
        )
    )
    assert items[0].text == "plain words\n\nattachment: a.png\nattachment: b.bin\nattachment: c.pdf\nattachment: d.ipynb"
    assert SkippedFile("file!b.bin", "binary (NUL characters), not text") in items
    assert sorted(item.message.partition(":")[0] for item in items if isinstance(item, ParseWarning)) == ["c.pdf", "d.ipynb"]


def test_a_message_attached_against_the_rules_in_base64_is_read():
    part = make_part("Subject: Inner\n\ninner words\n", "message/rfc822", "m.eml")
    assert collect_texts(load_items(make_mail(PLAIN, part)))["file!m.eml"] == "inner words"


# -- limits


def test_too_many_attachments_are_not_read_to_their_end(monkeypatch):
    monkeypatch.setattr(raw_file, "MEMBERS_MAX", 3)
    items = load_items(make_mail(PLAIN, *(make_part(f"words {number}", "text/plain", f"{number}.txt") for number in range(5))))
    assert list(collect_texts(items)) == ["file", "file!0.txt", "file!1.txt", "file!2.txt"]
    assert items[-1] == ParseWarning("what is attached is not read to its end: holds more than 3 files")


def test_what_unfolds_too_far_is_refused_for_all_attachments_together(monkeypatch):
    monkeypatch.setattr(raw_file, "TOTAL_MIN", 1_000_000)
    monkeypatch.setattr(raw_file, "RATIO_MAX", 1)
    bomb = make_part(make_zip({"a.txt": "word " * 60_000}), "application/zip", "b.zip")
    items = load_items(make_mail(PLAIN, *[bomb] * 9))
    assert len(collect_texts(items)) == 4
    assert items[-1].message == "what is attached is not read to its end: expands to more than 1 MB: too much for its size"
    mail = make_mail(PLAIN, *[make_part("word " * 60_000, "text/plain", "a.txt")] * 9)
    with pytest.raises(UnreadableFileError, match="expands to more than 1 MB"):
        load_items(make_zip({"m.eml": mail}), ".zip")


def test_files_inside_each_other_are_read_to_a_limit():
    mail = f"{HEAD}\ndeepest\n"
    for _ in range(30):
        mail = make_mail(make_part(mail, "application/octet-stream", "m.eml"))
    items = load_items(mail)
    assert len(collect_texts(items)) == 21
    assert "more than 20 files inside each other" in items[-1].message
