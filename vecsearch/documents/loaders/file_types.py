"""What kind of document some bytes are, whatever their name says. Opens no part of it but a list of contents."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import Final

from vecsearch.documents.decoding import is_binary
from vecsearch.documents.loaders import LOADERS
from vecsearch.documents.loaders.mail.detect_mail import TNEF_MAGIC, detect_mail_type
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.raw_file import RawFile

_PDF_SEARCH_BYTES: Final = 1024  # bytes that may stand before a PDF's first line
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # the last: one of several volumes
_PDF: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,16}%PDF-")
_MAGIC: Final = {
    TNEF_MAGIC: ".tnef", b"\x89PNG\r\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif",
    b"ID3\x03": ".mp3", b"ID3\x04": ".mp3", b"fLaC\0": ".flac", b"OggS\0": ".ogg",
}  # fmt: skip
_RTF: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,16}\{\\rtf")
_MIMETYPE_MAX: Final = 200  # bytes of a mimetype

_MIME: Final = re.compile(r"application/(?:vnd\.oasis\.opendocument\.)?(epub\+zip|text|spreadsheet|presentation|graphics)\b")
_BY_MIME: Final = {"epub+zip": ".epub", "text": ".odt", "spreadsheet": ".ods", "presentation": ".odp", "graphics": ".odp"}
_MAIN_PARTS: Final = {  # a part that only this kind has
    "word/document.xml": ".docx", "ppt/presentation.xml": ".pptx", "xl/workbook.xml": ".xlsx", "xl/workbook.bin": ".xlsx",
    "meta-inf/container.xml": ".epub",
}  # fmt: skip
_FOLDERS: Final = {"word/": ".docx", "ppt/": ".pptx", "xl/": ".xlsx"}
_MAIL: Final = (".eml", ".emlx", ".mbox", ".mht", ".mhtml")  # whose loaders know what to expect
_STREAMS: Final = {
    "worddocument": ".doc", "workbook": ".xls", "book": ".xls", "powerpoint document": ".ppt",
    "pp97_dualstorage/powerpoint document": ".ppt", "pp40": ".ppt",
    "__properties_version1.0": ".msg",
}  # fmt: skip
_VARIANTS: Final[Mapping[str, str]] = {
    variant: suffix
    for suffix, variants in {
        ".docx": ".docm .dotx .dotm", ".pptx": ".pptm .ppsx .ppsm .potx .potm", ".xlsx": ".xlsm .xltx .xltm .xlsb .xlam",
        ".doc": ".dot", ".xls": ".xlt .xla", ".ppt": ".pps .pot", ".odt": ".ott", ".ods": ".ots", ".odp": ".otp .odg",
    }.items()
    for variant in (suffix, *variants.split())
}  # fmt: skip


def detect_file_type(raw: RawFile) -> str | None:
    """Return the suffix of what a file is by its bytes: .pdf, .docx, .pptx, .xlsx, .odt, .ods, .odp, .epub, .zip, .doc, .xls,
    .ppt, .msg, .tnef, .rtf, .eml, .emlx, .mbox, of a picture or of sound; files with macros and templates as what they are for.
    None for all else, text of any kind above all, and for what is too damaged to tell. Raises OSError."""
    head = raw.head
    if head.startswith(OLE_MAGIC):
        return _detect_ole_type(raw)
    if head.startswith(_ZIP):
        return _detect_zip_type(raw)
    if _PDF.match(head) or (b"%PDF-" in head[:_PDF_SEARCH_BYTES] and (raw.suffix == ".pdf" or is_binary(head))):
        return ".pdf"
    if _RTF.match(head):
        return ".rtf"
    if kind := next((kind for mark, kind in _MAGIC.items() if head.startswith(mark)), None):
        return kind
    return None if raw.suffix in _MAIL else detect_mail_type(head, has_known_suffix=raw.suffix in LOADERS)


def _detect_zip_type(raw: RawFile) -> str | None:
    """Detect by what the zip holds; a damaged one is what its name says, if that is a kind of zip."""
    try:
        with raw.open() as file, zipfile.ZipFile(file) as archive:
            names = [name.replace("\\", "/").lower() for name in archive.namelist()]
            mime = _read_mimetype(archive)
    except Exception:  # damaged in any way
        return _match_suffix(raw, (".docx", ".pptx", ".xlsx", ".odt", ".ods", ".odp", ".epub")) or ".zip"
    if mime or "[content_types].xml" in names or "meta-inf/container.xml" in names:
        main = next((_MAIN_PARTS[name] for name in names if name in _MAIN_PARTS), None)
        folder = next((_FOLDERS[name[: name.find("/") + 1]] for name in names if name[: name.find("/") + 1] in _FOLDERS), None)
        return mime or main or folder or _match_suffix(raw, (".docx", ".pptx", ".xlsx"))
    return next((_MAIN_PARTS[name] for name in names if name in _MAIN_PARTS), ".zip")


def _read_mimetype(archive: zipfile.ZipFile) -> str | None:
    """Return what OpenDocument files and books say of themselves."""
    entry = archive.NameToInfo.get("mimetype")
    if entry is None or entry.file_size > _MIMETYPE_MAX:
        return None
    match = _MIME.match(archive.read(entry).decode("ascii", "replace"))
    return _BY_MIME[match[1]] if match else None


def _detect_ole_type(raw: RawFile) -> str | None:
    """Detect by the streams in the container; of an encrypted document only its name tells."""
    import olefile  # type: ignore[import-untyped]

    try:
        with raw.open() as file, olefile.OleFileIO(file) as ole:
            names = {"/".join(path).lower() for path in ole.listdir()}
    except Exception:  # damaged in any way
        return _match_suffix(raw, (".doc", ".xls", ".ppt", ".msg"))
    if "encryptedpackage" in names:
        return _match_suffix(raw, (".docx", ".pptx", ".xlsx")) or ".docx"
    return next((suffix for stream, suffix in _STREAMS.items() if stream in names), None)


def _match_suffix(raw: RawFile, kinds: tuple[str, ...]) -> str | None:
    """Return the kind that the suffix stands for, if it is one of these."""
    suffix = _VARIANTS.get(raw.suffix, raw.suffix)
    return suffix if suffix in kinds else None
