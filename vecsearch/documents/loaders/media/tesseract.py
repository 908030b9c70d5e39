"""The words in a picture, by Tesseract."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from vecsearch.core.settings import OCR_CONFIDENCE_MIN, OCR_DPI
from vecsearch.core.weights import WEIGHTS_VARIABLE, Weights, require_reader
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.media.text_blocks import TextBlock

LANGUAGES_VARIABLE: Final = "VECSEARCH_OCR_LANGUAGES"
_LANGUAGE_HASHES: Final = {  # of the files of tessdata_fast 4.1.0
    "eng": "7d4322bd2a7749724879683fc3912cb542f19906c83bcc1a52132556427170b2",
    "deu": "19d219bbb6672c869d20a9636c6816a81eb9a71796cb93ebe0cb1530e2cdb22d",
    "jpn": "1f5de9236d2e85f5fdf4b3c500f2d4926f8d9449f28f5394472d9e8d83b91b4d",
}
_MODULES: Final = {"tesserocr": "tesserocr"}


class TesseractReader:
    """Tesseract with the languages that were chosen; see PageReader."""

    def __init__(self, folder: str, languages: str) -> None:
        import tesserocr

        self._library: Any = tesserocr
        self._engine: Any = tesserocr.PyTessBaseAPI(path=folder, lang=languages, psm=tesserocr.PSM.AUTO)
        self.languages = languages
        self.engine = tesserocr.tesseract_version().partition("\n")[0]

    def read(self, gray: bytes, size: tuple[int, int], *, stride: int | None = None, dpi: int = OCR_DPI) -> list[TextBlock]:
        """Return the paragraphs of a picture, in the order in which they are read."""
        self._engine.SetImageBytes(gray, *size, 1, stride or size[0])
        self._engine.SetSourceResolution(dpi)
        try:
            self._engine.Recognize()
            return list(self._iterate_blocks())
        finally:
            self._engine.Clear()

    def _iterate_blocks(self) -> Iterator[TextBlock]:
        level = self._library.RIL.PARA
        results = self._engine.GetIterator()
        if results is None:
            return
        for part in self._library.iterate_level(results, level):
            box, confidence = part.BoundingBox(level), part.Confidence(level)
            if box is None or confidence < OCR_CONFIDENCE_MIN:
                continue
            text = clean(part.GetUTF8Text(level))
            if any(character.isalnum() for character in text):
                yield TextBlock(text, box, confidence)


def load_tesseract() -> TesseractReader:
    """Return the reader, loaded once a process. Raises UnavailableError with the line that installs what is missing."""
    languages = os.environ.get(LANGUAGES_VARIABLE, "").strip() or "eng"
    return _load(languages, os.environ.get(WEIGHTS_VARIABLE))


@cache
def _load(languages: str, _: str | None) -> TesseractReader:
    names = [name for name in languages.split("+") if name in _LANGUAGE_HASHES] or ["eng"]
    files = {f"{name}.traineddata": _LANGUAGE_HASHES[name] for name in names}
    weights = Weights("tessdata-fast", files, tuple(f"tessdata-fast-{name}" for name in names))
    folder = require_reader("its words are read with Tesseract", _MODULES, weights)
    return TesseractReader(str(folder), "+".join(names))
