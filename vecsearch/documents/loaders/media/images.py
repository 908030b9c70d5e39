"""A picture in a file: the words in it, each block with its box, and what it shows; each page of one with several by itself."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from math import sqrt
from typing import TYPE_CHECKING, Final

from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.core.parsed import LoaderItem, MediaContent, MediaKind, make_media_location
from vecsearch.core.picture_labels import PICTURE_CONTEXT, format_labels
from vecsearch.core.reading import describe_reading
from vecsearch.core.settings import (
    IMAGE_PIXELS_MAX,
    LOW_CONFIDENCE,
    MEDIA_PIXELS_MAX,
    MEDIA_SECONDS,
    OCR_PAGE_SECONDS,
    OCR_PAGES_MAX,
    OCR_PIXELS_MAX,
    OCR_PIXELS_MIN,
    PICTURE_WORDS_MAX,
)
from vecsearch.core.types import Location, format_count
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.media import make_unread_error
from vecsearch.documents.loaders.media.classifier import PictureReader, get_picture_reader
from vecsearch.documents.loaders.media.page_reader import get_page_reader
from vecsearch.documents.loaders.media.text_blocks import BlockWriter, PageReader, TextBlock
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

if TYPE_CHECKING:
    from PIL import Image

_FORMATS: Final = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "PPM")  # no others: some start programs
_PAGED: Final = "TIFF"


@dataclass(frozen=True, slots=True)
class _ImageReaders:
    """What is installed: for the words in pictures, for what they show; and what is said of what is not."""

    words: PageReader | None
    pictures: PictureReader | None
    missing: str

    def read_words(self, gray: Image.Image) -> list[TextBlock]:
        return [] if self.words is None else self.words.read(gray.tobytes(), gray.size)

    def read_labels(self, picture: Image.Image, words: Sequence[TextBlock]) -> list[tuple[str, float]]:
        """Return what a picture shows; nothing of one that is full of words."""
        count = sum(len(block.text.split()) for block in words)
        return [] if self.pictures is None or count > PICTURE_WORDS_MAX else self.pictures.read(picture)


def load_image(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the document that a picture is: the words in it, and what it shows where they are few, or itself where an encoder
    takes pictures; or the content of those that are wanted.

    Raises BinaryFileError where nothing is installed that reads it, EmptyFileError where what is installed finds nothing.
    """
    if raw.media_digests is not None:
        yield from _load_contents(raw)
        return
    is_encoded = MediaKind.IMAGE in raw.media.kinds
    readers = _find_readers(raw, tells_labels=not is_encoded)
    builder = DocumentBuilder()
    writer = BlockWriter(builder)
    labels: list[tuple[str, float]] = []
    media: list[Location] = []
    with _open_image(raw) as image:
        for number, place in enumerate(_iterate_pages(raw, image)):
            raw.extend_time(OCR_PAGE_SECONDS)
            builder.start_part(place)
            picture, reduced = _open_upright(image)
            media += [make_media_location(MediaKind.IMAGE, raw.sha256, number, place)] if is_encoded else []
            gray, enlarged = _make_readable(picture.convert("L"))
            words = readers.read_words(gray)
            if not place and (labels := readers.read_labels(picture, words)):
                words = [block for block in words if block.confidence >= LOW_CONFIDENCE]
            writer.write(words, place, scale=1 / (reduced * enlarged))
    reading = {} if readers.words is None else writer.describe_reading(readers.words)
    if labels and readers.pictures is not None:
        builder.start_part({}, PICTURE_CONTEXT)
        builder.add_block(format_labels(labels))
        reading = reading or describe_reading(readers.pictures.engine, readers.pictures.language, 100 * labels[0][1])
    nothing = f"no words in the picture; {readers.missing}" if readers.missing else "no words in the picture"
    if media:
        sections = list(builder.build_sections(None))
        yield from emit_document(raw, builder.text, raw.stem, metadata=reading, sections=sections, media=media)
        return
    yield from finish_document(raw, builder, None, reading, empty_message=nothing)


