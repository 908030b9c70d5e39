"""Rich text keeps its notes, headers, comments and boxes, and its letters in every code page; what was deleted is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

FONTS = rb"""
{\fonttbl{\f0\froman Times;}{\f1\fcharset204 Arial Cyr;}{\f2\fnil\fcharset128 \'82\'6c;}{\f3\ftech\fcharset2 Symbol;}
{\f4\fnil\fcharset2 Wingdings;}{\f5\fcharset238{\*\falt Arial}Arial CE;}{\f6\cpg1253 Greek;}{\f7\fcharset77 Geneva;}
{\f8\fcharset0 A;}}"""


def read(body: bytes, start: bytes = rb"{\rtf1\ansi\deff0" + FONTS) -> ParsedDocument:
    [document] = load(RawFile("file", ".rtf", content=start + b"\n" + body + b"}"))
    assert isinstance(document, ParsedDocument)
    return document


def escape(text: str, codec: str) -> bytes:
    """Write a text as its bytes in a code page, all of them by their numbers."""
    return b"".join(b"\\'%02x" % byte for byte in text.encode(codec))


# -- beside the text


@pytest.mark.parametrize(
    ("aside", "text"),
    [
        (rb"{\footnote\pard {\super\chftn } Built in 1890.}", "Built in 1890."),
        (rb"{\super\chftn{\*\footnote\ftnalt\pard\plain Built\par in 1890.\par}}", "Built\n\nin 1890."),
        (rb"{\*\atnid AB}{\*\atnauthor Ann}\chatn{\*\annotation{\*\atndate 12}\pard Too old.}", "[Ann: Too old.]"),
        (rb"{\shp{\*\shpinst{\sp{\sn n}{\sv v}}{\shptxt In a box\par}}{\shprslt{\*\do{\dptxbxtext In a box\par}}}}", "In a box"),
        (rb"{\shpgrp{\*\shpinst{\shp{\*\shpinst{\shptxt \trowd\intbl A\cell 1\cell\row}}}}}", "A; 1"),
        (rb"{\*\do\dobxpage{\dptxbxtext In an old box\par}}", "In an old box"),
    ],
)
def test_what_stands_beside_the_text_follows_its_paragraph_once(aside, text):
    assert read(rb"The bridge" + aside + rb" is old.\par It stands.\par").text == f"The bridge is old.\n\n{text}\n\nIt stands."
    in_table = read(rb"\trowd\intbl The bridge" + aside + rb" is old\cell 7\cell\row\pard It stands.\par").text
    assert in_table == f"The bridge is old; 7\n\n{text}\n\nIt stands."


@pytest.mark.parametrize("kind", [b"header", b"headerl", b"headerr", b"headerf", b"footer", b"footerl", b"footerr", b"footerf"])
def test_headers_and_footers_stand_at_the_end_once(kind):
    margin = rb"{\%s \pard Annual report{\footnote and its note}\par}" % kind
    assert read(margin + rb"{\footerr\qc - \chpgn  -\par}One\par\sect" + margin + rb"Two\par").text == (
        "One\n\nTwo\n\nAnnual report\n\nand its note"
    )


def test_headings_and_the_title_are_those_of_styles_and_levels():
    styles = rb"{\stylesheet{Normal;}{\s1\outlinelevel0 Kop 1;}{\s2 heading 2;}{\s3 Title;}{\*\cs9 heading 3;}}"
    body = rb"\s3 Tour\par\pard\s1 Spain\par\pard x\par\pard\s2 Toledo\par\pard y\par\pard\outlinelevel0 End\par z"
    document = read(styles + body)
    assert document.title == "Tour"
    assert [section.location.get("heading") for section in document.sections] == [
        None, ["Spain"], ["Spain"], ["Spain", "Toledo"], ["Spain", "Toledo"], ["End"], ["End"],
    ]  # fmt: skip


def test_lists_and_nested_tables():
    items = rb"{\listtext\pard 1.\tab}{\pntext 1.\tab}one\par{\pntext\f3\'b7\tab}two\par"
    assert read(rb"List\par" + items + rb" end\par").text == "List\n\n1. one\n• two\n\nend"
    inner = rb"\itap2 x\nestcell y\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}\intbl\itap1 after"
    assert read(rb"\trowd\intbl a\par b\cell " + inner + rb"\cell\row\pard end\par").text == "a b; x; y after\n\nend"


# -- tracked changes


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (rb"fee is {\deleted\revauthdel1 100}{\revised 250} euros", "fee is 250 euros"),
        (rb"fee is \deleted 100\deleted0\revised 250\revised0  euros", "fee is 250 euros"),
        (rb"fee is {\deleted 100 \plain 250} euros", "fee is 250 euros"),
        (rb"fee is {\mvf gone }{\deleted \'31\u8364 ?{\b 00}}250 euros", "fee is 250 euros"),
        (rb"fee is {\deleted 1{\footnote note}00{\*\annotation no}}250 euros", "fee is 250 euros"),
        (rb"fee is{\deleted\par} 250 euros", "fee is 250 euros"),
        (rb"fee is {\deleted {\field{\*\fldinst SYMBOL 97 \\f Symbol}{\fldrslt 100}}}250 euros", "fee is 250 euros"),
    ],
)
@pytest.mark.parametrize(
    "place", [rb"%s\par", rb"\trowd\intbl %s\cell\row", rb"x{\footnote %s}", rb"x{\header %s\par}", rb"x{\*\annotation %s}"]
)
def test_what_was_deleted_with_changes_tracked_is_left_out(change, text, place):
    assert read(place % change).text.removeprefix("x").strip() == text


# -- letters


@pytest.mark.parametrize(
    ("start", "codec"),
    [
        (rb"\mac", "mac-roman"),
        (rb"\pc", "cp437"),
        (rb"\pca", "cp850"),
        (rb"\ansi\ansicpg1250", "cp1250"),
        (rb"\ansi\ansicpg1251", "cp1251"),
        (rb"\ansi\ansicpg1253", "cp1253"),
        (rb"\ansi\ansicpg932", "cp932"),
        (rb"\ansi\ansicpg936", "gbk"),
        (rb"\ansi\ansicpg65001", "utf-8"),
        (rb"\mac\ansicpg10000", "mac-roman"),
        (rb"\mac\ansicpg10007", "mac-cyrillic"),
    ],
)
@pytest.mark.parametrize("fonts", [b"", rb"\deff0{\fonttbl{\f0 Geneva;}}\f0", rb"\deff0{\fonttbl\f0\fcharset1 Arial;}"])
@given(data=st.data())
def test_bytes_are_read_in_the_code_page_of_the_document(start, codec, fonts, data):
    letters = [letter for letter in "äéüßñÆøłžąчБЖяΩωбあ亜漢字橋" if can_encode(letter, codec)]
    word = data.draw(st.text(letters, min_size=1))
    assert read(b"a " + escape(word, codec) + rb"\par", rb"{\rtf1" + start + fonts).text == f"a {word}"


def can_encode(letter: str, codec: str) -> bool:
    try:
        return bool(letter.encode(codec))
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize(
    ("font", "codec", "word"),
    [(1, "cp1251", "Мост"), (2, "cp932", "表予ソ橋"), (5, "cp1250", "čeština"), (6, "cp1253", "γέφυρα"), (7, "mac-roman", "é")],
)
@pytest.mark.parametrize("place", [rb"%s\par", rb"\trowd\intbl %s\cell\row", rb"x{\footnote %s}", rb"x{\*\shpinst{\shptxt %s}}"])
def test_bytes_are_read_in_the_code_page_of_their_font(font, codec, word, place):
    run = rb"{\f%d %s}{\f0 \'e9}" % (font, escape(word, codec))
    assert read(place % run).text.removeprefix("x").strip() == f"{word}é"
    raw = word.encode(codec)  # a second byte may be one that means something here
    escaped = raw.replace(b"\\", rb"\\").replace(b"{", rb"\{").replace(b"}", rb"\}")
    assert read(place % (rb"{\f0\loch\f0\dbch\af%d %s}" % (font, escaped))).text.removeprefix("x").strip() == word


def test_bytes_that_are_not_what_is_said_of_them_are_read_as_what_they_are():
    russian, polish = "Старый мост через реку, построенный давно", "Stary most jest piękny"
    assert read(escape(russian, "cp1251")).text == russian
    assert read(rb"\f8 " + escape(russian, "cp1251"), rb"{\rtf1\ansi\ansicpg1251" + FONTS).text == russian
    assert read(rb"\f8 caf" + escape("é", "cp1252"), rb"{\rtf1\ansi\ansicpg1251" + FONTS).text == "café"
    assert read(escape(polish, "utf-8")).text == polish
    assert read(f"{russian}, {polish}".encode()).text == f"{russian}, {polish}"


def test_unicode_and_what_stands_beside_it_for_others():
    assert read(rb"a\u8364 ?b\u-10179?\u-8704\'3f \uc2\u252\'81\'82x\uc0\u228y {\uc1\u8212\emdash z}").text == "a€b😀 üxäy —z"
    document = read(rb"{\info{\upr{\title old}{\*\ud{\title Pont}}}}{\upr{old}{\*\ud new}} words")
    assert (document.title, document.text) == ("Pont", "new words")
    assert read(rb"un\-break\_able\~line\line end \{\}\\ {\*\unknown not}{\unknown this}").text == (
        "unbreak-able\xa0line\nend {}\\ this"
    )


@pytest.mark.parametrize(
    "sign",
    [
        rb"{\f3 m}",
        rb"{\f3\'6d}",
        rb"{\f3\u61549 ?}",
        rb"{\f3\u-3987 ?}",
        rb"""{\field{\*\fldinst SYMBOL 109 \\f "Symbol" \\s 10}{\fldrslt}}""",
        rb"{\field{\*\fldinst{SYMBOL 109 \\f Symbol}}{\fldrslt{\f3 m}}}",
    ],
)
@pytest.mark.parametrize("place", [rb"%s\par", rb"\trowd\intbl %s\cell\row", rb"x{\footnote %s}", rb"x{\header %s\par}"])
def test_signs_are_those_of_their_font(sign, place):
    assert read(place % (b"5 " + sign + rb"g {\f4\'e0 \'fc}")).text.removeprefix("x").strip() == "5 μg → ✓"


# -- bytes that look like others


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (rb"\fftype1\ffres1", "☒"),
        (rb"\fftype1\ffres0\ffdefres1", "☐"),
        (rb"\fftype1\ffres25\ffdefres1{\*\ffname Agree}", "☒"),
        (rb"\fftype1", "☐"),
        (rb"\fftype2\ffres1{\*\ffname City}{\*\ffl Oslo}{\*\ffl Bergen}", "Bergen"),
        (rb"\fftype2\ffres25\ffdefres0{\*\ffl Oslo}{\*\ffl Bergen}", "Oslo"),
        (rb"\fftype2\ffres9{\*\ffl Oslo}", ""),
    ],
)
@pytest.mark.parametrize("place", [rb"%s\par", rb"\trowd\intbl %s\cell\row", rb"x{\footnote %s}"])
def test_a_form_field_shows_what_it_is_set_to(form, text, place):
    field = rb"{\field{\*\fldinst { FORM }{\*\formfield{%s}}}{\fldrslt }}" % form
    assert read(place % (b"a" + field + b" b")).text.removeprefix("x\n\n") == f"a{text} b"


def test_a_text_in_a_form_stands_as_it_was_typed_and_each_field_by_itself():
    box = rb"{\field{\*\fldinst FORMCHECKBOX{\*\formfield{\fftype1\ffres1}}}{\fldrslt }}"
    text = rb"{\field{\*\fldinst FORMTEXT{\*\formfield{\fftype0{\*\ffdeftext name}}}}{\fldrslt Ann}}"
    assert read(box + text + rb"{\field{\*\fldinst PAGE}{\fldrslt 5}}").text == "☒Ann5"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (rb"{\mr x=}{\mf{\mfPr{\mctrlPr}}{\mnum{\mr a}{\mr +b}}{\mden{\mr 2}}}", "x=(a+b)/2"),
        (rb"{\mr 2}{\mf{\mnum 1}{\mden 2}}", "2 1/2"),
        (rb"{\msSup{\me{\mr y}}{\msup{\mr 2}}}{\md{\mdPr}{\me{\mr q+1}}}", "y^2(q+1)"),
        (rb"{\mnary{\mnaryPr{\mchr \u8721 ?}{\mlimLoc undOvr}}{\msub{\mr i=1}}{\msup{\mr n}}{\me{\mr  i}}}", "∑_(i=1)^n i"),
    ],
)
def test_the_parts_of_a_formula_stay_apart(formula, text):
    assert read(rb"{\mmath{\*\moMath" + formula + rb"}}\par").text == text


def test_a_byte_order_mark_in_front_is_no_text():
    for suffix in (".rtf", ".txt"):
        [document] = load(RawFile("file", suffix, content=b"\xef\xbb\xbf{\\rtf1 word\\par}"))
        assert isinstance(document, ParsedDocument)
        assert document.text == "word"


def test_pictures_are_passed_over_and_long_numbers_are_not():
    digits = b" ".join([b"123 456"] * 100) + b" " * 600
    picture = rb"{\*\shppict{\pict\pngblip\bin7 }}}{{{\}}{\nonshppict{\pict\wmetafile8 " + b"0a" * 600 + rb"}}"
    text = read(picture + digits + rb"end\par\bin more\bin-1  words{\object{\*\objdata 0105}{\result shown}}\bin999999 .").text
    assert " ".join(text.split()) == digits.decode().strip() + " end more wordsshown."


@pytest.mark.parametrize("body", [rb"{\pict\bin 89504e47}", rb"{\pict\bin}", rb"{\pict\bin0 }", rb"{\pict\bin99999999 0a}"])
def test_a_picture_of_no_known_length_costs_no_text(body):
    assert read(rb"Before.\par" + body + rb"After.\par").text == "Before.\n\nAfter."


def test_a_document_cut_short_keeps_what_it_has():
    [document] = load(RawFile("file", ".rtf", content=rb"{\rtf1\ansi One{\footnote two {\b three"))
    assert isinstance(document, ParsedDocument)
    assert document.text == "One\n\ntwo three"
    assert read(rb"One\par}{\rtf1 other").text == "One"


def test_groups_inside_each_other_have_an_end():
    with pytest.raises(UnreadableFileError, match="groups lie inside each other"):
        read(b"{" * 50_000)


words = st.text("abcdefghij", min_size=3, max_size=8)
places = st.sampled_from([rb"%s\par", rb"\trowd\intbl %s\cell\row\pard", rb"{\footnote %s}\par", rb"{\*\annotation %s\par}\par"])


@given(st.lists(st.tuples(words, places), min_size=1, max_size=12))
def test_every_word_is_found_once_in_its_order(parts):
    body = b"".join(place % f"{word}{number}.".encode() + b" " for number, (word, place) in enumerate(parts))
    assert read(body).text.split() == [f"{word}{number}." for number, (word, _) in enumerate(parts)]
