"""The fonts of a document of bytes (RTF, Word 6): in which encoding those of each are, and what fonts of signs draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.code_pages import get_code_page_codec
from vecsearch.documents.decoding import LegacyCounts, guess_national
from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

WESTERN: Final = "cp1252"
_ANSI: Final = 0  # the character set of Western fonts, which careless programs write for all
_UNSAID: Final = (None, 1, 2)  # those of which the font's name says more
_CHARSETS: Final = {
    77: "mac-roman", 78: "shift_jis", 79: "euc_kr", 80: "gb18030", 81: "big5", 83: "cp1255", 84: "mac-arabic", 85: "mac-greek",
    86: "mac-turkish", 87: "cp874", 88: "mac-latin2", 89: "mac-cyrillic", 128: "cp932", 129: "cp949", 130: "johab",
    134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 179: "cp1256",
    180: "cp1256", 181: "cp1255", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
    256: "mac-roman",
}  # fmt: skip


@dataclass(slots=True)
class _Font:
    name: str = ""
    charset: int | None = None
    codec: str | None = None


@dataclass(slots=True)
class FontTable:
    """The fonts by their number, and the encoding of what none of them names.

    Files say "Western" of bytes that are not: such bytes are collected, and `choose_western` tells what they are.
    """

    western: str = WESTERN
    page: str = WESTERN
    doubtful: bytearray = field(default_factory=bytearray)
    _fonts: dict[int, _Font] = field(default_factory=dict)
    _entry: _Font = field(default_factory=_Font)

    def add(self, number: int, name: str, charset: int | None) -> None:
        """Add a font; no character set where that of the document holds."""
        self._fonts[number] = _Font(name, charset, _CHARSETS.get(charset or 0))

    def define(self, word: str, value: int) -> None:
        """Take a control word of the table in RTF: another font, or what its bytes are."""
        match word:
            case "f":
                self._entry = self._fonts[value] = _Font()
            case "fcharset":
                self._entry.charset, self._entry.codec = value, self._entry.codec or _CHARSETS.get(value)
            case "cpg":
                self._entry.codec = get_code_page_codec(value) or self._entry.codec

    def add_name(self, text: str) -> None:
        """Take a piece of a font's name, which ends with a semicolon."""
        self._entry.name += text.partition(";")[0]

    def decode(self, number: int, data: bytes) -> str:
        """Return what bytes show in a font."""
        font = self._fonts.get(number, _Font())
        if font.charset in _UNSAID and is_symbol_font(font.name):
            return decode_symbols(font.name, data.decode("latin-1"))
        codec = font.codec or (WESTERN if font.charset == _ANSI else self.page)
        if codec == WESTERN and font.codec is None:
            codec = self.western
            if not data.isascii() and len(self.doubtful) < SNIFF_BYTES:
                self.doubtful += data + b" "
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 2 > len(text):  # the font's character set is not that of these bytes
            text = data.decode(self.page, "replace")
        return self.draw(number, text)

    def draw(self, number: int, text: str) -> str:
        """Return what characters show in a font."""
        font = self._fonts.get(number)
        if font is None:
            return text
        return decode_symbols(font.name, text, private_only=font.charset not in _UNSAID)

    def choose_western(self) -> str:
        """Return the codec that the bytes said to be Western are in: that, unless they do not read like it."""
        data = bytes(self.doubtful)
        try:
            data.decode()
            return "utf-8"
        except UnicodeDecodeError as error:
            position = error.start
        counts = LegacyCounts()
        counts.add(data)
        try:
            return counts.choose_encoding(position) or self._guess(data, counts.high)
        except UnreadableFileError:  # nearly UTF-8
            return WESTERN

    def _guess(self, data: bytes, high: int) -> str:
        return self.page if self.page != WESTERN else guess_national(data, high) or WESTERN
