"""References of XML to text: characters, the names of HTML, and what a file declares itself, within limits.

Nothing is fetched: an entity that lies in another file stays as it is written. So does one that unfolds to too much.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import Final

_NAME: Final = r"[^\W\d][\w:.\-·]*"
_REFERENCE: Final = re.compile(rf"&(?:(#\d{{1,7}}|#[xX][0-9a-fA-F]{{1,6}})|({_NAME}));")
_CHARACTER: Final = re.compile(r"&#(?:\d{1,7}|[xX][0-9a-fA-F]{1,6});")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARATION: Final = re.compile(rf"<!ENTITY\s+({_NAME})\s+(?:\"([^\"]*)\"|'([^']*)')")
_ENTITY_CHARACTERS_MAX: Final = 100_000  # that one entity may unfold to …
_EXPANDED_MAX: Final = 1_000_000  # … and all of a file's together
_DEPTH_MAX: Final = 50
_PROBLEMS_MAX: Final = 20


class Entities:
    """What the names of a file stand for. `problems` says what was left as it is written."""

    def __init__(self) -> None:
        self.problems: dict[str, None] = {}
        self.has_stray_ampersand = False
        self._values: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._expanded_characters = 0

    def add_declarations(self, subset: str) -> None:
        """Take in the declarations of a document type; the first of a name counts."""
        for name, double, single in _DECLARATION.findall(_COMMENT.sub("", subset)):
            self._values.setdefault(name, _CHARACTER.sub(lambda match: unescape(match[0]), double or single))

    def expand(self, text: str) -> str:
        """Replace references to what the file declares by the XML that they stand for."""
        if not self._values or "&" not in text:
            return text
        return _REFERENCE.sub(lambda match: self._expand_reference(match, 0), text)

    def resolve(self, text: str) -> str:
        """Replace references to characters and to names of HTML by the characters."""
        if "&" not in text:
            return text
        self.has_stray_ampersand |= len(_REFERENCE.findall(text)) < text.count("&")
        return _REFERENCE.sub(self._resolve_reference, text)

    def _expand_reference(self, match: re.Match[str], depth: int) -> str:
        value = self._values.get(match[2] or "")
        if value is None:
            return match[0]
        if depth == 0:
            size = self._measure(match[2], 0)
            if size > _ENTITY_CHARACTERS_MAX or self._expanded_characters + size > _EXPANDED_MAX:
                self._add_problem(f"the entity {match[2]} unfolds to too much")
                return f"&amp;{match[2]};"
            self._expanded_characters += size
        return _REFERENCE.sub(lambda inner: self._expand_reference(inner, depth + 1), value)

    def _measure(self, name: str, depth: int) -> int:
        """Return to how many characters an entity unfolds, too many where it holds itself."""
        if name not in self._sizes:
            self._sizes[name] = _ENTITY_CHARACTERS_MAX + 1  # until it is known
            value = self._values[name]
            inner = (
                [match[2] for match in _REFERENCE.finditer(value) if match[2] in self._values] if depth < _DEPTH_MAX else [name]
            )
            self._sizes[name] = len(value) + 1 + sum(self._measure(part, depth + 1) for part in inner)
        return self._sizes[name]

    def _resolve_reference(self, match: re.Match[str]) -> str:
        if match[1] is not None:
            return unescape(match[0])
        known = html5.get(f"{match[2]};")
        if known is None:
            self._add_problem(f"the entity {match[2]} is not declared in it")
        return match[0] if known is None else known

    def _add_problem(self, problem: str) -> None:
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems[problem] = None
