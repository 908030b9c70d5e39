from __future__ import annotations

import codecs
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.settings import STREAM_MIN_BYTES
from vecsearch.documents.decoding import BinaryFileError, decode, is_binary
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.text_stream import choose_encoding, read_text

LINE = "12:00:01 the bridge over the river is closed today, it says\n"


def stream(data):
    return "".join(read_text(lambda: io.BytesIO(data), choose_encoding(lambda: io.BytesIO(data))))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (LINE + "a line \0 with a NUL\n", LINE + "a line  with a NUL\n"),
        (LINE + "one\0two\n", LINE + "one two\n"),
        (LINE + "one\0\0\0\0two\n", LINE + "one two\n"),
        ("ends in C\0\n" + LINE, "ends in C\n" + LINE),
        ("ends in C\0\r\n" + LINE, "ends in C\n" + LINE),
        (LINE + "\0" * 5_000 + LINE, LINE + " " + LINE),
        (LINE * 3 + "\0\0\0", LINE * 3),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_few_nuls_leave_a_text_one(source, text, encoding):
    beginning = "Die Mädchen aßen Brötchen über dem Fluß.\n"
    data = (beginning + source).encode(encoding)
    assert decode(data) == stream(data) == beginning + text
    assert not is_binary(data)


def test_a_log_that_was_emptied_while_it_was_written_begins_with_nuls():
    assert decode(b"\0" * 100_000 + LINE.encode() * 2) == " " + LINE * 2


@pytest.mark.parametrize("suffix", [".txt", ".log", ".md", ".csv", ".json", ".py", ".html", ".unknown", ""])
def test_a_file_of_text_with_a_nul_is_read(suffix):
    document = next(iter(load(RawFile("file", suffix, content=(LINE * 3 + "a word \0 after\n").encode()))))
    assert isinstance(document, ParsedDocument)
    assert "after" in document.text
    assert "\0" not in document.text


@pytest.mark.parametrize(
    "data", [b"hello\0world", b"hello\0world\0" * 50, b"\0" * 100, b"\0\1\2\3" * 9, codecs.BOM_UTF8 + b"ab\0cd\0ef"]
)
def test_many_nuls_are_binary(data):
    with pytest.raises(BinaryFileError, match="NUL"):
        decode(data)
    with pytest.raises(BinaryFileError, match="NUL"):
        stream(data)


def test_an_archive_of_texts_is_no_text():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = len(LINE) * 1_000
        tar.addfile(info, io.BytesIO(LINE.encode() * 1_000))
    with pytest.raises(BinaryFileError, match="a tar archive"):
        decode(archive.getvalue())
    assert is_binary(archive.getvalue())


def test_a_large_log_with_nuls_comes_in_portions_and_keeps_its_lines(tmp_path):
    (tmp_path / "app.log").write_bytes((LINE * 50 + "\0\0boot\0\n").encode() * (STREAM_MIN_BYTES // len(LINE) // 50))
    portions = list(load(RawFile("app.log", ".log", path=tmp_path / "app.log")))
    assert len(portions) > 1
    assert "".join(part.text for part in portions if isinstance(part, ParsedDocument)).startswith(LINE * 50 + " boot\n" + LINE)


@given(st.lists(st.sampled_from([LINE, "\0", " \0", "\0\n", "word"]), max_size=30))
def test_no_word_is_lost_and_none_are_glued(parts):
    source = LINE * 20 + "".join(parts)
    assert decode(source.encode()).split() == source.replace("\0", " ").split()


# -- pictures written as text

XPM = b'/* XPM */\nstatic char *icon[] = {\n"16 16 3 1",\n" \tc None",\n".\tc #000000",\n"................"};\n'
XBM = b"#define icon_width 16\n#define icon_height 16\nstatic unsigned char icon_bits[] = {\n 0x00, 0xff };\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (XPM, "XPM"), (b"\n" + XPM, "XPM"), (b"! XPM2\n16 16 2 1\n", "XPM"), (XBM, "XBM"),
        (b"/* made by\n a program */\n" + XBM, "XBM"),
        (b"P1\n# a comment\n4 2\n0 1 0 1\n1 0 1 0\n", "PNM"), (b"P3\n2 2 255\n1 2 3\n", "PNM"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".xpm", ".h", ".txt", ""])
def test_a_picture_written_as_text_is_no_text(data, kind, suffix):
    assert is_binary(data)
    with pytest.raises(BinaryFileError, match=f"{kind} image"):
        list(load(RawFile("file", suffix, content=data)))


@pytest.mark.parametrize(
    "data",
    [
        b"/* XPM pictures are read here */\nint x;\n",
        b"#define box_width 3\n#define box_depth 4\n",
        b"P1 is a pen.\n",
        b"P3\nwords\n",
    ],
)
def test_words_about_pictures_are_text(data):
    assert decode(data) == data.decode()
