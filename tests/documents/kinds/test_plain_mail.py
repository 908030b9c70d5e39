"""Mail as it was written before MIME, or against its rules: files between the lines, names in plain bytes, odd encodings."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.kinds.test_mail_parts import HEAD, PLAIN, collect_texts, load_items, make_mail, make_part
from vecsearch.core.parsed import ParseWarning
from vecsearch.documents.code_pages import get_label_codec
from vecsearch.documents.loaders.mail.uuencoded import separate_uuencoded


def uuencode(data, name="notes.txt", *, backtick=True, extra=""):
    lines = (binascii.b2a_uu(data[place : place + 45], backtick=backtick).decode() for place in range(0, len(data), 45))
    end = "`" if backtick else " "
    return f"begin 644 {name}\n" + "".join(line.replace("\n", f"{extra}\n") for line in lines) + f"{end}\nend\n"


@pytest.mark.parametrize("head", [HEAD, "From: a@x.org\nTo: b@x.org\nSubject: Letter\n", f"{HEAD}Content-Type: text/plain\n"])
@pytest.mark.parametrize(("backtick", "extra"), [(True, ""), (False, ""), (True, "#")])
def test_files_between_the_lines_are_attached(head, backtick, extra):
    words = "Attached words, more than one line of them. " * 3
    files = [uuencode(words.encode(), name, backtick=backtick, extra=extra) for name in ("a.txt", "b c.txt")]
    items = load_items(f"{head}\nSee below.\n\n{files[0]}\n{files[1]}Bye\n")
    letter, *attached = collect_texts(items).items()
    assert letter[1].split() == ["See", "below.", "Bye", "attachment:", "a.txt", "attachment:", "b", "c.txt"]
    assert attached == [("file!a.txt", words), ("file!b c.txt", words)]


@pytest.mark.parametrize("body", ["begin 644 a.txt\nno such line\nend", "begin 644 a.txt\nnever ends", "begin 12 things\nend"])
def test_what_only_looks_like_a_file_stays_in_the_text(body):
    assert load_items(f"{HEAD}\n{body}\n")[0].text == body


@given(data=st.binary(max_size=200), before=st.text("ab\n", max_size=9), after=st.text("ab\n", max_size=9))
def test_every_file_comes_back_and_the_text_around_it_stays(data, before, after):
    text, files = separate_uuencoded(f"{before}\n{uuencode(data)}{after}")
    assert (text, files) == (f"{before}\n{after}", [("notes.txt", data)])


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
@pytest.mark.parametrize("header", ['Content-Disposition: attachment; filename="{}"', 'Content-Type: text/x-log; name="{}"'])
def test_names_in_plain_bytes_are_read(header, codec):
    part = f"{header.format('Größe übermäßig.txt')}\n\nattached words\n"
    items = load_items(make_mail(PLAIN, part).encode(codec))
    assert collect_texts(items)["file!Größe übermäßig.txt"].strip() == "attached words"


@pytest.mark.parametrize(("encoding", "encode"), [("base64", base64.encodebytes), ("quoted-printable", quopri.encodestring)])
def test_a_message_attached_against_the_rules_in_an_encoding_is_read(encoding, encode):
    message = encode("Subject: Inner = outer\n\nWörter\n".encode()).decode()
    part = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n{message}\n"
    items = load_items(make_mail(PLAIN, part))
    assert [(item.title, item.text) for item in items[1:]] == [("Inner = outer", "Wörter")]


def test_a_mail_encrypted_by_pgp_says_so():
    parts = (
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
        make_part("-----BEGIN PGP MESSAGE-----", "text/plain", "e.asc"),
    )
    warning, mail = load_items(make_mail(*parts, kind="encrypted"))
    assert isinstance(warning, ParseWarning)
    assert "encrypted for the keys" in warning.message
    assert (mail.title, mail.text) == ("Letter", "")


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("windows-874", "cp874", "สะพานเก่า"),
        ("iso-8859-8-i", "iso8859-8", "גשר ישן"),
        ("ISO-8859-6-E", "iso8859-6", "جسر قديم"),
        ("x-mac-ce", "mac-latin2", "Żółta łódź"),
        ("x-mac-cyrillic", "mac-cyrillic", "Старый мост"),
        ("utf-7", "utf-7", "Größe"),
        ("'koi8-r'", "koi8-r", "мост"),
    ],
)
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_encodings_are_known_by_all_their_names(label, codec, text, kind):
    body = base64.encodebytes(text.encode(codec)).decode()
    head = f"Content-Type: text/{kind}; charset={label}\nContent-Transfer-Encoding: base64\n"
    assert load_items(f"{HEAD}{head}\n{body}")[0].text == text


@pytest.mark.parametrize("label", ["", "unknown-8bit", "a\0b", "base64", "rot13", "ü", "x-", "utf-16", "x" * 10_000])
def test_what_names_no_encoding_of_text_has_no_codec(label):
    assert get_label_codec(label) is None
