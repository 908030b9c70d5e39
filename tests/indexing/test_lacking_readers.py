"""Files that a reader was lacking for: indexed as far as they can be read, and read again once it is there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pypdfium2  # type: ignore[import-untyped]
import pytest

import vecsearch
from benchmarks.scanned_pages import build_scan, build_text_page, draw_page
from tests.readers import skip_if_unavailable
from tests.tiny_models import build_clip
from vecsearch.core.errors import UnavailableError
from vecsearch.documents.loaders.media.page_reader import READER_VARIABLE, get_page_reader
from vecsearch.documents.loaders.media.tesseract import LANGUAGES_VARIABLE

FIRST, SCANNED, LAST = "The heron waits in shallow water.", "The crane dances on the meadow.", "The stork builds a nest."


@pytest.fixture
def _reads_pages() -> None:
    skip_if_unavailable(get_page_reader)


@pytest.fixture
def lacks_ocr(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have pages read in a language whose data are not here, as if the reader were not installed."""
    monkeypatch.setenv(LANGUAGES_VARIABLE, "jpn")
    monkeypatch.setenv(READER_VARIABLE, "tesseract")
    try:
        get_page_reader()
    except UnavailableError:
        yield
    else:
        pytest.skip("Japanese is read here, too")


def build_mixed(lines: tuple[str, ...] = (FIRST, SCANNED, LAST)) -> bytes:
    """Build a PDF whose second page is a scan, the others text."""
    document = pypdfium2.PdfDocument.new()
    first, second, third = lines
    for part in (
        build_text_page([first], "Helvetica"),
        build_scan([draw_page([second], "Times-Roman")]),
        build_text_page([third], "Courier"),
    ):
        document.import_pages(pypdfium2.PdfDocument(part))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def read_pages(collection: vecsearch.Collection) -> dict[int, str]:
    (document,) = collection.get(["mixed.pdf"])
    return {chunk.location["page"]: document.text[chunk.start : chunk.end].strip() for chunk in document.chunks}


@pytest.mark.usefixtures("_reads_pages")
def test_the_pages_of_a_mixed_document_stand_in_their_order_each_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "mixed.pdf").write_bytes(build_mixed())
    with vecsearch.open(tmp_path / "db") as collection:
        report = collection.index([tmp_path / "mixed.pdf"])
        assert (report.added, report.skipped, report.failed) == (1, (), ())
        assert read_pages(collection) == {1: FIRST, 2: SCANNED, 3: LAST}
        hit = collection.search("a crane on the meadow")[0]
        assert hit.location["page"] == 2 and len(hit.location["box"]) == 4
        assert collection.index([tmp_path / "mixed.pdf"]).unchanged == 1


@pytest.mark.usefixtures("_reads_pages", "lacks_ocr")
def test_a_mixed_document_is_read_again_once_its_scans_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixed.pdf").write_bytes(build_mixed())
    with vecsearch.open(tmp_path / "db") as collection:
        report = collection.index([tmp_path / "mixed.pdf"])
        assert (report.added, report.failed) == (1, ())
        (skipped,) = report.skipped
        assert "page 2: no text, a scan or a drawing; " in skipped.reason and "pip install" in skipped.reason
        assert read_pages(collection) == {1: FIRST, 3: LAST}
        assert collection.index([tmp_path / "mixed.pdf"]).unchanged == 1  # not read again in vain
        monkeypatch.delenv(LANGUAGES_VARIABLE)
        report = collection.index([tmp_path / "mixed.pdf"])
        assert (report.updated, report.skipped) == (1, ())
        assert read_pages(collection) == {1: FIRST, 2: SCANNED, 3: LAST}
        monkeypatch.setenv(LANGUAGES_VARIABLE, "jpn")
        assert collection.index([tmp_path / "mixed.pdf"]).unchanged == 1  # what was read is kept


@pytest.mark.filterwarnings("ignore:.*runs on sentence-transformers")
@pytest.mark.usefixtures("_reads_pages", "lacks_ocr")
def test_the_words_in_a_picture_are_read_once_they_can_be_beside_its_own_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pytest.importorskip("PIL.Image", reason="pip install pillow")
    image.fromarray(draw_page(["No swimming here"], "Helvetica")[80:600]).save(tmp_path / "sign.png")
    copy(tmp_path / "sign.png", tmp_path / "same.png")
    with vecsearch.open(tmp_path / "db", model=str(build_clip(tmp_path / "clip"))) as collection:
        collection.index([tmp_path / "sign.png", tmp_path / "same.png"])
        assert collection.index().unchanged == 2
        monkeypatch.delenv(LANGUAGES_VARIABLE)
        assert collection.index().updated == 2
        (sign,) = collection.get(["sign.png"])
        assert sign.text == "No swimming here" and [chunk.location.get("media") for chunk in sign.chunks] == [None, "image"]
