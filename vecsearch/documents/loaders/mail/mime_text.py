"""Headers and texts of mail in the encodings that they say, or are in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from typing import Any, Final, TypeAlias

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.code_pages import get_label_codec
from vecsearch.documents.decoding import decode, find_declared_charset
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.html import extract_html_text

MimeMessage: TypeAlias = "Message[Any, Any]"
HTML: Final = "text/html"
_ENCODED_WORD: Final = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS: Final = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*")
_NAMING_HEADERS: Final = ("content-type", "content-disposition")
_READ_HEADERS: Final = ("subject", "from", "to", "cc", "date", "content-language")


def convert_to_text(data: bytes, media_type: str, charset: str | None) -> str:
    """Return the words of a plain text or of a page."""
    if media_type == HTML:
        return extract_html_text(decode_page(data, charset))[1]
    return decode_text(data, charset)


def decode_page(data: bytes, charset: str | None) -> str:
    """Return the source of a page in the encoding that is named with it, else in it."""
    return decode_text(data, charset, find_declared_charset(data))


def decode_text(data: bytes, charset: str | None, declared: str | None = None) -> str:
    """Decode in the encoding that is named, unless it is plain UTF-8; with replacement characters where there is no sound
    reading."""
    codec = get_label_codec((charset or "").partition("*")[0]) or declared
    if codec and codec.startswith(("iso2022", "hz", "utf-7")):  # written in ASCII, so it is plain UTF-8 too
        return data.decode(codec, "replace")
    try:
        return decode(data, declared=codec)
    except UnreadableFileError:
        return data.decode(codec or "utf-8", "replace")


def read_headers(message: MimeMessage) -> dict[str, str]:
    """Return the headers of use, the first of each name, in one line."""
    return select_headers(reversed(list(message.raw_items())))


def select_headers(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those of use by their names in lower case, in one line."""
    return {name.lower(): decode_header_value(value) for name, value in items if name.lower() in _READ_HEADERS}


def decode_header_value(value: str) -> str:
    """Return a header's value as it is meant: encoded words and raw bytes decoded, unfolded."""
    if not value.isascii():
        value = decode_text(value.encode("utf-8", "surrogateescape"), None)
    return " ".join(clean(_ENCODED_WORDS.sub(_decode_words, value)).split())


def _decode_words(words: re.Match[str]) -> str:
    try:
        pieces = decode_header(words[0])
    except HeaderParseError:
        return words[0]
    return "".join(piece if isinstance(piece, str) else decode_text(piece, charset) for piece, charset in pieces)


def read_file_name(part: MimeMessage) -> str:
    """Return the name of a part, empty where it has none, also one in plain bytes of any encoding."""
    for name, value in list(part.raw_items()):
        if name.lower() in _NAMING_HEADERS and not value.isascii():  # which the library would take for damage
            part.replace_header(name, decode_text(value.encode("utf-8", "surrogateescape"), None))
    return decode_header_value(part.get_filename() or "")


def read_payload(part: MimeMessage) -> bytes:
    """Return the bytes of a part that has no parts."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
