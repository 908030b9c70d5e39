"""What a file says: one table from type to loader. Stores nothing, fetches nothing, writes nothing.

To read a new format, write one function from `Raw` to `Item`s in the module of its family, and give its suffixes a row here.
A loader gives documents one after the other, and says what it could not read; it runs in a process of its own (`parsing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Final, TypeAlias

from vecsearch.core.types import Draft, Item, Problem
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.text import NoText, looks_binary

Loader: TypeAlias = Callable[[Raw], Iterator[Item]]

_TEXT = ".txt .text .log .env .tex .bib .json .json5 .yaml .yml .toml .ini .cfg .conf .properties .diff .patch"
_CODE = (
    ".py .pyi .js .mjs .cjs .ts .tsx .jsx .vue .svelte .css .scss .less .c .h .cc .cpp .cxx .hh .hpp .cs .rs .go "
    ".java .kt .kts .scala .groovy .gradle .rb .php .pl .pm .lua .swift .m .mm .r .jl .hs .ml .ex .exs .erl .clj .lisp .el "
    ".dart .nim .zig .f90 .sh .bash .zsh .fish .ps1 .bat .sql .graphql .proto .tf .cmake .mk"
)

# family → what it reads; a loader is named by its module here and its function, and loaded when the first such file comes
_FAMILIES: Final[Mapping[str, str]] = {
    "plain:text": _TEXT,
    "code:code": _CODE,
    "markup:markdown": ".md .markdown",
    "lightweight:restructured": ".rst",
    "lightweight:asciidoc": ".adoc .asciidoc",
    "lightweight:org": ".org",
    "page:html": ".html .htm .xhtml",
    "structured:xml": ".xml .rss .atom .svg",
    "table:comma_separated": ".csv",
    "table:tab_separated": ".tsv",
    "records:json_lines": ".jsonl .ndjson",
    "pdf:pdf": ".pdf",
    "office.word:docx": ".docx .docm .dotx .dotm",
    "office.slides:pptx": ".pptx .pptm .potx .potm .ppsx .ppsm",
    "office.sheets:workbook": ".xlsx .xlsm .xltx .xltm .xlsb .xls .ods .ots .xlam",
    "office.opendocument:odt": ".odt .ott",
    "office.opendocument:odp": ".odp .otp .odg",
    "office.old_word:doc": ".doc",
    "office.old_slides:ppt": ".ppt .pps",
    "office.rtf:rtf": ".rtf",
    "office.epub:epub": ".epub",
    "notebook:ipynb": ".ipynb",
    "mail:eml": ".eml",
    "mail:msg": ".msg",
    "mail:mbox": ".mbox",
    "subtitles:vtt": ".vtt",
    "subtitles:srt": ".srt",
    "archive:zip_archive": ".zip",
}
_TOLD_BY_BYTES: Final = ("pdf:", "office.")  # a file of these kinds without the bytes is none
LOADERS: Final[Mapping[str, str]] = {suffix: family for family, suffixes in _FAMILIES.items() for suffix in suffixes.split()}
"""Suffix → loader. What the bytes say goes before the name; a file of any other kind is read as text when it looks like text."""


def load(raw: Raw) -> Iterator[Item]:
    """Everything that a file gives, in its order.

    Raises NotText, NoText, or UnreadableFile for a file that is damaged or encrypted; what it gave before that does not count.
    """
    anything = False
    for item in loader_of(raw)(raw):
        anything |= isinstance(item, Problem) or (isinstance(item, Draft) and bool(item.text.strip() or item.title))
        yield item
    if not anything:
        raise NoText("no text in it" if raw.head else "the file is empty")


def loader_of(raw: Raw) -> Loader:
    """By what the bytes are, else by what the name says."""
    from vecsearch.documents.loaders.sniff import kind_of

    told = kind_of(raw)
    kind = told or raw.suffix
    if told is None and LOADERS.get(kind, "").startswith(_TOLD_BY_BYTES) and not looks_binary(raw.head):
        kind = ".html" if raw.head.lstrip()[:9].lower().startswith((b"<html", b"<!doctype")) else ""  # a page saved as .xls, say
    module, function = LOADERS.get(kind, "plain:unknown").split(":")
    loader: Loader = getattr(import_module(f"{__name__}.{module}"), function)
    return loader
