from __future__ import annotations

import codecs
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.decoding import BinaryFileError, UnknownEncodingError, decode, find_declared_charset, is_binary

RUSSIAN = "Привет, это обычный русский текст о том, как кошка сидела на окне и смотрела на улицу. Потом она ушла спать."
JAPANESE = "これは日本語のテキストです。猫が窓に座って外を見ていました。その後、疲れたので寝に行きました。" * 2
CHINESE = "这是一个普通的中文文本，讲的是一只猫坐在窗户上看着街道。后来它累了，就去睡觉了。" * 2
KOREAN = "이것은 창문에 앉아 거리를 바라보던 고양이에 관한 평범한 한국어 텍스트입니다. 나중에 피곤해서 자러 갔습니다."
GREEK = "Αυτό είναι ένα συνηθισμένο ελληνικό κείμενο για μια γάτα που καθόταν στο παράθυρο και κοίταζε τον δρόμο."
ARABIC = "هذا نص عربي عادي عن قطة كانت تجلس على النافذة وتنظر إلى الشارع ثم ذهبت للنوم بعد ذلك بقليل"
POLISH = "Zażółć gęślą jaźń. To jest zwykły polski tekst o kocie, który siedział na oknie i patrzył na ulicę. Później spał." * 2
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Kočka seděla na okně a dívala se na ulici, pak šla spát." * 2

# No control characters, which are binary's mark, no lone surrogates, no byte order mark (of which one is dropped).
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), st.sampled_from("\n\r\t\f"))
)


def normalize_newlines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(texts)
def test_utf_8_comes_back_as_it_was_but_for_line_ends(text):
    assert decode(text.encode()) == normalize_newlines(text)
    assert not is_binary(text.encode())


@given(texts, st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_text_with_a_byte_order_mark_comes_back_without_it(text, encoding):
    assert decode(text.encode(encoding)) == normalize_newlines(text)
    assert not is_binary(text.encode(encoding))


def test_big_endian_marks_are_known():
    assert decode(codecs.BOM_UTF16_BE + "naïve 猫".encode("utf-16-be")) == "naïve 猫"
    assert decode(codecs.BOM_UTF32_BE + "naïve 猫".encode("utf-32-be")) == "naïve 猫"


@given(st.binary(max_size=300))
def test_any_bytes_are_text_without_nuls_or_a_one_line_error(data):
    is_binary(data)
    try:
        text = decode(data)
    except UnreadableFileError as error:
        assert "\n" not in str(error)
    else:
        assert not set("\0\r") & set(text)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["hello, world\n", "naïve café\n", RUSSIAN])
def test_utf_16_without_a_mark_is_known_by_its_nuls(text, encoding):
    assert decode(text.encode(encoding)) == text
    assert not is_binary(text.encode(encoding))


