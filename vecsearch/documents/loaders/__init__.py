"""What a file says: one table from type to loader. Stores nothing, fetches nothing, writes nothing.

To read a new format, write one function from `RawFile` to `LoaderItem`s in the module of its family, and give its suffixes a row
here. A loader yields documents one after the other, and says what it could not read; `parser_process` runs it in another process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Final, TypeAlias

from vecsearch.core.parsed import LoaderItem, MediaContent, ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError, is_binary
from vecsearch.documents.loaders.raw_file import RawFile

Loader: TypeAlias = Callable[[RawFile], Iterator[LoaderItem]]

_TEXT = ".txt .text .log .env .tex .bib .yaml .yml .toml .ini .cfg .conf .properties .diff .patch"
_CODE = (
    ".py .pyi .js .mjs .cjs .ts .tsx .jsx .vue .svelte .css .scss .less .c .h .cc .cpp .cxx .hh .hpp .cs .rs .go "
    ".java .kt .kts .scala .groovy .gradle .rb .php .pl .pm .lua .swift .m .mm .r .jl .hs .ml .ex .exs .erl .clj .lisp .el "
    ".dart .nim .zig .f90 .sh .bash .zsh .fish .ps1 .bat .sql .graphql .proto .tf .cmake .mk"
)

# family → what it reads; a loader is named by its module here and its function, and loaded when the first such file comes
_FAMILIES: Final[Mapping[str, str]] = {
    "plain_text:load_plain_text": _TEXT,
    "code:load_code": _CODE,
    "markdown:load_markdown": ".md .markdown",
    "rst_asciidoc_org:load_rst": ".rst",
    "rst_asciidoc_org:load_asciidoc": ".adoc .asciidoc",
    "rst_asciidoc_org:load_org": ".org",
    "html:load_html": ".html .htm .xhtml",
    "xml:load_xml": ".xml .rss .atom .svg",
    "table:load_csv": ".csv",
    "table:load_tsv": ".tsv",
    "json_text:load_json_text": ".json .json5 .jsonc .geojson",
    "json_records:load_json_lines": ".jsonl .ndjson",
    "pdf:load_pdf": ".pdf",
    "office.word:load_docx": ".docx .docm .dotx .dotm",
    "office.slides:load_pptx": ".pptx .pptm .potx .potm .ppsx .ppsm",
    "office.sheets:load_workbook": ".xlsx .xlsm .xltx .xltm .xlsb .xls .ods .ots .xlam",
    "office.opendocument:load_odt": ".odt .ott",
    "office.opendocument:load_odp": ".odp .otp .odg",
    "legacy.doc:load_doc": ".doc",
    "legacy.ppt:load_ppt": ".ppt .pps",
    "office.rtf:load_rtf": ".rtf",
    "office.epub:load_epub": ".epub",
    "notebook:load_notebook": ".ipynb",
    "mail.mime:load_eml": ".eml .emlx .mht .mhtml",
    "mail.mime:load_mbox": ".mbox",
    "mail.mime:load_signed": ".p7m",
    "mail.outlook:load_msg": ".msg .oft",
    "mail.tnef:load_tnef": ".tnef",
    "mail.calendar_events:load_calendar": ".ics",
    "subtitles:load_vtt": ".vtt",
    "subtitles:load_srt": ".srt",
    "archive:load_zip": ".zip",
    "media.images:load_image": ".png .jpg .jpeg .tif .tiff .gif .bmp .webp .ppm .pgm .pbm",
    "media.sound:load_sound": (
        ".mp3 .wav .flac .ogg .oga .opus .m4a .aac .wma .aiff .aif .amr .au .caf .mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg"
    ),
}
_CONTENT_DETECTED: Final = ("pdf:", "office.", "legacy.", "media.")  # a file of these kinds without the bytes is none
_MEDIA_LOADERS: Final = ("media.", "archive:")
_PROLOG: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:(?:<!--.*?-->|<\?xml[^>]*>)\s*)*", re.DOTALL)
_HTML_BEGIN: Final = re.compile(  # programs that write a page for an office leave out all but the table
    rb"<(?:!doctype\s+html|html|head|body|meta|title|style|base|link|table|div|p|center|font|span|h[1-6])(?=[\s>/])",
    re.IGNORECASE,
)
LOADERS: Final[Mapping[str, str]] = {suffix: family for family, suffixes in _FAMILIES.items() for suffix in suffixes.split()}
"""Suffix → loader. What the bytes say goes before the name; a file of any other kind is read as text when it looks like text."""


def load(raw: RawFile, items: Iterable[LoaderItem] | None = None) -> Iterator[LoaderItem]:
    """Yield everything that a file gives, in its order: what its loader finds, or the `items` that were found otherwise.

    Raises BinaryFileError, EmptyFileError, or UnreadableFileError for a file that is damaged or encrypted; what it gave
    before that does not count.
    """
    anything = False
    for item in find_loader(raw)(raw) if items is None else items:
        anything |= isinstance(item, ParseWarning | MediaContent)
        anything |= isinstance(item, ParsedDocument) and bool(item.text.strip() or item.title)
        yield item
    if not anything and raw.media.digests is None:
        raise EmptyFileError("no text in it" if raw.head else "the file is empty")


def can_hold_media(suffix: str) -> bool:
    """Return whether a file of this name ending is a picture or sound, or an archive of some."""
    return LOADERS.get(suffix, "").startswith(_MEDIA_LOADERS)


def find_loader(raw: RawFile) -> Loader:
    """Choose a loader by what the bytes are, else by what the name says."""
    from vecsearch.documents.loaders.file_types import detect_file_type

    detected = detect_file_type(raw)
    kind = detected or raw.suffix
    if detected is None and LOADERS.get(kind, "").startswith(_CONTENT_DETECTED) and not is_binary(raw.head):
        kind = _detect_markup(raw.head)  # a page saved as .xls, say
    module, function = LOADERS.get(kind, "plain_text:load_unknown").split(":")
    loader: Loader = getattr(import_module(f"{__name__}.{module}"), function)
    return loader


def _detect_markup(head: bytes) -> str:
    """Return the suffix of the markup that a text is in, empty for plain text."""
    text = head.replace(b"\0", b"")  # as it is in UTF-16
    prolog = _PROLOG.match(text)
    assert prolog is not None
    if _HTML_BEGIN.match(text, prolog.end()):
        return ".html"
    return ".xml" if b"<?xml" in prolog[0] else ""
