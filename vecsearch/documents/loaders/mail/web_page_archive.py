"""Web pages saved as mail (MHTML): the page that the archive is of, then those in its frames. Pictures are left out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.documents.loaders.html import Page, read_page
from vecsearch.documents.loaders.mail.mime_text import HTML, MimeMessage, decode_page, read_headers, read_payload
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_SUFFIXES: Final = (".mht", ".mhtml")
_HTML_TYPES: Final = (HTML, "application/xhtml+xml")
_PLACE: Final = "content-location"


def is_web_archive(message: MimeMessage, suffix: str) -> bool:
    """Return whether a message is a saved page: its first part is one, and says where it is from, while nobody sends it."""
    root = _find_root(message)
    if root is None or root.get_content_type() not in _HTML_TYPES or "to" in message or "received" in message:
        return False
    return suffix in _SUFFIXES or any(name in part for part in (root, message) for name in (_PLACE, f"snapshot-{_PLACE}"))


def load_web_archive(raw: RawFile, message: MimeMessage) -> Iterator[LoaderItem]:
    """Yield the page as one document; what stands in a frame has the frame's file as its member."""
    root = _find_root(message)
    assert root is not None
    page = _read_part(root)
    text, sections = page.text, list(page.sections or (Section(0, {}),))
    for part in message.walk():
        if part is root or part.get_content_type() not in _HTML_TYPES:
            continue
        framed = _read_part(part)
        if framed.text.strip():
            start = len(text) + 2 if text else 0
            text = f"{text}\n\n{framed.text}" if text else framed.text
            sections += _move_sections(framed, start, _get_file_name(part))
    title = page.title or read_headers(message).get("subject") or None
    return emit_document(raw, text, title, metadata=page.metadata, sections=_drop_shadowed(sections))


def _find_root(message: MimeMessage) -> MimeMessage | None:
    """Return the part that is shown: the one that a header names, else the first."""
    parts = [part for part in message.walk() if not part.is_multipart()]
    start = message.get_param("start")
    named = [part for part in parts if start and part.get("content-id") == start]
    return next(iter(named or parts), None)


def _read_part(part: MimeMessage) -> Page:
    return read_page(decode_page(read_payload(part), part.get_content_charset()))


def _get_file_name(part: MimeMessage) -> str:
    """Return what the file of a framed page was called; its address need not be a sound one."""
    path = str(part.get(_PLACE, "")).partition("?")[0].partition("#")[0]
    return posixpath.basename(unquote(path).replace("\\", "/")) or part.get_filename() or ""


def _move_sections(page: Page, start: int, name: str) -> Iterator[Section]:
    own = {"member": name} if name else {}
    for section in page.sections or (Section(0, {}),):
        is_first = section.start == 0
        yield replace(
            section,
            start=section.start + start,
            location={**own, **section.location},
            hard_boundary=section.hard_boundary or is_first,
        )


def _drop_shadowed(sections: list[Section]) -> tuple[Section, ...]:
    """Return the sections without those that end where they begin."""
    return tuple({section.start: section for section in sections}.values())
