"""Which of the readers of words in pictures is used: Tesseract where it is installed, else RapidOCR, or the one that is named."""

from __future__ import annotations

import os
from typing import Final

from vecsearch.core.errors import UnavailableError
from vecsearch.documents.loaders.media.rapid_ocr import load_rapid_ocr
from vecsearch.documents.loaders.media.tesseract import load_tesseract
from vecsearch.documents.loaders.media.text_blocks import PageReader

READER_VARIABLE: Final = "VECSEARCH_OCR_READER"


def get_page_reader() -> PageReader:
    """Return the reader, loaded once a process. Raises UnavailableError with the line that installs what is missing."""
    match os.environ.get(READER_VARIABLE, "").strip().lower():
        case "":
            return _get_any()
        case "tesseract":
            return load_tesseract()
        case "rapidocr":
            return load_rapid_ocr()
        case other:
            raise UnavailableError(f"${READER_VARIABLE} is {other!r}; expected 'tesseract' or 'rapidocr'")


def _get_any() -> PageReader:
    try:
        return load_tesseract()
    except UnavailableError as error:
        try:
            return load_rapid_ocr()
        except UnavailableError:
            raise error from None
