"""What stands on the sheets of an .xlsx beside their cells: comments, text boxes, charts."""

from __future__ import annotations

from collections.abc import Iterator

from vecsearch.documents.loaders.office.charts import extract_drawing_text, extract_paragraph_text
from vecsearch.documents.loaders.office.package import (
    Package,
    XmlElement,
    choose_alternative,
    find_child,
    get_attribute,
    get_local_name,
    iter_descendants,
)
from vecsearch.documents.loaders.office.sheet_tables import find_main_part, iter_sheet_parts

_THREAD_PREFIX: str = "tc="  # how the author of a comment begins that only repeats one of a thread


def read_sheet_notes(book: Package) -> dict[str, str]:
    """Return a map from the name of a sheet to what stands on it, a paragraph each; sheets with nothing are left out."""
    people = dict(_read_people(book))
    notes_by_sheet = {}
    for name, part in iter_sheet_parts(book):
        if notes := "\n\n".join(_read_notes(book, part, people)):
            notes_by_sheet[name] = notes
    return notes_by_sheet


def _read_notes(book: Package, sheet: str, people: dict[str, str]) -> Iterator[str]:
    for part in book.find_related(sheet, "/comments").values():
        yield from _read_comments(book.parse_part(part))
    for part in book.find_related(sheet, "/threadedComment").values():
        for comment in iter_descendants(book.parse_part(part), "threadedComment"):
            yield _format_comment(
                comment, people.get(get_attribute(comment, "personId"), ""), _get_text(find_child(comment, "text"))
            )
    for part in book.find_related(sheet, "/drawing").values():
        root = book.parse_part(part)
        if root is not None:
            yield from filter(None, map(str.strip, _read_drawing(book, book.find_related(part), root)))


def _read_people(book: Package) -> Iterator[tuple[str, str]]:
    for part in book.find_related(find_main_part(book), "/person").values():
        for person in iter_descendants(book.parse_part(part), "person"):
            yield get_attribute(person, "id"), get_attribute(person, "displayName")


def _read_comments(root: XmlElement | None) -> Iterator[str]:
    authors = [comment.text or "" for comment in iter_descendants(root, "author")]
    for comment in iter_descendants(root, "comment"):
        number = get_attribute(comment, "authorId")
        author = authors[int(number)] if number.isdecimal() and len(number) < 7 and int(number) < len(authors) else ""
        if not author.startswith(_THREAD_PREFIX):
            yield _format_comment(comment, author, "".join(_get_text(text) for text in iter_descendants(comment, "t")))


def _format_comment(element: XmlElement, author: str, text: str) -> str:
    return f"[{', '.join(filter(None, (get_attribute(element, 'ref'), author)))}: {text.strip()}]"


def _get_text(element: XmlElement | None) -> str:
    return (element.text or "") if element is not None else ""


def _read_drawing(book: Package, parts: dict[str, str], element: XmlElement) -> Iterator[str]:
    for child in element:
        if get_local_name(child) == "txBody":
            yield "\n".join(filter(None, (extract_paragraph_text(line) for line in child if get_local_name(line) == "p")))
        else:
            yield extract_drawing_text(book, parts, child)
            yield from _read_drawing(
                book, parts, choose_alternative(child) if get_local_name(child) == "AlternateContent" else child
            )
