"""XML that no parser of XML takes, or that declares entities: its elements and words as far as they are clear."""

from __future__ import annotations

import re
from typing import Final, Protocol

from vecsearch.documents.loaders.xml_entities import Entities

_NAME: Final = r"[^\W\d][\w:.\-·]*"
_QUOTED: Final = r"\"[^\"]*\"|'[^']*'"
_TOKEN: Final = re.compile(  # what is never closed reaches to the end, so that each place is looked at once
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<words>.*?)(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    rf"|<!DOCTYPE\b(?:[^<>\[\]\"']++|{_QUOTED})*+(?:\[(?P<subset>(?:<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|{_QUOTED}|[^\]\"'])*+)(?:\]\s*|\Z))?>?"
    rf"|</(?P<end>{_NAME})[^<>]*+>?"
    rf"|<(?P<start>{_NAME})(?P<attributes>(?:[^<>\"']++|\"[^\"<]*\"|'[^'<]*')*+(?=>)|[^<>]*+)>?",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"([^\s=<>\"'/]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))")
_SPACES: Final = re.compile(r"[\n\t]")


class XmlHandler(Protocol):
    """What takes the elements and words, in order."""

    def start(self, name: str, attributes: dict[str, str], /) -> None: ...
    def add(self, text: str, /) -> None: ...
    def end(self, name: str, /) -> None: ...


class XmlRecovery:
    """Reads one text. A tag that ends no open element is passed over; one that ends an outer element ends those inside it.

    Of the elements `without_end`, each ends where the next of its name begins. `unclosed` are those found to have no end tag.
    """

    def __init__(self, handler: XmlHandler, without_end: frozenset[str] = frozenset()) -> None:
        self._handler = handler
        self._entities = Entities()
        self._open_names: list[str] = []
        self._fault_at: int | None = None
        self._without_end = without_end
        self.unclosed: set[str] = set()
        self.elements = 0

    @property
    def problems(self) -> list[str]:
        """Return what could not be read of entities."""
        return list(self._entities.problems)

    def read(self, text: str) -> int | None:
        """Give a text's elements and words to the handler; returns the place of the first fault found, None without one."""
        self._read_markup(text, is_expanded=False)
        if self._open_names or self._entities.has_stray_ampersand:
            self._note_fault(len(text.rstrip()))
        self.unclosed.update(self._open_names)
        while self._open_names:
            self._handler.end(self._open_names.pop())
        return self._fault_at

    def _read_markup(self, text: str, *, is_expanded: bool) -> None:
        at = 0
        for token in _TOKEN.finditer(text):
            self._add_words(text[at : token.start()], is_expanded=is_expanded)
            at = token.end()
            if token["start"] and _is_no_tag(token):
                self._note_fault(token.start())
                self._add_words(token[0], is_expanded=is_expanded)
            elif token["start"]:
                self._start(token)
            elif token["end"]:
                self._end(token)
            elif token["words"]:
                self._handler.add(token["words"])
            elif token["subset"] and not is_expanded:
                self._entities.add_declarations(token["subset"])
        self._add_words(text[at:], is_expanded=is_expanded)

    def _add_words(self, text: str, *, is_expanded: bool) -> None:
        if not text:
            return
        expanded = text if is_expanded else self._entities.expand(text)
        if expanded != text and "<" in expanded:
            self._read_markup(expanded, is_expanded=True)
        else:
            self._handler.add(self._entities.resolve(expanded))

    def _start(self, token: re.Match[str]) -> None:
        source, name = token["attributes"], token["start"]
        attributes = {
            key: self._entities.resolve(self._entities.expand(_SPACES.sub(" ", double or single or bare)))
            for key, double, single, bare in _ATTRIBUTE.findall(source.removesuffix("/"))
        }
        self.elements += 1
        if name in self._without_end and self._open_names[-1:] == [name]:
            self._handler.end(self._open_names.pop())
        self._handler.start(name, attributes)
        if source.endswith("/"):
            self._handler.end(name)
        else:
            self._open_names.append(name)

    def _end(self, token: re.Match[str]) -> None:
        name = token["end"]
        if not self._open_names or self._open_names[-1] != name:
            self._note_fault(token.start())
        if name in self._open_names:
            while (unclosed := self._open_names.pop()) != name:
                self.unclosed.add(unclosed)
                self._handler.end(unclosed)
            self._handler.end(name)

    def _note_fault(self, place: int) -> None:
        self._fault_at = place if self._fault_at is None else self._fault_at


def _is_no_tag(token: re.Match[str]) -> bool:
    """Return whether it is a sign between words, as in `x<y`, and not a tag whose end is missing: that has attributes, or is the
    last one."""
    return not token[0].endswith(">") and "=" not in token["attributes"] and token.end() < len(token.string)
