"""What was read in a picture: blocks of text with their boxes and how sure the reader is of them, and a document made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from vecsearch.core.reading import describe_reading
from vecsearch.core.settings import OCR_DPI
from vecsearch.core.types import Location, Metadata
from vecsearch.documents.loaders.document_builder import DocumentBuilder
from vecsearch.documents.loaders.hyphenation import count_words, join_hyphenated, mark_broken_words


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph of a picture: its box is left, top, right, bottom in pixels, its confidence of 100."""

    text: str
    box: tuple[int, int, int, int]
    confidence: float


class PageReader(Protocol):
    """What reads the words in pictures. Used by one thread."""

    @property
    def engine(self) -> str:
        """Return what it is called, with its version."""

    @property
    def languages(self) -> str:
        """Return the languages that it reads, joined by plus signs."""

    def read(self, gray: bytes, size: tuple[int, int], *, stride: int | None = None, dpi: int = OCR_DPI) -> list[TextBlock]:
        """Return the paragraphs of a picture, width by height, of one byte a pixel, in the order in which they are read.

        `stride` is the bytes from a line of it to the next, where these are more than its width.
        """


class BlockWriter:
    """Writes what was read into a document, and knows how surely it was read: the mean by length."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._known_words = Counter[str]()
        self._confidence = 0.0
        self.characters = 0

    def write(self, blocks: Iterable[TextBlock], place: Location, *, scale: float = 1.0) -> None:
        """Write the blocks of a page, each with its place and its box, whose numbers are multiplied by a scale."""
        for block in blocks:
            text = mark_broken_words(block.text)
            self._known_words.update(count_words(text))
            self._builder.at({**place, "box": [round(edge * scale) for edge in block.box]})
            self._builder.add_block(join_hyphenated(text, self._known_words))
            self.characters += len(text)
            self._confidence += len(text) * block.confidence

    def describe_reading(self, reader: PageReader) -> Metadata:
        """Return what metadata say of the text: by what it was read, in which languages, how surely; nothing without one."""
        if not self.characters:
            return {}
        return describe_reading(reader.engine, reader.languages, self._confidence / self.characters)
