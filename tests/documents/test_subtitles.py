from __future__ import annotations

from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files" / "good"


def load_subtitles(text, suffix):
    (draft,) = load(RawFile("file", suffix, content=text if isinstance(text, bytes) else text.encode()))
    return draft


def load_vtt(text):
    return load_subtitles(f"WEBVTT\n\n{text}", ".vtt")


def load_srt(text):
    return load_subtitles(text, ".srt")


def list_cues(draft):
    """List each cue's time and line."""
    starts = [section.start for section in draft.sections]
    lines = [draft.text[start:end].rstrip("\n") for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return [(*section.location["time"], line) for section, line in zip(draft.sections, lines, strict=True)]


TWO = [("00:00:01.000", "00:00:02.500", "One, and more"), ("01:00:03.000", "01:00:04.000", "Two")]


def test_each_cue_is_a_line_that_knows_its_time():
    assert (
        list_cues(load_vtt("00:01.000 --> 00:02.500\nOne,\nand more\n\n01:00:03.000 --> 01:00:04.000 align:start\nTwo\n")) == TWO
    )
    assert (
        list_cues(load_srt("1\n00:00:01,000 --> 00:00:02,500\nOne,\nand more\n\n2\n01:00:03,000 --> 01:00:04,000 X1:1\nTwo\n"))
        == TWO
    )


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: text + "\n\n\n"]
)
def test_line_ends_and_marks_make_no_difference(change):
    assert (
        list_cues(load_srt(change("1\n00:00:01,000 --> 00:00:02,500\nOne,\nand more\n\n2\n01:00:03,000 --> 01:00:04,000\nTwo")))
        == TWO
    )


def test_notes_styles_regions_and_names_of_cues_are_no_words():
    text = (
        "NOTE\nhidden\nmore\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:fred\n\n"
        "intro --\n00:01.000 --> 00:02.000\nHi\n\nNOTE end\n\nouter\n00:03.000 --> 00:04.000\nBye"
    )
    assert load_vtt(text).text == "Hi\nBye"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("<v Ann>Hello <i>there</i></v>", "Ann: Hello there"),
        ("<v.loud Ann Lee>Hi.</v> <v Bob>Yes?", "Ann Lee: Hi. Bob: Yes?"),
        ("<c.yellow.bg_blue>a</c> <lang en-GB>b</lang> <b.x>c</b> <ruby>d<rt>e</rt></ruby>", "a b c de"),
        ("<00:00:01.500><c>one</c><00:00:01.700><c> two</c>", "one two"),
        ("Tom &amp; Jerry &lt;3&nbsp;x", "Tom & Jerry <3 x"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ('<font color="#fff">a</font> {\\an8}b', "a b"),
    ],
)
def test_tags_are_left_out_and_voices_stay(line, words):
    assert load_vtt(f"00:01.000 --> 00:02.000\n{line}").text == words


def test_a_cue_without_words_is_left_out():
    assert list_cues(load_vtt("00:01.000 --> 00:02.000\n\n00:03.000 --> 00:04.000\n<c></c>\n\n00:05.000 --> 00:06.000\nHi")) == [
        ("00:00:05.000", "00:00:06.000", "Hi")
    ]


def test_untidy_subrip_is_read():
    text = (
        "left over\n\n1\n0:0:1.0 --> 0:0:2,5\nOne\n2\n00:00:03,000 -> 00:00:04,000\nTwo\n\nstill two\n\n\n"
        "3\n00:00:05,000-->00:00:06,000\n42\n\n4\n00:00:07,000 --> 00:00:08,000\nFour"
    )
    assert list_cues(load_srt(text)) == [
        ("00:00:01.000", "00:00:02.500", "One"),
        ("00:00:03.000", "00:00:04.000", "Two still two"),
        ("00:00:05.000", "00:00:06.000", "42"),
        ("00:00:07.000", "00:00:08.000", "Four"),
    ]


def test_a_countdown_keeps_its_numbers():
    assert load_vtt("00:01.000 --> 00:02.000\n3\n\n00:02.000 --> 00:03.000\n2\n\n7\n00:03.000 --> 00:04.000\n1").text == "3\n2\n1"


def test_captions_that_roll_say_each_line_once():
    text = (
        "00:01.000 --> 00:02.000\n \none<00:01.500><c> two</c>\n\n00:02.000 --> 00:02.010\none two\n \n\n"
        "00:02.010 --> 00:04.000\none two\nthree"
    )
    assert load_vtt(text).text == "one two\nthree"
    assert load_vtt("00:01.000 --> 00:02.000\nNo!\n\n00:03.000 --> 00:04.000\nNo!").text == "No!\nNo!"


def test_the_language_is_read_where_it_is_stated():
    assert load_subtitles("WEBVTT\nKind: captions\nLanguage: de\n\n00:01.000 --> 00:02.000\nJa", ".vtt").metadata == {
        "language": "de"
    }
    assert load_vtt("00:01.000 --> 00:02.000\nLanguage: none").metadata == {}


def test_a_webvtt_without_its_first_line_is_read():
    assert load_subtitles("00:01.000 --> 00:02.000\nHi", ".vtt").text == "Hi"


def test_subtitles_in_an_old_encoding_are_read():
    assert load_srt("1\n00:00:01,000 --> 00:00:02,000\nÇa va très bien, déjà\n".encode("cp1252")).text == "Ça va très bien, déjà"


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
def test_what_is_no_subtitles_says_so(suffix):
    with pytest.raises(UnreadableFileError, match="no line of it says from when to when"):
        load_subtitles("some text\nand more", suffix)
    with pytest.raises(EmptyFileError, match="the file is empty"):
        load_subtitles("", suffix)
    with pytest.raises(BinaryFileError, match="not text"):
        load_subtitles(b"\0\1\2\3" * 9, suffix)
    with pytest.raises(EmptyFileError, match="no text in it"):
        load_subtitles("WEBVTT\n\nNOTE nothing yet\n", ".vtt")


@pytest.mark.parametrize("piece", ["<v ", "<v" + " " * 1_000, "{\\", "<a", "</", " ", "&", "1:1 --"])
def test_hostile_lines_take_no_time(piece):
    assert load_vtt("00:01.000 --> 00:02.000\n" + piece * (200_000 // len(piece)) + "x\nend").text.endswith("end")


@pytest.mark.parametrize(
    ("name", "cues", "line"),
    [
        ("docling__webvtt_example_01.vtt", 13, ("00:00:32.500", "00:00:33.500", "Neil deGrasse Tyson: Laughs")),
        ("docling__webvtt_example_03.vtt", 13, ("00:00:10.683", "00:00:11.563", "Good.")),
        (
            "docling__webvtt_example_04.vtt",
            2,
            ("04:03:00.000", "04:06:00.000", "Last night the chef surprised us with a culinary adventure."),
        ),
        ("tika__testWebVTT.vtt", 8, ("00:00:28.000", "00:00:30.000", "Simply for everyone")),
        ("tika__test_subrip.srt", 10, ("00:01:28.880", "00:01:31.520", "Réalisation TOTO")),
    ],
)
def test_real_subtitles_are_read(name, cues, line):
    if not (DATA / name).exists():
        pytest.skip("the real files of ../shared/data/files are not there")
    actual_cues = list_cues(load_subtitles((DATA / name).read_bytes(), Path(name).suffix))
    assert len(actual_cues) == cues
    assert line in actual_cues
