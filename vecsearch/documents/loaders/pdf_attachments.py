"""Files that are attached to a PDF, to all of it or to a place on a page: each a document of its own, named `path!name`."""

from __future__ import annotations

import ctypes
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw as pdfium

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.types import Location
from vecsearch.documents.loaders.members import MEMBER_MAX, get_suffix, load_member
from vecsearch.documents.loaders.raw_file import Container, RawFile


@dataclass(frozen=True, slots=True)
class _Attachment:
    """A file in a PDF, by its handle; `location` says where it is attached."""

    handle: Any
    location: Location


def load_attachments(raw: RawFile, document: pypdfium2.PdfDocument, pages: Sequence[int]) -> Iterator[LoaderItem]:
    """Yield what the files say that are attached to an open PDF, or to its pages (numbers from 0)."""
    names: Counter[str] = Counter()
    seen: set[bytes] = set()
    for attachment in _iter_attachments(document, pages):
        name = _name_apart(_read_name(attachment.handle), names)
        load_items = partial(_load_attached, attachment, seen)
        yield from load_member(
            raw, name, load_items, container=Container.PDF, suffix=get_suffix(name), location=attachment.location
        )


def _load_attached(attachment: _Attachment, seen: set[bytes], inner: RawFile) -> Iterator[LoaderItem]:
    """Return what an attached file gives, nothing for what a page shows of the files of the whole document."""
    from vecsearch.documents.loaders import load

    assert inner.budget is not None
    inner.content = _read_content(attachment.handle)
    digest = hashlib.sha256(inner.content).digest()
    if digest in seen and attachment.location:
        return iter(())
    seen.add(digest)
    inner.budget.take_bytes(len(inner.content))
    return load(inner)


# -- what PDFium says


def _iter_attachments(document: pypdfium2.PdfDocument, pages: Sequence[int]) -> Iterator[_Attachment]:
    """Yield the files of the whole document, then those on its pages."""
    for index in range(pdfium.FPDFDoc_GetAttachmentCount(document)):
        if handle := pdfium.FPDFDoc_GetAttachment(document, index):
            yield _Attachment(handle, {})
    for number in pages:
        page = document[number]
        try:
            for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
                annotation = pdfium.FPDFPage_GetAnnot(page, index)
                if annotation and (handle := pdfium.FPDFAnnot_GetFileAttachment(annotation)):
                    yield _Attachment(handle, {"page": number + 1})
                pdfium.FPDFPage_CloseAnnot(annotation)
        finally:
            page.close()


def _read_name(handle: Any) -> str:
    """Return the name of a file without folders, and in one line."""
    size = pdfium.FPDFAttachment_GetName(handle, None, 0)
    buffer = ctypes.create_string_buffer(size + 2)
    pdfium.FPDFAttachment_GetName(handle, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    name = buffer.raw[: max(size - 2, 0)].decode("utf-16-le", "ignore").replace("\\", "/").rpartition("/")[2].strip()
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    return shown if shown.strip(".") else "attachment"


def _name_apart(name: str, names: Counter[str]) -> str:
    """Return a name, with a number where others were so called before it."""
    names[name] += 1
    if names[name] == 1:
        return name
    path = PurePosixPath(name)
    return _name_apart(f"{path.stem} ({names[name]}){path.suffix}", names)


def _read_content(handle: Any) -> bytes:
    """Raise UnreadableFileError for one that is damaged, or has more bytes than MEMBER_MAX."""
    size = ctypes.c_ulong()
    if not pdfium.FPDFAttachment_GetFile(handle, None, 0, size):
        raise UnreadableFileError("damaged, or not in the PDF")
    if size.value > MEMBER_MAX:
        raise UnreadableFileError(f"expands to {size.value // 1_000_000:,} MB: too much to read")
    buffer = ctypes.create_string_buffer(size.value)
    if not pdfium.FPDFAttachment_GetFile(handle, buffer, size.value, size):
        raise UnreadableFileError("damaged")
    return buffer.raw[: size.value]