@pytest.mark.parametrize(
    "data",
    [
        b"hello\0world",
        b"hello\0world\0" * 50,
        b"\0" * 100,
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7\nhello",
        b"PK\x03\x04mimetype",
        b"\x1f\x8b\x08abc",
        b"\x7fELF\x02",
        b"\xff\xd8\xff\xe0",
        b"GIF89a\x01\x02",
        b"SQLite format 3\0",
        random.Random(1).randbytes(3000),
        bytes(byte or 1 for byte in random.Random(2).randbytes(3000)),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_binary_data_is_not_text(data):
    assert is_binary(data)
    with pytest.raises(BinaryFileError, match="binary"):
        decode(data)


def test_random_printable_bytes_are_not_guessed_at():
    printable = [*range(32, 127), *range(128, 256)]
    for seed in range(20):
        with pytest.raises(UnreadableFileError, match="encoding"):
            decode(bytes(random.Random(seed).choices(printable, k=400)))


@pytest.mark.parametrize(
    "text",
    [
        "café",
        "café crème brûlée naïve façade €",
        "« Ça va ? » — l’œuvre de Noël, à 50 €, était très agréable",
        "« CAFÉ »",
        "Die Größe der Straße: „schön“ – überall müßig. ÜBER ÄRGER, 5 °C, § 3",
        "¿Dónde está el niño? ¡Mañana! El año pasado",
        "Hän pääsi häät yöllä. Äiti söi",
        "Não há coração; ações, opiniões. SÃO PAULO",
        "Rødgrød med fløde på Ærø",
        "a “windows” encoding, isn’t it…",
    ],
)
def test_western_single_byte_text_is_read_as_windows_1252(text):
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859-5"),
        (GREEK, "cp1253"),
        (ARABIC, "cp1256"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (CZECH, "cp1250"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (KOREAN, "euc_kr"),
    ],
)
def test_longer_text_in_an_old_national_encoding_is_recognised(text, encoding):
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("text", ["狗" * 3, "Привет", "Zażółć gęślą jaźń"])
def test_too_short_a_text_in_such_an_encoding_is_an_error_not_a_guess(text):
    encoding = {"狗": "gb18030", "П": "cp1251", "Z": "cp1250"}[text[0]]
    with pytest.raises(UnknownEncodingError, match="save it as UTF-8"):
        decode(text.encode(encoding))


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (("é" + "x" * 1232 + "é").encode()[:-1], "1,234"),
        ("日本語テキスト".encode()[:-1], "18"),
        ("日本語".encode() + b"\xff" + "テキスト".encode(), "9"),
        ("café été déjà".encode() + "café été".encode("cp1252"), "21"),
    ],
)
def test_damaged_utf_8_is_an_error_that_names_the_byte(data, place):
    with pytest.raises(UnreadableFileError, match=f"broken UTF-8 at byte {place}; save it as UTF-8") as excinfo:
        decode(data)
    assert not isinstance(excinfo.value, BinaryFileError)


@pytest.mark.parametrize("data", [codecs.BOM_UTF16_LE + b"a\0\0", codecs.BOM_UTF16_LE + b"\0\xd8a\0", codecs.BOM_UTF8 + b"a\xff"])
def test_a_file_that_breaks_the_promise_of_its_mark_is_an_error(data):
    with pytest.raises(UnreadableFileError, match="broken UTF-"):
        decode(data)


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "N\bNA\bAM\bME\bE", "page one\fpage two", "the end\x1a", "bell\x07"])
def test_old_seven_bit_text_is_text(text):
    assert decode(text.encode()) == text
    assert not is_binary(text.encode())


def test_line_ends_become_newlines_and_no_bytes_no_text():
    assert decode(b"a\r\nb\rc\n\r\nd") == "a\nb\nc\n\nd"
    assert decode(b"") == ""


def test_a_character_cut_by_the_end_of_the_head_does_not_make_it_binary():
    assert not is_binary(("日本語" * 100).encode()[:100])
    assert not is_binary("hello".encode("utf-16-le")[:9])


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b'<meta charset="iso-8859-1">', "cp1252"),
        (b"<META http-equiv=Content-Type content='text/html; charset=GB2312'>", "gb18030"),
        (b'<?xml version="1.0" encoding="ISO-8859-2"?>', "iso8859-2"),
        (b"<meta charset=x-sjis>", "cp932"),
        (b"<meta charset=UTF8>", "utf-8"),
        (b"<meta charset=windows-1251 />", "cp1251"),
        (b"<meta charset=base64>", None),
        (b"<meta charset=unicode_escape>", None),
        (b"<meta charset=no-such-thing>", None),
        (b"<p>charset=utf-8</p>", None),
        (b"", None),
    ],
)
def test_the_encoding_that_a_page_declares_is_found(data, codec):
    assert find_declared_charset(data) == codec


def test_a_declared_encoding_counts_only_where_the_bytes_are_no_utf_8():
    assert decode("Привет".encode("cp1251"), declared="cp1251") == "Привет"
    assert decode("Привет".encode(), declared="cp1251") == "Привет"
    assert decode("café".encode("cp1252"), declared="utf-8") == "café"
