"""A large file is decoded a block at a time, to the same text, or the same error, as all of its bytes together."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents import text_stream
from vecsearch.documents.decoding import decode
from vecsearch.documents.text_stream import choose_encoding, read_text

WESTERN = "Die Mädchen aßen Brötchen, während die Gäste über den Fluß gingen – „schön“, sagte er; 20 € für das Café.\n"
RUSSIAN = "Привет, это обычный русский текст о том, как кошка сидела на окне и смотрела на улицу. Потом она ушла спать.\n"
JAPANESE = "これは日本語のテキストです。猫が窓に座って外を見ていました。その後、疲れたので寝に行きました。\n" * 2
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "cp1251", "koi8-r", "cp932"]
FRAGMENTS = [
    *(text.encode(codec, "ignore") for text in (WESTERN, RUSSIAN, JAPANESE) for codec in ("utf-8", "cp1252", "cp1251", "cp932")),
    codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, b"\0", b"\0\0", b"a\0", b"\0a", b"\r", b"\n",
    b"\r\n", b"\x01\x02\x03\x04", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xa4\xff", b"\x81", b"a\xb4b", b"\xe4\xf6\xfc",
    b"\xd8\x00", b"%PDF-", b"plain words, a line\n" * 5,
]  # fmt: skip


def attempt(work):
    try:
        return work()
    except UnreadableFileError as error:
        return type(error), str(error)


def decode_in_blocks(data, monkeypatch, size):
    monkeypatch.setattr(text_stream, "STREAM_BLOCK_BYTES", size)

    def open_file():
        return io.BytesIO(data)

    return "".join(read_text(open_file, choose_encoding(open_file)))


def check(data, size):
    with pytest.MonkeyPatch.context() as monkeypatch:
        streamed = attempt(lambda: decode_in_blocks(data, monkeypatch, size))
    assert streamed == attempt(lambda: decode(data))


@given(st.binary(max_size=200), st.sampled_from([2, 4, 16, 64]))
@example(b"", 2)
@example("naïve".encode("utf-16-le"), 2)
def test_any_bytes_say_the_same_in_blocks(data, size):
    check(data, size)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12), st.sampled_from([2, 6, 64, 1_000]))
def test_any_mixture_of_encodings_says_the_same_in_blocks(fragments, size):
    check(b"".join(fragments), size)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(ENCODINGS), st.sampled_from([2, 6, 64]))
def test_any_text_in_any_encoding_says_the_same_in_blocks(text, encoding, size):
    check(text.encode(encoding, "ignore") * 3, size)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", [b"", b"\xc3", b"\xff", b"\x81", b"\0", b"\xd8"], ids=repr)
@pytest.mark.parametrize("text", [WESTERN, RUSSIAN, JAPANESE], ids=["western", "russian", "japanese"])
def test_an_invalid_byte_at_the_very_end_decides_as_for_the_whole(text, encoding, end):
    check((text * 40).encode(encoding, "ignore") + end, 1_000)


def test_a_file_that_changes_while_it_is_read_fails():
    contents = iter([b"plain", b"plain", b"pl\xffin"])
    encoding = choose_encoding(lambda: io.BytesIO(next(contents)))
    with pytest.raises(UnreadableFileError, match="changed while it was read"):
        list(read_text(lambda: io.BytesIO(next(contents)), encoding))
