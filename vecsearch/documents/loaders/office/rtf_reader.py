"""The control words of rich text: what they make of the words between them. Knows no files; `rtf` makes a document of it.

What a program need not understand is left out, pictures and embedded objects too; so is what was deleted with changes tracked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.code_pages import get_code_page_codec
from vecsearch.documents.loaders.font_table import WESTERN, FontTable
from vecsearch.documents.loaders.office.rtf_story import FORMULA_PARTS, RtfParagraph, Story
from vecsearch.documents.loaders.symbol_fields import decode_symbol_field

_TOKEN: Final = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<value>-?\d{1,9})?\d* ?|\\'(?P<byte>[0-9A-Fa-f]{2})|\\(?P<sign>[^A-Za-z])|(?P<brace>[{}])"
    rb"|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
_DEPTH_MAX: Final = 10_000  # groups inside each other; people and programs need a hundred
_CHARACTERS: Final = {
    "tab": "\t", "line": "\n", "softline": "\n", "lbr": "\n", "emdash": "\u2014", "endash": "\u2013", "emspace": "\u2003",
    "enspace": "\u2002", "qmspace": "\u2005", "bullet": "\u2022", "lquote": "\u2018", "rquote": "\u2019",
    "ldblquote": "\u201c", "rdblquote": "\u201d", "zwj": "\u200d", "zwnj": "\u200c", "mrad": "√", "~": "\xa0", "_": "-",
}  # fmt: skip
_TEXT_SIGNS: Final = (b"\\", b"{", b"}")  # these may be the second byte of a character
_PARAGRAPH_ENDS: Final = frozenset(["par", "sect", "page", "column", "\n", "\r"])
_MARGINS: Final = frozenset("header headerl headerr headerf footer footerl footerr footerf".split())
_STORIES: Final = (
    _MARGINS
    | frozenset(FORMULA_PARTS)
    | frozenset("footnote annotation shptxt dptxbxtext listtext pntext atnauthor fldinst fonttbl stylesheet info ffl".split())
)
_INFO: Final = frozenset("title author creatim revtim".split())  # of it, what is read
_TRANSPARENT: Final = frozenset(
    "shpinst shpgrp do ud upr nesttableprops moMath moMathPara formfield".split()
)  # though they may be ignored
_SKIPPED: Final = frozenset(
    "colortbl pict nonshppict shprslt list listname liststylename listoverride listtable listoverridetable revtbl filetbl xe tc "
    "rxe txe sp sn sv objclass objdata objname bkmkstart bkmkend ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn datafield "
    "generator private template pntxta pntxtb nonesttables mmathPict themedata colorschememapping latentstyles rsidtbl "
    "pnseclvl leveltext levelnumbers mlimLoc msubHide msupHide mgrow".split()
)
_PAGES: Final = {"ansi": WESTERN, "mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
_DEFINITIONS: Final = ("fonttbl", "stylesheet", "creatim", "revtim")
_FORM_WORDS: Final = ("fftype", "ffres", "ffdefres")  # of a form field: its kind, what is chosen, what is chosen at first
_CHECK_BOX, _DROP_DOWN, _FORM_UNSET = 1, 2, 25


class _State(NamedTuple):
    """What holds until the group ends. No `story`: what is written is left out."""

    story: Story | None
    font: int | None = None
    fallback: int = 1  # bytes that stand behind a character of Unicode for programs that know none
    deleted: bool = False
    is_complex: bool = False  # what the font of Asian and right-to-left text is follows
    style: int | None = None
    outline_level: int | None = None
    table_depth: int = 0
    is_header: bool = False  # the row of a table


_PROPERTIES: Final[Mapping[str, Callable[[_State, int], _State]]] = {
    "plain": lambda state, _: state._replace(font=None, deleted=False, is_complex=False),
    "pard": lambda state, _: state._replace(style=None, outline_level=None, table_depth=0),
    "f": lambda state, value: state._replace(font=value),
    "af": lambda state, value: state._replace(font=value) if state.is_complex else state,
    "dbch": lambda state, _: state._replace(is_complex=True),
    "rtlch": lambda state, _: state._replace(is_complex=True),
    "loch": lambda state, _: state._replace(is_complex=False),
    "hich": lambda state, _: state._replace(is_complex=False),
    "ltrch": lambda state, _: state._replace(is_complex=False),
    "uc": lambda state, value: state._replace(fallback=value),
    "deleted": lambda state, value: state._replace(deleted=value != 0),
    "mvf": lambda state, value: state._replace(deleted=value != 0),
    "s": lambda state, value: state._replace(style=value),
    "outlinelevel": lambda state, value: state._replace(outline_level=value),
    "intbl": lambda state, value: state._replace(table_depth=max(state.table_depth, 1) if value else 0),
    "itap": lambda state, value: state._replace(table_depth=value),
    "trowd": lambda state, _: state._replace(is_header=False),
    "trhdr": lambda state, _: state._replace(is_header=True),
}


class _Style(NamedTuple):
    name: str = ""
    outline_level: int | None = None


class RtfReader:
    """Reads a document once. `western` is the encoding of bytes that are said to be Western or of which nothing is said."""

    def __init__(self, data: bytes, *, western: str = WESTERN) -> None:
        self.fonts = FontTable(western)
        self.body = Story("rtf")
        self.margins: list[str] = []
        self.info: dict[str, str] = {}
        self.times: dict[str, dict[str, int]] = {}
        self._data = data
        self._is_utf8 = not data.isascii() and _is_utf8(data)
        self._state = _State(self.body)
        self._groups: list[_State] = []
        self._bytes = bytearray()
        self._fallback_left = 0
        self._is_optional = False  # the next word may begin what is left out by those who do not know it
        self._default_font = 0
        self._styles: dict[int, _Style] = {}
        self._entry = 0  # the style that is being defined
        self._comment_author = ""
        self._is_field_shown = False
        self._form: dict[str, int] = {}
        self._form_entries: list[str] = []

    def read(self) -> None:
        """Read all of it. Raises UnreadableFileError."""
        position, size = 0, len(self._data)
        while position < size and (match := _TOKEN.match(self._data, position)):
            position = match.end()
            match match.lastgroup:
                case "text":
                    self._read_text(match["text"])
                case "byte":
                    self._read_byte(int(match["byte"], 16))
                case "brace":
                    if not self._read_brace(match["brace"]):
                        break
                case "word" | "value":
                    position += self._read_word(match["word"].decode(), match["value"], size - position)
                case "sign" if match["sign"] in _TEXT_SIGNS:
                    self._read_text(match["sign"])
                case "sign":
                    self._read_word(match["sign"].decode("latin-1"), None, 0)
        while self._groups:
            self._end_group()
        self._flush()

    # -- text

    def _read_text(self, data: bytes) -> None:
        skipped = min(self._fallback_left, len(data))
        self._fallback_left -= skipped
        if self._is_utf8 and not data.isascii():
            self._flush()
            self._write(self.fonts.draw(self._font, data[skipped:].decode("utf-8", "ignore")))
        elif self._state.story is not None:
            self._bytes += data[skipped:]
        self._is_optional = False

    def _read_byte(self, value: int) -> None:
        self._is_optional = False
        if self._fallback_left:
            self._fallback_left -= 1
        elif self._state.story is not None:
            self._bytes.append(value)

    def _flush(self) -> None:
        """Write the bytes that wait: a character may be several, as they stand or by their numbers."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            is_name = self._state.story is not None and self._state.story.kind == "fonttbl"
            self._write(data.decode("latin-1") if is_name else self.fonts.decode(self._font, data))

    def _write(self, text: str) -> None:
        story = self._state.story
        if story is None or self._state.deleted:
            return
        if story.kind == "fonttbl":
            self.fonts.add_name(text)
        elif story.kind == "stylesheet":
            style = self._styles.get(self._entry, _Style())
            self._styles[self._entry] = style._replace(name=style.name + text.partition(";")[0])
        else:
            story.add(text)

    @property
    def _font(self) -> int:
        return self._default_font if self._state.font is None else self._state.font

    # -- groups

    def _read_brace(self, brace: bytes) -> bool:
        """Begin or end a group. False where the document ends."""
        self._flush()
        self._fallback_left, self._is_optional = 0, False
        if brace == b"{":
            if len(self._groups) >= _DEPTH_MAX:
                raise UnreadableFileError(f"an RTF document is damaged: more than {_DEPTH_MAX:,} groups lie inside each other")
            self._groups.append(self._state)
        elif self._groups:
            self._end_group()
        return bool(self._groups)

    def _end_group(self) -> None:
        self._flush()
        story, self._state = self._state.story, self._groups.pop()
        outside = self._groups[-1].story if self._groups else None  # what a group of alternatives goes on with
        if story is not None and story not in (self._state.story, outside):
            self._end_story(story)

    def _begin_story(self, kind: str) -> None:
        outer = self._groups[-1].story if self._groups else None
        story = self._state.story
        if story is None:
            return
        if self._groups and story is not outer:
            self._end_story(story)
        begun = None if self._state.deleted else Story(kind)
        self._state = self._state._replace(story=begun, style=None, outline_level=None, table_depth=0)

    def _end_story(self, story: Story) -> None:
        """Put what was written where it belongs, beside what stands around it."""
        text = story.finish()
        outer = self._groups[-1].story if self._groups and self._state.story is story else self._state.story
        match story.kind:
            case "atnauthor":
                self._comment_author = text.strip()
            case "fldinst":
                self._show_field(outer, text)
            case "ffl":
                self._form_entries.append(text)
            case kind if kind in _MARGINS:
                self.margins.append(text)
            case kind if kind in _INFO:
                self.info.setdefault(kind, text)
            case kind if outer is not None:
                self._join_story(outer, kind, text)

    def _join_story(self, outer: Story, kind: str, text: str) -> None:
        """Put what was written into what stands around it, or beside it."""
        match kind:
            case "listtext" | "pntext":
                outer.label = outer.label or text.strip()
            case "annotation":
                author, self._comment_author = self._comment_author, ""
                outer.asides.append((f"[{author}: {text}]" if author and text else text).strip())
            case "footnote" | "shptxt" | "dptxbxtext":
                outer.asides.append(text.strip())
            case kind if kind in FORMULA_PARTS:
                outer.add_formula_part(kind, text)

    def _show_field(self, outer: Story | None, code: str) -> None:
        """Write what a field shows by its code or as a form, in place of what another program left there."""
        shown = decode_symbol_field(code) or self._read_form_value()
        self._form, self._form_entries = {}, []
        if outer is not None and shown:
            outer.add(shown)
            self._is_field_shown = True

    def _read_form_value(self) -> str:
        """Return what a form field is set to: a box, ticked or not, or the entry chosen from a list; a text stands after it."""
        kind, default = self._form.get("fftype"), self._form.get("ffdefres", 0)
        chosen = self._form.get("ffres", _FORM_UNSET)
        chosen = default if chosen == _FORM_UNSET else chosen
        if kind == _CHECK_BOX:
            return "☒" if chosen else "☐"
        return self._form_entries[chosen] if kind == _DROP_DOWN and 0 <= chosen < len(self._form_entries) else ""

    # -- control words

    def _read_word(self, word: str, digits: bytes | None, left: int) -> int:
        """Take a control word; return how many bytes behind it are none of the text, of those that are left."""
        if word == "'":  # not a number of a byte: damage
            return 0
        self._flush()
        value = int(digits) if digits else 1
        if word == "*":
            self._is_optional = True
        elif word == "bin":
            self._fallback_left = 0
            return value if digits and 0 < value <= left else 0
        elif word == "u":
            self._write_unicode(value if digits else 0x20)
        elif (character := _CHARACTERS.get(word)) is not None:
            if self._fallback_left:
                self._fallback_left -= 1
            else:
                self._write(character)
        else:
            self._fallback_left = 0
            self._read_command(word, value)
        if word != "*":
            self._is_optional = False
        return 0

    def _write_unicode(self, value: int) -> None:
        code = value & 0xFFFF if value < 0x10000 else value
        if code < 0x110000:
            self._write(self.fonts.draw(self._font, chr(code)))
        self._fallback_left = max(self._state.fallback, 0)

    def _read_command(self, word: str, value: int) -> None:
        story = self._state.story
        kind = story.kind if story is not None else ""
        if word in _STORIES or (word in _INFO and kind == "info"):
            self._begin_story(word)
        elif word in _TRANSPARENT:
            self._read_alternative(word)
        elif self._is_optional or word in _SKIPPED or (word.startswith("m") and word.endswith("Pr") and word != "mnaryPr"):
            self._state = self._state._replace(story=None)
        elif word == "fldrslt" and self._is_field_shown:
            self._is_field_shown, self._state = False, self._state._replace(story=None)
        elif kind in _DEFINITIONS or word in _FORM_WORDS:
            self._define(kind, word, value)
        elif change := _PROPERTIES.get(word):
            self._state = change(self._state, value)
        elif story is not None:
            self._read_structure(story, word, value)

    def _read_alternative(self, word: str) -> None:
        """Of two texts, the one for programs that know Unicode is read, which stands in a group inside the other's."""
        if word == "upr":
            self._state = self._state._replace(story=None)
        elif word == "ud" and len(self._groups) > 1:
            self._state = self._state._replace(story=self._groups[-2].story)

    def _define(self, kind: str, word: str, value: int) -> None:
        """Take what a word says of a font, a style, a time or a form field."""
        match kind:
            case "fonttbl":
                self.fonts.define(word, value)
            case "stylesheet":
                self._define_style(word, value)
            case "creatim" | "revtim":
                self.times.setdefault(kind, {})[word] = value
            case _:
                self._form[word] = value

    def _define_style(self, word: str, value: int) -> None:
        if word == "s":
            self._entry = value
            self._styles[value] = _Style()
        elif word == "outlinelevel":
            self._styles[self._entry] = self._styles.get(self._entry, _Style())._replace(outline_level=value)

    def _read_structure(self, story: Story, word: str, value: int) -> None:
        """Take what ends a paragraph, a cell or a row, or says how to read all of it."""
        depth = self._state.table_depth
        if word in _PARAGRAPH_ENDS:
            if not self._state.deleted:
                story.end_paragraph(self._describe_paragraph())
        elif word in ("cell", "nestcell"):
            story.end_cell(max(depth, 2) if word == "nestcell" else 1)
        elif word in ("row", "nestrow"):
            story.end_row(max(depth, 2) if word == "nestrow" else 1, is_header=self._state.is_header)
        elif word == "deff":
            self._default_font = value
        elif word in _PAGES:
            self.fonts.page = _PAGES[word]
        elif word == "ansicpg" and value and (codec := get_code_page_codec(value)):
            self.fonts.page = codec

    def _describe_paragraph(self) -> RtfParagraph:
        style = self._styles.get(self._state.style or 0, _Style())
        level = self._state.outline_level if self._state.outline_level is not None else style.outline_level
        name = style.name.strip().lower()
        if level is None and (match := re.fullmatch(r"heading ([1-9])", name)):
            level = int(match[1]) - 1
        return RtfParagraph(
            self._state.table_depth, level if level is not None and 0 <= level < 9 else None, is_title=name == "title"
        )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
