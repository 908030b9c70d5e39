"""Pages of a PDF that are pictures: drawn, and their words read, where that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import NamedTuple

import pypdfium2  # type: ignore[import-untyped]

from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.settings import OCR_DPI, OCR_DPI_MAX, OCR_PAGE_PIXELS, OCR_PAGE_SECONDS, OCR_PAGES_MAX, OCR_PIXELS_MAX
from vecsearch.core.types import Metadata, format_names
from vecsearch.documents.loaders.document_builder import DocumentBuilder
from vecsearch.documents.loaders.media.page_reader import get_page_reader
from vecsearch.documents.loaders.media.text_blocks import BlockWriter, PageReader, TextBlock
from vecsearch.documents.loaders.raw_file import RawFile


class ScannedPage(NamedTuple):
    """What was read on a page; boxes times `points` are in 1/72 inch."""

    blocks: Sequence[TextBlock] = ()
    points: float = 1.0


class ScanReader:
    """Reads the scanned pages of one PDF, `raw`, which may take longer for each of them."""

    def __init__(self, builder: DocumentBuilder, raw: RawFile) -> None:
        self._builder, self._writer, self._raw = builder, BlockWriter(builder), raw
        self._pages = 0
        self._unread: list[str] = []
        self.why_not = ""

    def read(self, page: pypdfium2.PdfPage, number: int) -> ScannedPage:
        """Return what an open page, of this number from 1, shows; nothing where no reader is installed.

        Raises UnreadableFileError after too many.
        """
        reader = self._reader
        if reader is None:
            self._unread.append(str(number))
            self._raw.lacks.add("ocr")
            return ScannedPage()
        self._pages += 1
        if self._pages > OCR_PAGES_MAX:
            raise UnreadableFileError(f"a scan; no more than {OCR_PAGES_MAX:,} pages of a file are read")
        self._raw.extend_time(OCR_PAGE_SECONDS)
        scale = _choose_scale(*page.get_size())
        bitmap = page.render(scale=scale, grayscale=True)
        try:
            blocks = reader.read(bytes(bitmap.buffer), (bitmap.width, bitmap.height), stride=bitmap.stride, dpi=round(72 * scale))
        finally:
            bitmap.close()
        return ScannedPage(blocks, 1 / scale)

    def write(self, page: ScannedPage, number: int) -> None:
        """Write what was read on the page of this number, from 1."""
        if page.blocks:
            self._writer.write(page.blocks, {"page": number}, scale=page.points)
            self._builder.at({"page": number})  # what follows was not read there

    def list_unread(self) -> Iterator[SkippedFile]:
        """Yield which pages were passed over, if any, and what would read them."""
        if self._unread:
            pages = f"page{'s' * (len(self._unread) > 1)} {format_names(self._unread)}"
            yield SkippedFile(self._raw.name, f"{pages}: no text, a scan or a drawing; {self.why_not}")

    def describe(self) -> Metadata:
        """Return what metadata say of how the pages were read; nothing where none was."""
        reader = self._reader if self._pages else None
        return {} if reader is None else self._writer.describe_reading(reader)

    @lazy_property
    def _reader(self) -> PageReader | None:
        try:
            return get_page_reader()
        except UnavailableError as error:
            self.why_not = str(error)
            return None


def _choose_scale(width: float, height: float) -> float:
    """Return the pixels for 1/72 inch of a page: OCR_DPI, more on a small page, whose letters are small, less on a huge one."""
    area = max(1.0, width * height)
    finer = min(sqrt(OCR_PAGE_PIXELS / area), OCR_DPI_MAX / 72)
    return min(max(OCR_DPI / 72, finer), sqrt(OCR_PIXELS_MAX / area))
