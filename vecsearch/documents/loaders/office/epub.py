"""An electronic book: its chapters in reading order as one document, each under its headings. Books under DRM are refused."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Metadata, Problem, Section
from vecsearch.documents.loaders.office.package import Package, Xml, attribute, descendants, local, package
from vecsearch.documents.loaders.outline import clean
from vecsearch.documents.loaders.page import Page, read_page
from vecsearch.documents.loaders.raw import Raw, one, trail
from vecsearch.documents.loaders.stated import stated
from vecsearch.documents.text import NoText, declared_charset, decode

_CLOSED: Final = re.compile(r"<(script|style|title|textarea|iframe|noscript)\b([^>]*)/>", re.IGNORECASE)  # means nothing in HTML
_FONTS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # fonts only are encrypted so


def epub(raw: Raw) -> Iterator[Item]:
    """An .epub. Raises NoText, UnreadableFile."""
    book = package(raw, "an EPUB book")
    if any(
        attribute(each, "Algorithm") not in _FONTS
        for each in descendants(book.xml("META-INF/encryption.xml"), "EncryptionMethod")
    ):
        raise UnreadableFile("an EPUB book is under copy protection (DRM), which only its shop's programs open")
    main = next((attribute(each, "full-path") for each in descendants(book.xml("META-INF/container.xml"), "rootfile")), "")
    if (root := book.xml(main)) is None:
        raise UnreadableFile("an EPUB book is damaged: it has no list of its chapters")
    title, metadata = _stated(root)
    text, sections = "", list[Section]()
    for part in _chapters(root, main):
        if page := _page(book, part):
            start = len(text) + 2 if text else 0
            sections.extend(_placed(page, start, title))
            text += ("\n\n" if text else "") + page.text
    yield from dict.fromkeys(book.problems)
    if not text.strip() and not book.problems:
        raise NoText("no text in it: pictures, perhaps")
    if text.strip():
        yield from one(raw, text, title, metadata=metadata, sections=sections)


def _stated(root: Xml) -> tuple[str | None, Metadata]:
    given: dict[str, list[str]] = {}
    for each in root.iter():
        given.setdefault(each.get("property") or local(each), []).append(" ".join((each.text or "").split()))
    first = {key: values[0] for key, values in given.items()}
    return first.get("title") or None, stated(
        author=given.get("creator", ()), created=first.get("date"), modified=first.get("dcterms:modified"),
        language=first.get("language"),
    )  # fmt: skip


def _chapters(root: Xml, main: str) -> Iterator[str]:
    """The parts in reading order."""
    folder = posixpath.dirname(main)
    files = {attribute(each, "id"): attribute(each, "href") for each in descendants(root, "item")}
    for each in descendants(root, "itemref"):
        if href := files.get(attribute(each, "idref")):
            yield posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _page(book: Package, part: str) -> Page | None:
    """One chapter; None, and a problem, where it cannot be read."""
    try:
        data = book.read(part)
        page = read_page(_CLOSED.sub(r"<\1\2></\1>", decode(data, declared=declared_charset(data))))
    except UnreadableFile as error:
        book.problems.append(Problem(f"{part}: {error}"))
        return None
    if not book.has(part):
        book.problems.append(Problem(f"{part}: not in the file"))
    return page if page.text.strip() else None


def _placed(page: Page, start: int, title: str | None) -> Iterator[Section]:
    """The sections of a chapter within the book. One without headings is under the title that its page has."""
    if not any("heading" in each.place for each in page.sections):
        name = clean(page.title or "")
        place = {"heading": [name]} if name and name != title else {}
        yield Section(start, place, trail(place.get("heading", ()), title), level=1)
        return
    if page.sections[0].start:
        yield Section(start, {}, level=1)
    for each in page.sections:
        path = each.place.get("heading", ())
        path = path if each.level is None else path[:-1]
        header = each.context.removeprefix(trail(path, page.title)).lstrip("\n")
        context = "\n".join(filter(None, (trail(path, title), header)))
        yield replace(each, start=start + each.start, context=context)
