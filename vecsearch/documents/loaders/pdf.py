"""A PDF: each page apart, under the bookmarks that lead to it; comments and filled form fields follow their page's text.

Files attached to it are documents of their own. A page without text is drawn and its words are read, where that is installed;
else a scan is reported as such. What is wrong with one page costs that page.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw as pdfium

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.core.types import Metadata, format_names
from vecsearch.documents.decoding import EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders.document_builder import DocumentBuilder, clean, finish_document
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.hyphenation import count_words, join_hyphenated
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.pdf_attachments import load_attachments
from vecsearch.documents.loaders.pdf_scans import ScannedPage, ScanReader
from vecsearch.documents.loaders.pdf_text import extract_page_text
from vecsearch.documents.loaders.raw_file import RawFile

_DATE: Final = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(Z|[+-]\d\d)?'?(\d\d)?")
_PLACEHOLDER_NAME: Final = re.compile(
    r"\W*(anonymous|unspecified|unknown)\W*$", re.IGNORECASE
)  # what programs write for want of a name
_NO_COMMENTS: Final = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP)
_BOOKMARKS_MAX: Final = 10_000
_HEADING_NUMBER: Final = r"^[ \t]*(?:[\dA-Z]+(?:\.\d+)*\.?[ \t]+)?"


_UNTICKED, _BUTTON = "Off", "Btn"  # the state of a box, the kind of its field
_BOXES: Final = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)


@dataclass(frozen=True, slots=True)
class _PageText:
    """What a page says; `notes` are the comments and the fields on it, `has_pictures` counts where there is no text.

    `scan` is what was read in the picture that a page without text is.
    """

    text: str = ""
    notes: str = ""
    has_attachments: bool = False
    has_pictures: bool = False
    scan: ScannedPage = field(default_factory=ScannedPage)


@dataclass(frozen=True, slots=True)
class _Bookmark:
    level: int
    title: str


def load_pdf(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .pdf file, and of the files attached to it.

    Raises EncryptedFileError, EmptyFileError, UnreadableFileError.
    """
    if not raw.head:
        raise EmptyFileError("the file is empty")
    document = _open_document(raw)
    try:
        builder = DocumentBuilder()
        reader = _PdfReader(document, builder, ScanReader(builder, raw))
        attached = load_attachments(raw, document, reader.read_pages())
        try:
            yield from reader.finish(raw)
        except EmptyFileError as error:
            first = next(attached, None)
            if first is None:
                raise
            yield ParseWarning(str(error))
            yield first
        yield from attached
    finally:
        document.close()


@dataclass(slots=True)
class _PdfReader:
    document: pypdfium2.PdfDocument
    builder: DocumentBuilder
    scans: ScanReader
    _faults: dict[str, list[str]] = field(default_factory=dict)
    _has_pictures: bool = False

    def read_pages(self) -> list[int]:
        """Read all pages; return the numbers, from 0, of those that files are attached to."""
        bookmarks, known, attached = _read_bookmarks(self.document), Counter[str](), []
        for index in range(len(self.document)):
            try:
                page = _read_page(self.document, index, self.scans)
            except (pypdfium2.PdfiumError, ValueError) as error:
                self._faults.setdefault(" ".join(str(error).split()) or "damaged", []).append(str(index + 1))
                page = _PageText()
            known.update(count_words(page.text))
            self.builder.start_part({"page": index + 1}, keep_headings=True)
            _write(self.builder, join_hyphenated(page.text, known), bookmarks.get(index, []))
            self.scans.write(page.scan, index + 1)
            self.builder.add_block(page.notes)
            self._has_pictures |= page.has_pictures
            attached += [index] if page.has_attachments else []
        return attached

    def finish(self, raw: RawFile) -> Iterator[LoaderItem]:
        """Yield the document that the pages are, and what could not be read of them. Raises EmptyFileError."""
        title, metadata = _read_metadata(self.document)
        nothing = "no text: a scan" if self._has_pictures else "no text: empty pages, or drawings"
        nothing += f"; {self.scans.why_not}" if self.scans.why_not else ""
        problems = [
            ParseWarning(f"page{'s' * (len(pages) > 1)} {format_names(pages)}: {error}") for error, pages in self._faults.items()
        ]
        yield from finish_document(
            raw, self.builder, title, {**metadata, **self.scans.describe()}, problems, empty_message=nothing
        )
        yield from self.scans.list_unread()


def _open_document(raw: RawFile) -> pypdfium2.PdfDocument:
    refused = False
    for password in (None, *raw.passwords):
        try:
            return pypdfium2.PdfDocument(raw.path if raw.content is None else raw.content, password=password)
        except pypdfium2.PdfiumError as error:
            refused = "password" in str(error).lower()
            if "security" in str(error).lower():
                raise UnreadableFileError("a PDF is encrypted in a way that is not known") from error
            if not refused:
                raise UnreadableFileError("a PDF is damaged") from error
    raise EncryptedFileError("a PDF", passwords_tried=bool(raw.passwords))


def _read_page(document: pypdfium2.PdfDocument, index: int, scans: ScanReader) -> _PageText:
    page = document[index]
    try:
        words = page.get_textpage()
        try:
            text = extract_page_text(page, words)
        finally:
            words.close()
        notes = list(_read_annotations(document, page))
        is_empty = next(page.get_objects(), None) is None
        return _PageText(
            text,
            "\n".join(dict.fromkeys(filter(None, (note.strip() for _, note in notes)))),
            any(kind == pdfium.FPDF_ANNOT_FILEATTACHMENT for kind, _ in notes),
            not text.strip() and next(page.get_objects([pdfium.FPDF_PAGEOBJ_IMAGE]), None) is not None,
            ScannedPage() if text.strip() or is_empty else scans.read(page, index + 1),
        )
    finally:
        page.close()


