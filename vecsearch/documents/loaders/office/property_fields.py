"""Titles that say something, among those that documents state."""

from __future__ import annotations

import re
from typing import Final

_NO_NAME: Final = (
    r"unknown|title|(?:no|document|page) title|ohne titel|kein titel|none|null|undefined|n/a"
    r"|(?:untitled|unbenannt|sans titre|sin t[íi]tulo|senza titolo|sem t[íi]tulo|zonder titel)"
    r"(?:[ -](?:document|page|presentation|notebook))?[-_\s\d]*"
)
_NEW_FILE: Final = (
    r"(?:new |word )?(?:document|page|presentation|slide|workbook|folie|dokument|präsentation|mappe)[-_\s\d]*|book\s*\d+"
    r"|power\s?point[- ]pr[äe]sentati(?:on|e)"
    r"|(?:présentation|presentación de|apresentação do|presentazione(?: standard)? di) power\s?point"
)
_PROGRAM: Final = r"microsoft (?:office )?(?:word|power\s?point|excel|publisher|visio)\s?[-:–]"
_FILE_NAME: Final = (
    r".*[^\s.]\.(?:docx?|dotx?|rtf|wpd|wps|indd|qx[dp]|pmd|p65|dvi|pptx?|ppsx?|xlsx?|od[tsp]|pub|cdr)$"
    r"|\S*[^\s.]\.(?:html?|txt|tex|md|pdf|e?ps|pages|key|numbers|fm|ai|psd|jpe?g|png|tiff?)$"
)
_PLACEHOLDER_MAX: Final = 200  # characters
_PLACEHOLDER_TITLE: Final = re.compile(  # what programs write there by themselves
    rf"[\W_]*(?:{_NO_NAME}|{_NEW_FILE})?[\W_]*$|{_PROGRAM}|{_FILE_NAME}", re.IGNORECASE
)


def normalize_title(title: str | None) -> str | None:
    """Return a stated title, None for what a program calls any new document, and for the name of a file."""
    title = " ".join((title or "").split())
    is_placeholder = len(title) <= _PLACEHOLDER_MAX and _PLACEHOLDER_TITLE.match(title)
    return None if is_placeholder else title or None
