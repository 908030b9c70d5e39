"""Files that are attached to a PDF, to all of it or to a place on a page: each a document of its own, named `path!name`."""

from __future__ import annotations

import ctypes
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw as pdfium

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, ParseWarning, Section
from vecsearch.core.types import Location
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders.raw_file import RawFile

_ATTACHMENTS_MAX: Final = 1_000
_BYTES_MAX: Final = 100_000_000  # of one attached file …
_TOTAL_MAX: Final = 200_000_000  # … and of all


@dataclass(frozen=True, slots=True)
class _Attachment:
    """A file in a PDF, by its handle; `location` says where it is attached."""

    handle: Any
    location: Location


def load_attachments(raw: RawFile, document: pypdfium2.PdfDocument, pages: Sequence[int]) -> Iterator[LoaderItem]:
    """Yield what the files say that are attached to an open PDF, or to its pages (numbers from 0).

    Nothing where the PDF lies in a file itself.
    """
    names: Counter[str] = Counter()
    seen: set[bytes] = set()
    bytes_left = _TOTAL_MAX
    for attachment in () if raw.is_member else islice(_iter_attachments(document, pages), _ATTACHMENTS_MAX):
        name = _name_apart(_read_name(attachment.handle), names)
        try:
            content = _read_content(attachment.handle, min(_BYTES_MAX, bytes_left))
        except UnreadableFileError as error:
            yield ParseWarning(f"{name}: {error}")
            continue
        bytes_left -= len(content)
        digest = hashlib.sha256(content).digest()
        if digest not in seen or not attachment.location:  # a page may show what is attached to all of it
            yield from _load_attached(raw, name, content, attachment.location)
        seen.add(digest)


def _load_attached(raw: RawFile, name: str, content: bytes, location: Location) -> Iterator[LoaderItem]:
    """Yield what an attached file gives, or why it gives nothing."""
    from vecsearch.documents.loaders import load

    suffix = PurePosixPath(name).suffix.lower()
    inner = RawFile(f"{raw.name}!{name}", suffix, content=content, passwords=raw.passwords, is_member=True)
    try:
        yield from [_add_location(item, name, inner.name, location) for item in load(inner)]
    except MemoryError:
        raise
    except (BinaryFileError, EmptyFileError) as error:
        yield SkippedFile(inner.name, str(error))
    except UnreadableFileError as error:
        yield ParseWarning(f"{name}: {error}")
    except Exception as error:  # a library's own: it must not cost the other files
        yield ParseWarning(f"{name}: damaged ({type(error).__name__})")


def _add_location(item: LoaderItem, name: str, identifier: str, location: Location) -> LoaderItem:
    """Return an attached file's item as one of the PDF."""
    match item:
        case ParseWarning():
            return ParseWarning(f"{name}: {item.message}")
        case SkippedFile():
            return item
    own = item.id if item.id.startswith(identifier) else f"{identifier}/{item.id}"
    sections = tuple(
        replace(section, location={**location, **section.location, "member": name})
        for section in item.sections or (Section(0, {}),)
    )
    return replace(item, id=own, sections=sections)


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


def _read_content(handle: Any, max_bytes: int) -> bytes:
    """Raise UnreadableFileError for one that is damaged, or has more bytes."""
    size = ctypes.c_ulong()
    if not pdfium.FPDFAttachment_GetFile(handle, None, 0, size):
        raise UnreadableFileError("damaged, or not in the PDF")
    if size.value > max_bytes:
        raise UnreadableFileError(f"expands to {size.value // 1_000_000:,} MB: too much to read")
    buffer = ctypes.create_string_buffer(size.value)
    if not pdfium.FPDFAttachment_GetFile(handle, buffer, size.value, size):
        raise UnreadableFileError("damaged")
    return buffer.raw[: size.value]
