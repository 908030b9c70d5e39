"""What stands on the sheets of an .xlsx beside their cells: comments, text boxes, charts."""

from __future__ import annotations

from collections.abc import Iterator

from vecsearch.documents.loaders.office.charts import drawn, paragraph
from vecsearch.documents.loaders.office.package import Package, Xml, alternative, attribute, child, descendants, local

_THREAD: str = "tc="  # how the author of a comment begins that only repeats one of a thread


def notes(book: Package) -> dict[str, str]:
    """Name of a sheet → what stands on it, a paragraph each; sheets with nothing are left out."""
    main = next(iter(book.related("", "/officeDocument").values()), "")
    if not main.endswith(".xml"):  # .xlsb has them in binary
        return {}
    parts, people = book.related(main), dict(_people(book, main))
    sheets = child(book.xml(main), "sheets")
    found = {}
    for each in sheets if sheets is not None else ():
        identifier = next((value for key, value in each.attrib.items() if key.endswith("}id")), "")
        if (part := parts.get(identifier)) and (said := "\n\n".join(_said(book, part, people))):
            found[each.get("name", "")] = said
    return found


def _said(book: Package, sheet: str, people: dict[str, str]) -> Iterator[str]:
    for part in book.related(sheet, "/comments").values():
        yield from _comments(book.xml(part))
    for part in book.related(sheet, "/threadedComment").values():
        for each in descendants(book.xml(part), "threadedComment"):
            yield _comment(each, people.get(attribute(each, "personId"), ""), _words(child(each, "text")))
    for part in book.related(sheet, "/drawing").values():
        root = book.xml(part)
        if root is not None:
            yield from filter(None, map(str.strip, _drawing(book, book.related(part), root)))


def _people(book: Package, main: str) -> Iterator[tuple[str, str]]:
    for part in book.related(main, "/person").values():
        for each in descendants(book.xml(part), "person"):
            yield attribute(each, "id"), attribute(each, "displayName")


def _comments(root: Xml | None) -> Iterator[str]:
    authors = [each.text or "" for each in descendants(root, "author")]
    for each in descendants(root, "comment"):
        number = attribute(each, "authorId")
        author = authors[int(number)] if number.isdecimal() and len(number) < 7 and int(number) < len(authors) else ""
        if not author.startswith(_THREAD):
            yield _comment(each, author, "".join(_words(text) for text in descendants(each, "t")))


def _comment(element: Xml, author: str, text: str) -> str:
    return f"[{', '.join(filter(None, (attribute(element, 'ref'), author)))}: {text.strip()}]"


def _words(element: Xml | None) -> str:
    return (element.text or "") if element is not None else ""


def _drawing(book: Package, parts: dict[str, str], element: Xml) -> Iterator[str]:
    for each in element:
        if local(each) == "txBody":
            yield "\n".join(filter(None, (paragraph(line) for line in each if local(line) == "p")))
        else:
            yield drawn(book, parts, each)
            yield from _drawing(book, parts, alternative(each) if local(each) == "AlternateContent" else each)
