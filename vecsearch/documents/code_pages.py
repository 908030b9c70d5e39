"""The numbers and names by which programs call encodings, as Python's codecs."""

from __future__ import annotations

import codecs
import re
from typing import Final

_CODECS: Final = {
    936: "gb18030", 949: "cp949", 1200: "utf-16-le", 1201: "utf-16-be", 1361: "johab",
    10000: "mac-roman", 10001: "shift_jis", 10002: "big5", 10003: "euc_kr", 10006: "mac-greek", 10007: "mac-cyrillic",
    10008: "gb2312", 10029: "mac-latin2", 10079: "mac-iceland", 10081: "mac-turkish",
    20127: "cp1252", 20866: "koi8-r", 20932: "euc_jp", 20936: "gb2312", 20949: "cp949", 21866: "koi8-u", 28591: "cp1252",
    28599: "cp1254", 38598: "iso8859-8", 50220: "iso2022_jp", 50221: "iso2022_jp_3", 50222: "iso2022_jp_3", 50225: "iso2022_kr",
    51932: "euc_jp", 51936: "gb18030", 51949: "cp949", 52936: "hz", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}  # fmt: skip
_ACCEPTED_CODECS: Final = re.compile(r"cp\d|iso8859|iso2022|koi8|gb|big5|euc|shift|johab|hz|mac|tis|ptcp|latin|ascii|utf-[78]")
# Browsers read these labels as their supersets; so do the files that carry them.
_SUPERSETS: Final = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "tis-620": "cp874", "iso8859-11": "cp874", "big5": "big5hkscs",
}  # fmt: skip
_LABELS: Final = {  # that Python does not know
    "windows-31j": "cp932", "windows-874": "cp874", "dos-874": "cp874", "windows-949": "cp949", "windows-936": "gbk",
    "windows-950": "big5", "logical": "iso8859-8", "visual": "iso8859-8", "mac-ce": "mac-latin2", "mac-ukrainian": "mac-cyrillic",
    "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7",
}  # fmt: skip
_LABEL: Final = re.compile(r"[\s\"']*(?:x-)?([\w.:-]{1,64})", re.ASCII)
_DIRECTION: Final = re.compile("(iso-8859-[68])-[ei]")  # in which letters are written, which is no matter of their encoding
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


def get_label_codec(label: str) -> str | None:
    """Return the codec of an encoding by the name that pages and mails have for it, None for an unknown one or one of no text."""
    match = _LABEL.match(label.lower())
    label = _DIRECTION.sub(r"\1", match[1]) if match else ""
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError:
        return None
    return _SUPERSETS.get(name, name) if _ACCEPTED_CODECS.match(name) else None
