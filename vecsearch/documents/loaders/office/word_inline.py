"""The text inside a paragraph of a Word document: runs as their fonts show them, fields as they show, pages where they begin.

What floats beside the paragraph (drawings, notes) is put aside for whoever writes the paragraph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vecsearch.documents.loaders.office.formula import decode_symbol_element, format_formula
from vecsearch.documents.loaders.office.numbering import parse_small_int
from vecsearch.documents.loaders.office.package import (
    XmlElement,
    choose_alternative,
    find_child,
    get_attribute,
    get_local_name,
    is_on,
)
from vecsearch.documents.loaders.office.styles import ParagraphStyles
from vecsearch.documents.loaders.symbol_fields import decode_symbol_field
from vecsearch.documents.loaders.symbol_fonts import decode_symbols

SKIPPED_TAGS: Final = frozenset(
    "del moveFrom instrText delText delInstrText pPr rPr sdtPr sdtEndPr rubyPr rt proofErr sectPr tblPr tblGrid trPr tcPr".split()
)
NOTE_KINDS: Final = ("footnote", "endnote", "comment")
PAGE_START: Final = "\f"  # in a text: a page begins here; no text part of a document may hold this character
_SPACES: Final = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "lastRenderedPageBreak": PAGE_START}
_SHOWN_TAGS: Final = frozenset({"t", "sym", *_SPACES} - {"lastRenderedPageBreak"})


@dataclass(slots=True)
class _OpenField:
    """A field between its marks: what it is made of, then what it shows, `value` where no text says so, or for all that does."""

    value: str = ""
    code: str = ""
    is_in_code: bool = True
    is_symbol: bool = False


@dataclass(slots=True)
class InlineReader:
    """Reads paragraphs, one after the other. `floating` holds what floats beside those read so far, in its order."""

    styles: ParagraphStyles
    notes: dict[tuple[str, str], XmlElement]
    floating: list[XmlElement] = field(default_factory=list)
    _paragraph_font: str = ""
    _run_font: str = ""
    _fields: list[_OpenField] = field(default_factory=list)  # those that are open, the outermost first

    def extract_text(self, paragraph: XmlElement, font: str) -> str:
        """Return the text of a paragraph that is set in a font where its runs name none."""
        self._paragraph_font = self._run_font = font
        self._fields = []
        return self._extract_pieces(paragraph)

    def _extract_pieces(self, element: XmlElement) -> str:
        return "".join(map(self._extract_piece, element))

    def _extract_piece(self, element: XmlElement) -> str:
        name = get_local_name(element)
        if name in _SHOWN_TAGS and self._is_hidden():
            return ""
        if extract := _EXTRACTORS.get(name):
            return extract(self, element)
        if name.endswith("Reference"):
            note = self.notes.pop((name.removesuffix("Reference"), get_attribute(element, "id")), None)
            self.floating.extend([note] if note is not None else [])
            return ""
        return "" if name in SKIPPED_TAGS else _SPACES.get(name) or self._extract_pieces(element)

    def _is_hidden(self) -> bool:
        """Return whether what stands here is a part of what a field is made of, or of what one shows by its code alone."""
        return any(outer.is_in_code for outer in self._fields[:-1]) or any(outer.is_symbol for outer in self._fields[-1:])

    def _extract_run(self, run: XmlElement) -> str:
        self._run_font = self.styles.find_font(find_child(run, "rPr"), self._paragraph_font)
        return self._extract_pieces(run)

    def _extract_words(self, element: XmlElement) -> str:
        for open_field in self._fields:
            open_field.value = ""
        return decode_symbols(self._run_font, element.text or "")

    def _put_aside(self, element: XmlElement) -> str:
        self.floating.append(element)
        return ""

    def _pass_field_mark(self, mark: XmlElement) -> str:
        """Return what a field shows at its end, where no text in it says so."""
        kind = get_attribute(mark, "fldCharType")
        if kind == "begin":
            self._fields.append(_OpenField(_read_form_value(find_child(mark, "ffData"))))
        elif self._fields:
            current = self._fields[-1]
            sign = decode_symbol_field(current.code) if current.is_in_code else None
            current.is_in_code = False
            if sign is not None:
                current.value, current.is_symbol = sign, True
            if kind == "end":
                return self._fields.pop().value
        return ""

    def _collect_code(self, element: XmlElement) -> str:
        if self._fields:
            self._fields[-1].code += element.text or ""
        return ""

    def _extract_simple_field(self, element: XmlElement) -> str:
        sign = decode_symbol_field(get_attribute(element, "instr"))
        return self._extract_pieces(element) if sign is None else sign


_EXTRACTORS: Final[dict[str, Callable[[InlineReader, XmlElement], str]]] = {
    "t": InlineReader._extract_words,
    "r": InlineReader._extract_run,
    "sym": lambda _, element: decode_symbol_element(element),
    "fldChar": InlineReader._pass_field_mark,
    "instrText": InlineReader._collect_code,
    "fldSimple": InlineReader._extract_simple_field,
    **dict.fromkeys(("drawing", "pict", "object"), InlineReader._put_aside),
    **dict.fromkeys(("oMath", "oMathPara"), lambda _, element: f"{format_formula(element)} "),
    "AlternateContent": lambda reader, element: reader._extract_pieces(choose_alternative(element)),
}


def _read_form_value(data: XmlElement | None) -> str:
    """Return what a form field of Word 97 is set to: a box, ticked or not, or the entry chosen from a list."""
    box, choices = find_child(data, "checkBox"), find_child(data, "ddList")
    if box is not None:
        states = [child for name in ("checked", "default") if (child := find_child(box, name)) is not None]
        return "☒" if states and is_on(states[0]) else "☐"
    if choices is None:
        return ""
    entries = [get_attribute(child, "val") for child in choices if get_local_name(child) == "listEntry"]
    chosen = [get_attribute(child, "val") for name in ("result", "default") if (child := find_child(choices, name)) is not None]
    place = parse_small_int(chosen[0], 0) if chosen else 0
    return entries[place] if place < len(entries) else ""
