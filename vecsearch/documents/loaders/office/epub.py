"""An electronic book: its chapters in reading order as one document, each under its headings. Books under DRM are refused."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning, Section
from vecsearch.core.types import Metadata
from vecsearch.documents.decoding import EmptyFileError, decode, find_declared_charset
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.html import Page, read_page
from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    get_attribute,
    get_local_name,
    iter_descendants,
    open_package,
)
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile, emit_document, join_headings
from vecsearch.documents.loaders.xhtml import convert_to_html

_FONT_ENCRYPTION: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # fonts only are encrypted so


def load_epub(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .epub file. Raises EmptyFileError, UnreadableFileError."""
    book = open_package(raw, "an EPUB book")
    if any(
        get_attribute(element, "Algorithm") not in _FONT_ENCRYPTION
        for element in iter_descendants(book.parse_part("META-INF/encryption.xml"), "EncryptionMethod")
    ):
        raise UnreadableFileError("an EPUB book is under copy protection (DRM), which only its shop's programs open")
    main = next(
        (
            get_attribute(element, "full-path")
            for element in iter_descendants(book.parse_part("META-INF/container.xml"), "rootfile")
        ),
        "",
    )
    if (root := book.parse_part(main)) is None:
        raise UnreadableFileError("an EPUB book is damaged: it has no list of its chapters")
    title, metadata = _read_metadata(root)
    text, sections = "", list[Section]()
    for part in _iter_chapters(root, main):
        if page := _read_chapter(book, part):
            start = len(text) + 2 if text else 0
            sections.extend(_build_sections(page, start, title))
            text += ("\n\n" if text else "") + page.text
    yield from dict.fromkeys(book.problems)
    if not text.strip() and not book.problems:
        raise EmptyFileError("no text in it: pictures, perhaps")
    if text.strip():
        yield from emit_document(raw, text, title, metadata=metadata, sections=sections)


def _read_metadata(root: XmlElement) -> tuple[str | None, Metadata]:
    values_by_name: dict[str, list[str]] = {}
    for element in root.iter():
        values_by_name.setdefault(element.get("property") or get_local_name(element), []).append(
            " ".join((element.text or "").split())
        )
    first = {key: values[0] for key, values in values_by_name.items()}
    return normalize_title(first.get("title")), build_metadata(
        author=values_by_name.get("creator", ()), created=first.get("date"), modified=first.get("dcterms:modified"),
        language=first.get("language"),
    )  # fmt: skip


def _iter_chapters(root: XmlElement, main: str) -> Iterator[str]:
    """Yield the parts in reading order."""
    folder = posixpath.dirname(main)
    files = {get_attribute(element, "id"): get_attribute(element, "href") for element in iter_descendants(root, "item")}
    for element in iter_descendants(root, "itemref"):
        if href := files.get(get_attribute(element, "idref")):
            yield posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _read_chapter(book: Package, part: str) -> Page | None:
    """Read one chapter; None, and a problem, where it cannot be read."""
    try:
        data = book.read_part(part)
        page = read_page(convert_to_html(decode(data, declared=find_declared_charset(data))))
    except UnreadableFileError as error:
        book.problems.append(ParseWarning(f"{part}: {error}"))
        return None
    if not book.has_part(part):
        book.problems.append(ParseWarning(f"{part}: not in the file"))
    return page if page.text.strip() else None


def _build_sections(page: Page, start: int, title: str | None) -> Iterator[Section]:
    """Yield the sections of a chapter within the book. One without headings is under the title that its page has."""
    if not any("heading" in section.location for section in page.sections):
        name = clean(page.title or "")
        place = {"heading": [name]} if name and name != title else {}
        yield Section(start, place, join_headings(place.get("heading", ()), title), split_priority=1)
        return
    if page.sections[0].start:
        yield Section(start, {}, split_priority=1)
    for section in page.sections:
        path = section.location.get("heading", ())
        path = path if section.split_priority is None else path[:-1]
        header = section.context.removeprefix(join_headings(path, page.title)).lstrip("\n")
        context = "\n".join(filter(None, (join_headings(path, title), header)))
        yield replace(section, start=start + section.start, context=context)