def _read_annotations(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Iterator[tuple[int, str]]:
    """Yield kind and text of each comment and each field that is filled."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            yield kind, _read_field(annotation) or _read_shared_field(document, annotation)
        elif kind not in _NO_COMMENTS:
            yield kind, _read_string(annotation, b"Contents")
        pdfium.FPDFPage_CloseAnnot(annotation)


def _read_field(annotation: object) -> str:
    """Return name and value of a field of a form; nothing of a box or a button that is not ticked."""
    name, value = _read_string(annotation, b"T"), _read_string(annotation, b"V")
    is_state = pdfium.FPDFAnnot_GetValueType(annotation, b"V") == pdfium.FPDF_OBJECT_NAME
    if value == _UNTICKED and (is_state or _read_string(annotation, b"FT") == _BUTTON):
        return ""
    return f"{name}: {value}" if name and value else value


def _read_shared_field(document: pypdfium2.PdfDocument, annotation: object) -> str:
    """Return name and value of the field that this is one of several boxes of, such as choices, of which one is ticked."""
    if _read_string(annotation, b"T") or pdfium.FPDFAnnot_HasKey(annotation, b"Parent") == 0:
        return ""
    document.init_forms()
    form = document.formenv
    if form is None:
        return ""
    is_box = pdfium.FPDFAnnot_GetFormFieldType(form, annotation) in _BOXES
    if is_box and _read_string(annotation, b"AS") in ("", _UNTICKED):
        return ""
    path, value = (
        _read_wide(partial(read, form, annotation))
        for read in (pdfium.FPDFAnnot_GetFormFieldName, pdfium.FPDFAnnot_GetFormFieldValue)
    )
    name = path.rpartition(".")[2]
    return f"{name}: {value}" if name and value else value


def _read_string(annotation: object, key: bytes) -> str:
    return _read_wide(partial(pdfium.FPDFAnnot_GetStringValue, annotation, key))


def _read_wide(read: Callable[[object, int], int]) -> str:
    """Return a string of UTF-16 that is read into a buffer."""
    size = read(None, 0)
    buffer = (pdfium.FPDF_WCHAR * (size // 2 + 1))()
    read(buffer, size)
    return bytes(buffer)[: max(size - 2, 0)].decode("utf-16-le", "ignore")


# -- text


def _write(builder: DocumentBuilder, text: str, bookmarks: list[_Bookmark]) -> None:
    """Write a page's text, cut where the bookmarks' titles stand in it."""
    text = clean(text)
    for bookmark in bookmarks:
        words = r"\s+".join(map(re.escape, bookmark.title.split()))
        match = re.search(f"{_HEADING_NUMBER}{words}[ \\t]*$", text, re.MULTILINE | re.IGNORECASE)
        if match:
            builder.add_block(text[: match.start()])
            builder.add_heading(bookmark.level, match[0])
            text = text[match.end() :]
        else:
            builder.under_heading(bookmark.level, bookmark.title)
    builder.add_block(text)


# -- what the document states


def _read_bookmarks(document: pypdfium2.PdfDocument) -> dict[int, list[_Bookmark]]:
    """Return a map from a page to the bookmarks that lead to it, in their order; none where they are damaged."""
    bookmarks: dict[int, list[_Bookmark]] = {}
    try:
        for count, bookmark in enumerate(document.get_toc()):
            target, title = bookmark.get_dest(), " ".join(clean(bookmark.get_title()).split())
            if count >= _BOOKMARKS_MAX:
                break
            if target is not None and title and (page := target.get_index()) is not None:
                bookmarks.setdefault(page, []).append(_Bookmark(bookmark.level + 1, title))
    except (pypdfium2.PdfiumError, ValueError):
        pass
    return bookmarks


def _read_metadata(document: pypdfium2.PdfDocument) -> tuple[str | None, Metadata]:
    values = {key: clean(value) for key, value in document.get_metadata_dict(skip_empty=True).items()}
    title, author = (
        value if (value := values.get(key, "")) and not _PLACEHOLDER_NAME.match(value) else "" for key in ("Title", "Author")
    )
    return normalize_title(title), build_metadata(
        author=author.split(";"),
        created=_format_date(values.get("CreationDate", "")),
        modified=_format_date(values.get("ModDate", "")),
        language=_read_language(document),
    )


def _read_language(document: pypdfium2.PdfDocument) -> str:
    size = pdfium.FPDFCatalog_GetLanguage(document, None, 0)
    buffer = ctypes.create_string_buffer(size + 2)
    pdfium.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return clean(buffer.raw[: max(size - 2, 0)].decode("utf-16-le", "ignore"))


def _format_date(value: str) -> str:
    """Convert D:20240501134500+02'00' to ISO 8601, as much of it as there is."""
    match = _DATE.match(value.strip())
    if not match:
        return ""
    year, month, day, hour, minute, second, zone, minutes = match.groups()
    if not (month and day and hour):
        return "-".join(filter(None, (year, month, day)))
    offset = "+00:00" if zone == "Z" else f"{zone}:{minutes or '00'}" if zone else ""
    return f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}{offset}"
