"""The numbers by which Windows programs name encodings, as Python's codecs."""

from __future__ import annotations

import codecs
from typing import Final

_CODECS: Final = {
    936: "gb18030", 949: "cp949", 1200: "utf-16-le", 1201: "utf-16-be", 1361: "johab",
    10000: "mac-roman", 10001: "shift_jis", 10002: "big5", 10003: "euc_kr", 10006: "mac-greek", 10007: "mac-cyrillic",
    10008: "gb2312", 10029: "mac-latin2", 10079: "mac-iceland", 10081: "mac-turkish",
    20127: "cp1252", 20866: "koi8-r", 20932: "euc_jp", 20936: "gb2312", 20949: "cp949", 21866: "koi8-u", 28591: "cp1252",
    28599: "cp1254", 38598: "iso8859-8", 50220: "iso2022_jp", 50221: "iso2022_jp_3", 50222: "iso2022_jp_3", 50225: "iso2022_kr",
    51932: "euc_jp", 51936: "gb18030", 51949: "cp949", 52936: "hz", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}  # fmt: skip
_ISO_8859: Final = range(28592, 28606)  # numbers of ISO 8859-2 and the others in their order
_LANGUAGE_PAGES: Final = {  # languages ([MS-LCID]) that are not written in Windows-1252
    1250: "05 0e 15 18 1a 1b 1c 24", 1251: "02 19 22 23 28 2f 3f 40 43 44 50", 1253: "08", 1254: "1f 2c", 1255: "0d 3d",
    1256: "01 20 29 80 8c", 1257: "25 26 27", 1258: "2a", 874: "1e", 932: "11", 949: "12",
}  # fmt: skip
_PAGE_BY_LANGUAGE: Final = {int(language, 16): page for page, text in _LANGUAGE_PAGES.items() for language in text.split()}
_CHINESE: Final = 0x04
_TRADITIONAL: Final = (0x0404, 0x0C04, 0x1404)  # Taiwan, Hong Kong, Macao


def get_code_page_codec(number: int) -> str | None:
    """Return the codec of a code page, None for one that Python does not know."""
    if not number:
        return None
    name = _CODECS.get(number) or (f"iso8859-{number - 28590}" if number in _ISO_8859 else f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def get_language_code_page(language: int) -> int:
    """Return the code page that Windows used for a language, by its number (LCID)."""
    if language & 0x3FF == _CHINESE:
        return 950 if language in _TRADITIONAL else 936
    return _PAGE_BY_LANGUAGE.get(language & 0x3FF, 1252)
