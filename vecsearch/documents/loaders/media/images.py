"""A picture in a file: the words in it, each block with its box. A picture with several pages has one part for each."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import sqrt
from typing import TYPE_CHECKING, Final

from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.settings import IMAGE_PIXELS_MAX, OCR_PAGE_SECONDS, OCR_PAGES_MAX, OCR_PIXELS_MAX, OCR_PIXELS_MIN
from vecsearch.core.types import format_count
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.media import make_unread_error
from vecsearch.documents.loaders.media.page_reader import BlockWriter, PageReader, get_page_reader
from vecsearch.documents.loaders.raw_file import RawFile

if TYPE_CHECKING:
    from PIL import Image

_FORMATS: Final = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "PPM")  # no others: some start programs
_PAGED: Final = "TIFF"


def load_image(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the document that a picture is. Raises BinaryFileError where nothing is installed that reads it."""
    reader = _get_reader(raw)
    builder = DocumentBuilder()
    writer = BlockWriter(builder)
    with _open_image(raw) as image:
        pages = getattr(image, "n_frames", 1) if image.format == _PAGED else 1
        if pages > OCR_PAGES_MAX:
            raise UnreadableFileError(f"a picture of {format_count(pages, 'page')}; no more than {OCR_PAGES_MAX:,} are read")
        for number in range(pages):
            raw.extend_time(OCR_PAGE_SECONDS)
            image.seek(number)
            place = {"page": number + 1} if pages > 1 else {}
            builder.start_part(place)
            gray, scale = _prepare(image)
            writer.write(reader.read(gray.tobytes(), gray.size), place, scale=1 / scale)
    yield from finish_document(raw, builder, None, writer.describe_reading(reader), empty_message="no words in the picture")


def _get_reader(raw: RawFile) -> PageReader:
    try:
        reader = get_page_reader()
        if find_spec("PIL") is None:
            raise UnavailableError("its words are read with Tesseract: pip install pillow")
        return reader
    except UnavailableError as error:
        raise make_unread_error(raw, "a picture", str(error)) from error


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


def _prepare(image: Image.Image) -> tuple[Image.Image, float]:
    """Return a page as it is read, one byte a pixel, upright, on white; and by how much it was enlarged."""
    from PIL import Image, ImageOps

    original = image.width * image.height
    target = OCR_PIXELS_MAX / original
    if target < 1:
        image.draft("L", (round(image.width * sqrt(target)), round(image.height * sqrt(target))))  # a JPEG is decoded smaller
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    gray = upright.convert("L")
    pixels = gray.width * gray.height
    factor = sqrt(OCR_PIXELS_MAX / pixels) if pixels > OCR_PIXELS_MAX else 2.0 if pixels < OCR_PIXELS_MIN else 1.0
    if factor != 1.0:
        gray = gray.resize((max(1, round(gray.width * factor)), max(1, round(gray.height * factor))), Image.Resampling.LANCZOS)
    return gray, sqrt(gray.width * gray.height / original)