def _iterate_pages(raw: RawFile, image: Image.Image) -> Iterator[Location]:
    """Go to each page of a picture in turn; yield its place, empty for the only one. Raises UnreadableFileError for too many."""
    pages = getattr(image, "n_frames", 1) if image.format == _PAGED else 1
    if pages > OCR_PAGES_MAX:
        raise UnreadableFileError(f"a picture of {format_count(pages, 'page')}; no more than {OCR_PAGES_MAX:,} are read")
    for number in range(pages):
        image.seek(number)
        yield {"page": number + 1} if pages > 1 else {}


def _load_contents(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the pictures of a file that are wanted, as large as any encoder looks at them."""
    from PIL import Image

    with _open_image(raw) as image:
        for number, place in enumerate(_iterate_pages(raw, image)):
            location = make_media_location(MediaKind.IMAGE, raw.sha256, number, place)
            if location["digest"] in (raw.media_digests or ()):
                raw.extend_time(MEDIA_SECONDS)
                picture, _ = _open_upright(image)
                factor = min(1.0, sqrt(MEDIA_PIXELS_MAX / (picture.width * picture.height)))
                if factor < 1:
                    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
                    picture = picture.resize(size, Image.Resampling.BICUBIC)
                yield MediaContent(raw.name, location, picture.tobytes(), (picture.height, picture.width, 3))


def _find_readers(raw: RawFile, *, tells_labels: bool) -> _ImageReaders:
    """Return what is installed. Raises BinaryFileError where that is nothing, and a picture's labels are to be told."""
    words = pictures = None
    missing = []
    try:
        words = get_page_reader()
    except UnavailableError as error:
        missing.append(str(error))
        raw.lacks.add("ocr")
    try:
        pictures = get_picture_reader() if tells_labels else None
    except UnavailableError as error:
        missing.append(str(error))
        raw.lacks.add("pictures")
    if find_spec("PIL") is None or (words is None and pictures is None and tells_labels):
        raise make_unread_error(raw, "a picture", "; ".join(missing) or "it is read with Pillow: pip install pillow")
    return _ImageReaders(words, pictures, "; ".join(missing))


@contextmanager
def _open_image(raw: RawFile) -> Iterator[Image.Image]:
    """Open a picture whose size is known to be bearable. Raises UnreadableFileError, whatever is wrong with it."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS_MAX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw.data), formats=_FORMATS) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableFileError(f"a picture of more than {IMAGE_PIXELS_MAX // 10**6:,} million pixels: too large") from error
    except UnidentifiedImageError as error:
        raise make_unread_error(raw, "a picture") from error
    except (UnreadableFileError, MemoryError):
        raise
    except Exception as error:  # Pillow raises whatever its decoders stumble over
        raise UnreadableFileError(f"a picture is damaged ({type(error).__name__})") from error


def _open_upright(image: Image.Image) -> tuple[Image.Image, float]:
    """Return a page in RGB, upright and on white, and by how much it was made smaller as it was decoded."""
    from PIL import Image, ImageOps

    original = image.width * image.height
    target = OCR_PIXELS_MAX / original
    if target < 1:
        image.draft("RGB", (round(image.width * sqrt(target)), round(image.height * sqrt(target))))  # a JPEG is decoded smaller
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return upright.convert("RGB"), sqrt(upright.width * upright.height / original)


def _make_readable(gray: Image.Image) -> tuple[Image.Image, float]:
    """Return a page in the size in which it is read, and by how much it was made larger."""
    from PIL import Image

    pixels = gray.width * gray.height
    factor = sqrt(OCR_PIXELS_MAX / pixels) if pixels > OCR_PIXELS_MAX else 2.0 if pixels < OCR_PIXELS_MIN else 1.0
    if factor == 1.0:
        return gray, factor
    return gray.resize(
        (max(1, round(gray.width * factor)), max(1, round(gray.height * factor))), Image.Resampling.LANCZOS
    ), factor
