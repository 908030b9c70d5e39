"""Pages of text as scanners give them: drawn in a font, turned a little, grey and noisy, and put into a PDF without any text."""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import pypdfium2  # type: ignore[import-untyped]
from numpy.typing import NDArray

Gray: TypeAlias = NDArray[np.uint8]  # (height, width), 0 is black

FONTS: Final = ("Helvetica", "Times-Roman", "Courier")
_WIDTH, _HEIGHT = 595, 842  # A4 in 1/72 inch
_LINE, _SIZE, _MARGIN = 15, 11, 60
_COLUMNS: Final = {"Courier": 72}
_COLUMNS_DEFAULT: Final = 84
LINES: Final = (_HEIGHT - 2 * _MARGIN) // _LINE  # of a page


def wrap_text(text: str, font: str) -> list[str]:
    """Return a text in lines that fit a page of this font; characters beyond ASCII are left out."""
    plain = text.encode("ascii", "ignore").decode()
    return textwrap.wrap(plain, _COLUMNS.get(font, _COLUMNS_DEFAULT), break_on_hyphens=False)


def draw_page(lines: Sequence[str], font: str, *, dpi: int = 200) -> Gray:
    """Return a page with these lines, drawn with one of the fonts that every PDF reader has."""
    document = pypdfium2.PdfDocument(build_text_page(lines, font))
    gray = np.array(document[0].render(scale=dpi / 72, grayscale=True).to_numpy(), np.uint8)
    document.close()
    return gray.reshape(gray.shape[:2])


def build_text_page(lines: Sequence[str], font: str) -> bytes:
    """Return a PDF of one page with these lines as text."""
    shown = (line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines)
    operators = f"BT /F1 {_SIZE} Tf {_LINE} TL {_MARGIN} {_HEIGHT - _MARGIN} Td " + " ".join(f"({line}) Tj T*" for line in shown)
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {_WIDTH} {_HEIGHT}]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    face = f"<</Type/Font/Subtype/Type1/BaseFont/{font}>>"
    return _build_pdf([page.encode(), _build_stream((operators + " ET").encode()), face.encode()], pages=[3])


def scan_page(page: Gray, generator: np.random.Generator, *, noise: float = 0.0, degrees: float = 0.0) -> Gray:
    """Return a page as a poor scanner gives it: turned, on grey paper, with noise of this deviation of 255 and some specks."""
    height, width = page.shape
    rows, columns = np.indices(page.shape, np.float32)
    angle = np.deg2rad(degrees)
    down, right = rows - height / 2, columns - width / 2
    source_rows = np.rint(down * np.cos(angle) - right * np.sin(angle) + height / 2).astype(int)
    source_columns = np.rint(down * np.sin(angle) + right * np.cos(angle) + width / 2).astype(int)
    inside = (source_rows >= 0) & (source_rows < height) & (source_columns >= 0) & (source_columns < width)
    turned = np.where(inside, page[source_rows.clip(0, height - 1), source_columns.clip(0, width - 1)], 255).astype(np.float32)
    if noise:
        turned = 40 + turned * (195 / 255) + generator.normal(0.0, noise, page.shape).astype(np.float32)
        turned[generator.random(page.shape) < 0.001] = 60
    return turned.clip(0, 255).astype(np.uint8)


def build_scan(pages: Sequence[Gray], *, dpi: int = 200) -> bytes:
    """Return a PDF whose pages are these pictures and nothing else."""
    objects: list[bytes] = []
    numbers = []
    for page in pages:
        height, width = page.shape
        first = 3 + len(objects)
        numbers.append(first)
        size = f"{width * 72 / dpi:.2f} {height * 72 / dpi:.2f}"
        resources = f"/Resources<</XObject<</X {first + 2} 0 R>>>>"
        head = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {size}]/Contents {first + 1} 0 R{resources}>>"
        draw = f"q {size.replace(' ', ' 0 0 ')} 0 0 cm /X Do Q"
        kind = f"/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceGray/BitsPerComponent 8"
        objects += [
            head.encode(),
            _build_stream(draw.encode()),
            _build_stream(zlib.compress(page.tobytes(), 1), f"{kind}/Filter/FlateDecode"),
        ]
    return _build_pdf(objects, pages=numbers)


def _build_stream(data: bytes, keys: str = "") -> bytes:
    return f"<</Length {len(data)}{keys}>>stream\n".encode() + data + b"\nendstream"


def _build_pdf(objects: Sequence[bytes], *, pages: Sequence[int]) -> bytes:
    """Return a PDF of objects that are numbered from 3 on."""
    kids = " ".join(f"{number} 0 R" for number in pages)
    root = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode()]
    data, table = b"%PDF-1.7\n", "0000000000 65535 f \n"
    for number, content in enumerate([*root, *objects], 1):
        table += f"{len(data):010} 00000 n \n"
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    count = len(root) + len(objects) + 1
    end = f"xref\n0 {count}\n{table}trailer<</Root 1 0 R/Size {count}>>\nstartxref\n{len(data)}\n%%EOF"
    return data + end.encode()
