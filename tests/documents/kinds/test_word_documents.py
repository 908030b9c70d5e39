"""Old Word documents: what was deleted is gone, pieces are in order, and bytes are read in the code page of their font."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.kinds.word_files import DELETED, DELETED_6, IN_TABLE_6, ROW_END_6, Run, make_doc
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

FONTS = [
    ("Times New Roman", 0),
    ("Times New Roman Cyr", 204),
    ("MS Mincho", 128),
    ("Symbol", 2),
    ("Geneva", 0),
    ("Arial CE", 238),
]


def read(data: bytes) -> str:
    [document] = load(RawFile("file", ".doc", content=data))
    assert isinstance(document, ParsedDocument)
    return document.text


def make_run(text: str, kind: str, *, deleted: bool = False, change: int = 0) -> Run:
    properties = (DELETED_6 if kind.startswith("6") else DELETED) if deleted else b""
    wide = kind.endswith("wide")
    return Run(text.encode("utf-16-le" if wide else "cp1252"), properties, wide=wide, change=change)


def in_font(data: bytes, number: int) -> Run:
    return Run(data, b"\x5d" + struct.pack("<H", number))


# -- tracked deletions and pieces


@pytest.mark.parametrize("kind", ["wide", "narrow", "6", "6 wide"])
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize(
    ("before", "deleted", "after"),
    [("fee is ", "100", "250 euros"), ("fee is", "\r", " 250 euros"), ("", "\tx\rold ", "fee is 250 euros")],
)
def test_what_was_deleted_with_changes_tracked_is_left_out(kind, part, before, deleted, after):
    runs = [make_run("Body.\r", kind)] if part else []
    runs += [make_run(before, kind), make_run(deleted, kind, deleted=True), make_run(after + "\r", kind)]
    runs = [run for run in runs if run.data]
    lengths = [0] * 8
    lengths[0] = runs[0].length if part else 0
    lengths[part] += sum(run.length for run in (runs[1:] if part else runs))
    text = read(make_doc(runs, old=kind.startswith("6"), lengths=lengths))
    assert text == (f"Body.\n\n{before}{after}" if part not in (0, 3) else "Body." if part else before + after)


@pytest.mark.parametrize("kind", ["wide", "narrow", "6", "6 wide"])
@pytest.mark.parametrize("shared", [True, False])
def test_what_the_piece_says_was_deleted_is_left_out(kind, shared):
    change = 1 if shared else 0x41 << 1 | 1 << 8
    runs = [make_run("fee is ", kind), make_run("100", kind, change=change), make_run("250 euros\r", kind)]
    assert (
        read(make_doc(runs, old=kind.startswith("6"), shared=(DELETED_6 if kind.startswith("6") else DELETED) if shared else b""))
        == "fee is 250 euros"
    )


@given(st.permutations(range(6)), st.sampled_from(["wide", "narrow", "6", "6 wide"]), st.sets(st.integers(0, 5), max_size=5))
def test_pieces_are_read_in_the_order_of_the_text_wherever_they_lie(order, kind, deleted):
    runs = [make_run(f"word{number} ", kind, deleted=number in deleted) for number in range(6)]
    words = read(make_doc(runs, old=kind.startswith("6"), order=order)).split()
    assert words == [f"word{number}" for number in range(6) if number not in deleted]


# -- Word 6 and 95


@pytest.mark.parametrize("complex_", [True, False])
def test_tables_notes_comments_and_headers_of_word_6_are_told_apart(complex_):
    runs = [
        Run(b"Head\r"),
        *(Run(text, paragraph=IN_TABLE_6) for text in (b"Name\7", b"Two\rlines\7")),
        Run(b"\7", paragraph=ROW_END_6),
        Run(b"End\r"),
    ]
    asides = [b"Note\r", b"Header\r", b"Macro\r", b"Comment\r", b"Endnote\r", b"Box\r", b"Header\r"]
    lengths = [sum(run.length for run in runs), *map(len, asides)]
    text = read(make_doc([*runs, *map(Run, asides)], old=True, lengths=lengths, complex_=complex_))
    assert text == "Head\n\nName; Two lines\n\nEnd\n\nNote\n\nEndnote\n\nComment\n\nBox\n\nHeader"


@pytest.mark.parametrize("complex_", [True, False])
@pytest.mark.parametrize(
    ("font", "codec", "word"),
    [(1, "cp1251", "Мост"), (2, "cp932", "表予ソ橋"), (3, "latin-1", "m"), (5, "cp1250", "čeština"), (0, "cp1252", "naïve")],
)
def test_bytes_are_read_in_the_code_page_of_their_font(font, codec, word, complex_):
    runs = [in_font(b"caf\xe9 ", 0), in_font(word.encode(codec) + b"\r", font), in_font(b"two\r", 0)]
    shown = "μ" if font == 3 else word
    assert read(make_doc(runs, old=True, fonts=FONTS, complex_=complex_)) == f"café {shown}\n\ntwo"


@pytest.mark.parametrize(
    ("language", "codec", "text"),
    [
        (0x419, "cp1251", "Мост"),
        (0x405, "cp1250", "čeština"),
        (0x408, "cp1253", "γέφυρα"),
        (0x411, "cp932", "表予ソ"),
        (0x407, "cp1252", "Brücke"),
    ],
)
def test_bytes_without_a_font_are_read_in_the_code_page_of_the_language(language, codec, text):
    assert read(make_doc([Run(text.encode(codec) + b"\r")], old=True, language=language)) == text


@pytest.mark.parametrize("fonts", [FONTS, [("Geneva", 0)], []])
def test_documents_of_the_macintosh_are_read_in_its_code_page(fonts):
    assert (
        read(make_doc([Run("Café “à la carte”\r".encode("mac-roman"))], old=True, macintosh=True, fonts=fonts))
        == "Café “à la carte”"
    )


def test_bytes_that_are_not_what_is_said_of_them_are_read_as_what_they_are():
    russian = "Старый мост через реку, построенный очень давно"
    assert read(make_doc([Run(russian.encode("cp1251") + b"\r")], old=True, fonts=FONTS)) == russian


def test_signs_of_word_6_are_those_of_their_font():
    sign = Run(b"(", b"\x4a\x03" + struct.pack("<HB", 3, 0x6D))
    assert read(make_doc([Run(b"5 "), sign, Run(b"g, "), in_font(b"a", 3), Run(b"\r")], old=True, fonts=FONTS)) == "5 μg, α"


@given(st.data())
def test_a_damaged_document_of_word_6_gives_text_or_says_so(data):
    whole = bytearray(make_doc([Run(b"One\r", b"\x41\x01"), Run(b"Two\7", paragraph=IN_TABLE_6)], old=True, fonts=FONTS))
    for _ in range(8):
        whole[data.draw(st.integers(512, len(whole) - 1025))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableFileError):
        list(load(RawFile("file", ".doc", content=bytes(whole))))
